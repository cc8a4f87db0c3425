"""ImageNet's weights of the trunk, which are published as Keras writes them: HDF5, layer by layer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ferbench import DataError, NetSpec

MAX_BYTES = 2**30
PARTS = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
"""Names of a normalisation's tensors, ours and Keras's."""


def read_trunk(path: Path) -> dict[str, np.ndarray]:
    """Return the tensors of ``lhcnet-resnet34v2`` without its head, float32, from a file of Keras's.

    Keras's network takes pixels from 0 to 255, ours from 0 to 1: the statistics of its first normalisation are divided,
    so that both normalise to the same numbers. Raises DataError for a file that holds other layers, other shapes,
    numbers that are none, or links to anything outside.
    """
    import h5py

    if path.stat().st_size > MAX_BYTES:
        raise DataError(f"{path} has more than {MAX_BYTES:,} bytes; the weights of a ResNet34 have 85 million.")
    try:
        with h5py.File(path, "r") as file:
            layers = _group(file, "model_weights") if "model_weights" in file else file
            found = {name: _tensor(layers, layer, part, shape) for name, layer, part, shape in _wanted()}
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise DataError(f"{path} is not the trunk's weights as Keras writes them: {error}.") from None
    return found | _for_unit_pixels(found["bn_data.running_mean"], found["bn_data.running_var"])


def _wanted() -> Iterator[tuple[str, str, str, tuple[int, ...]]]:
    """Each tensor of the trunk that Keras has too: its name, Keras's layer and part, and its shape here."""
    from ferbench_lhcnet.network import build_trunk

    with torch.device("meta"):
        state = build_trunk(NetSpec(classes=7, channels=3, size=224)).state_dict()
    for name, value in state.items():
        module, _, part = name.rpartition(".")
        if module.startswith("head") or part == "num_batches_tracked" or name == "bn_data.weight":
            continue
        within = re.fullmatch(r"stages\.(\d+)\.(\d+)\.(\w+)", module)
        short = within[3].replace("shortcut", "sc") if within else module
        layer = f"stage{int(within[1]) + 1}_unit{int(within[2]) + 1}_{short}" if within else module
        yield name, layer, "kernel" if value.ndim == 4 else PARTS[part], tuple(value.shape)


def _tensor(layers: Any, layer: str, part: str, shape: tuple[int, ...]) -> np.ndarray:
    import h5py

    group = _group(layers, layer)
    named = [_text(name) for name in group.attrs["weight_names"]]
    place = next((name for name in named if re.fullmatch(rf".*/{part}(:0)?", name)), None)
    if place is None:
        raise KeyError(f"the layer {layer} has no {part}")
    *way, last = place.split("/")
    for step in way:
        group = _group(group, step)
    _check_link(group, last)
    data = group[last]
    if not isinstance(data, h5py.Dataset):
        raise KeyError(f"{layer}/{part} is no array")
    turned = tuple(shape[axis] for axis in (2, 3, 1, 0)) if len(shape) == 4 else shape
    if data.is_virtual or data.external or data.dtype != np.float32 or data.shape != turned:
        raise ValueError(f"{layer}/{part} is {data.dtype} {list(data.shape)}, and float32 {list(turned)} is wanted")
    values: np.ndarray = data[()]
    if not np.isfinite(values).all():
        raise ValueError(f"{layer}/{part} holds numbers that are none")
    return values.transpose(3, 2, 0, 1) if len(shape) == 4 else values


def _group(parent: Any, name: str) -> Any:
    import h5py

    _check_link(parent, name)
    if not isinstance(parent[name], h5py.Group):
        raise KeyError(f"{name!r} is no group")
    return parent[name]


def _check_link(parent: Any, name: str) -> None:
    """Refuse links that lead out of the file, or that are missing."""
    import h5py

    if not isinstance(parent.get(name, getlink=True), h5py.HardLink):
        raise KeyError(f"{name!r} is missing or a link")


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _for_unit_pixels(mean: np.ndarray, variance: np.ndarray) -> dict[str, np.ndarray]:
    """The first normalisation for pixels from 0 to 1; with its ε, so that nothing else changes."""
    epsilon = 2e-5
    return {
        "bn_data.weight": np.ones_like(mean),
        "bn_data.running_mean": (mean / 255).astype(np.float32),
        "bn_data.running_var": ((variance.astype(np.float64) + epsilon) / 255**2 - epsilon).astype(np.float32),
    }
