"""Registered weights: ``add`` a published file once; recipes begin with it, or finished models consist of it.

``<data folder>/weights/<name>/meta.json`` names the file beside it: tensors as safetensors, or a finished model as it
came (ONNX, skops). Both appear by renaming, so that a reader sees a whole registration or none.
"""

from __future__ import annotations

import importlib.util
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ferbench.data.cache import disk_faults
from ferbench.data.places import data_root, folder_name
from ferbench.errors import DataError
from ferbench.nouns.weights import Weights

if TYPE_CHECKING:
    import torch

    from ferbench.data.finished import Format

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


def add_weights(weights: Weights, path: Path | str) -> tuple[RegisteredWeights, bool]:
    """Check a file of weights and keep it; return it and whether it was there already.

    Tensors are converted to safetensors; finished models are kept as they are. Raises DataError when the checksum is
    not that of the published file, or it can be read neither as tensors alone nor as a finished model.
    """
    from ferbench.data.fingerprint import source_identity
    from ferbench.data.finished import finished_format

    source = Path(path).expanduser().absolute()
    if not source.is_file():
        raise DataError(f"There is no file {source}. Check the path.")
    try:
        sha256 = str(source_identity(source)["sha256"])
        if not is_published(weights, sha256):
            raise DataError(
                f"{source} is not the published file of {weights.name!r}: its SHA-256 is {sha256}, and "
                f"{weights.sha256} is wanted. Get it again: {weights.how_to_get or 'where it was published'}"
            )
        before = status_of(weights.name).meta
        kind = finished_format(source)
        if kind is None and before and _identity(before) == (sha256, weights.trained_on, tuple(weights.classes), {}):
            return before, True
        meta, write = _tensors(weights, source, sha256) if kind is None else _finished(weights, source, kind)
        if kind is not None and before and _identity(before) == _identity(meta):
            return before, True
    except OSError as error:
        raise DataError(f"{error.filename or source} cannot be read: {error.strerror or error}.") from error
    return _keep(meta, write), False


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


def _identity(meta: RegisteredWeights) -> tuple[str, str, tuple[str, ...], Mapping[str, Any]]:
    return meta.sha256, meta.trained_on, meta.classes, meta.interface


def _tensors(weights: Weights, source: Path, sha256: str) -> tuple[RegisteredWeights, Callable[[Path], None]]:
    from safetensors.torch import save_file

    from ferbench.data.checkpoints import read_checkpoint

    checkpoint = read_checkpoint(source)
    meta = RegisteredWeights(
        name=weights.name,
        sha256=sha256,
        trained_on=weights.trained_on,
        classes=tuple(weights.classes),
        tensors=len(checkpoint.tensors),
        parameters=sum(tensor.numel() for tensor in checkpoint.tensors.values()),
        source=str(source),
        file=f"{sha256[:20]}.safetensors",
        file_sha256="",
        bytes=0,
        notes=checkpoint.notes,
    )
    return meta, lambda path: save_file(dict(checkpoint.tensors), path)


def _finished(weights: Weights, source: Path, kind: Format) -> tuple[RegisteredWeights, Callable[[Path], None]]:
    from ferbench.data.finished import read_finished

    found = read_finished(source, kind, weights.classes)
    meta = RegisteredWeights(
        name=weights.name,
        sha256=found.sha256,
        trained_on=weights.trained_on,
        classes=found.classes,
        tensors=found.tensors,
        parameters=found.parameters,
        source=str(source),
        file=f"{found.sha256[:20]}.{kind}",
        file_sha256="",
        bytes=0,
        notes=found.notes,
        format=kind,
        interface={"input": found.input.model_dump(mode="json"), "scores": found.scores},
    )
    return meta, lambda path: _write(path, found.content)


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _keep(described: RegisteredWeights, write: Callable[[Path], None]) -> RegisteredWeights:
    """Write the file and what is known of it; return that with the file's own hash and size."""
    from ferbench.data.fingerprint import source_identity

    root = weights_root(described.name)
    with disk_faults(root):
        root.mkdir(parents=True, exist_ok=True)
        fresh = _temporary(root)
        try:
            write(fresh)
            identity = source_identity(fresh)
            meta = replace(described, file_sha256=str(identity["sha256"]), bytes=int(identity["bytes"]))
            fresh.chmod(0o644)  # a lab shares its data
            fresh.replace(meta.path)
            fresh = _temporary(root)
            fresh.write_text(json.dumps(asdict(meta), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            fresh.chmod(0o644)
            fresh.replace(root / "meta.json")
        finally:
            fresh.unlink(missing_ok=True)
        _sweep(root, meta.file)
    return meta


def _temporary(root: Path) -> Path:
    handle, name = tempfile.mkstemp(prefix=".new-", dir=root)
    os.close(handle)
    return Path(name)


def _sweep(root: Path, kept: str) -> None:
    """Remove the copy that was registered before, and what killed processes left behind."""
    for path in root.iterdir():
        if path.suffix in (".safetensors", ".onnx", ".skops") and path.name != kept:
            path.unlink(missing_ok=True)
    for path in root.glob(".new-*"):
        if time.time() - path.stat().st_mtime > _STALE_SECONDS:
            path.unlink(missing_ok=True)


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
