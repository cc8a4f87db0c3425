"""The environment of a cell: recorded, not hashed. A resumed cell keeps the one it began with."""

from __future__ import annotations

import os
import platform
import socket
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from ferbench.data.places import data_root
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.suite import RunSettings
from ferbench.training.compiling import decide, keep_compiled
from ferbench.training.precision import (
    Numerics,
    ask_for_determinism,
    choose_device,
    numerics_for,
    only_deterministic,
)

PACKAGES = ("ferbench", "torch", "numpy", "pandas", "pyarrow", "safetensors", "scikit-learn", "pydantic", "timm")


def describe(run: RunSettings, recipe: Recipe, samples: int) -> dict[str, Any]:
    """Choose device, threads, precision and compilation by the fixed rules, and say what else could matter.

    ``samples``: those of the whole training, each epoch's counted.
    """
    if run.deterministic:
        ask_for_determinism()  # before CUDA starts
    device = choose_device(run.device)
    threads = run.threads or max(1, usable_cores() // run.jobs)
    return {
        "device": device.type,
        "device_name": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name(),
        "threads": threads,
        "precision": numerics_for(device, recipe.precision).precision,
        "deterministic": run.deterministic,
        "compiled": decide(run.compile, device, samples),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": socket.gethostname(),
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "versions": {name: version for name in PACKAGES if (version := installed_version(name))},
        "executable": Path(sys.executable).name,
    }


def usable_cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def adopt(environment: dict[str, Any]) -> Numerics:
    """Set this process up as ``environment`` says; return device and precision."""
    torch.set_num_threads(environment["threads"])
    device = torch.device(environment["device"])
    if environment.get("deterministic"):
        ask_for_determinism()
        only_deterministic(device)
    if environment.get("compiled"):
        keep_compiled(data_root() / "compiled")
    return Numerics(device, environment["precision"])


def cpu_name() -> str:
    """The processor's name."""
    try:
        with Path("/proc/cpuinfo").open() as handle:
            for line in handle:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def installed_version(package: str) -> str:
    """Version of an installed package, empty if it is not there."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
