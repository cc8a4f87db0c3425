"""What a launched process can do, by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path


def cell(argument: str) -> int:
    """Run the cell in the folder ``argument``."""
    from ferbench.running.cell import run_cell

    return run_cell(Path(argument))


def probe(argument: str) -> int:
    """Time the cell in the folder ``argument`` for a moment; print images per second and seconds of a test pass."""
    from ferbench.running.probe import probe_cell

    print(json.dumps(probe_cell(Path(argument))), flush=True)
    return 0


def devices(argument: str) -> int:
    """Print the names of the CUDA devices."""
    import torch

    print(json.dumps([torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]), flush=True)
    return 0


def call(argument: str) -> int:
    """Call the function that ``argument`` names first (``package.module:name``) with the rest of it."""
    from ferbench.nouns.reference import resolve

    reference, _, rest = argument.partition(" ")
    return int(resolve(reference)(rest))


TASKS: Mapping[str, Callable[[str], int]] = {"cell": cell, "probe": probe, "devices": devices, "call": call}
