"""Registering a published file of weights: checked, converted, and kept."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ferbench.data.cache import disk_faults
from ferbench.data.weights import RegisteredWeights, is_published, status_of, weights_root
from ferbench.errors import DataError
from ferbench.nouns.reference import resolve
from ferbench.nouns.weights import Weights

if TYPE_CHECKING:
    from ferbench.data.checkpoints import Checkpoint
    from ferbench.data.finished import Format

_STALE_SECONDS = 24 * 3600


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
        _check_published(weights, source, sha256)
        before = status_of(weights.name).meta
        kind = None if weights.reader else finished_format(source)
        plain = kind is None and not weights.reader  # what a plugin's reader makes of a file may have changed
        if plain and before and _identity(before) == (sha256, weights.trained_on, tuple(weights.classes), {}):
            return before, True
        meta, write = _tensors(weights, source, sha256) if kind is None else _finished(weights, source, kind)
        if kind is not None and before and _identity(before) == _identity(meta):
            return before, True
    except OSError as error:
        raise DataError(f"{error.filename or source} cannot be read: {error.strerror or error}.") from error
    return _keep(meta, write), False


def _check_published(weights: Weights, source: Path, sha256: str) -> None:
    """Raise DataError where a checksum of the published file is known and another one is found."""
    differs = "" if is_published(weights, sha256) else f"SHA-256 is {sha256}, and {weights.sha256}"
    if weights.md5 and not differs:
        with source.open("rb") as stream:
            md5 = hashlib.file_digest(stream, "md5").hexdigest()
        differs = "" if md5 == weights.md5.lower() else f"MD5 is {md5}, and {weights.md5}"
    if differs:
        raise DataError(
            f"{source} is not the published file of {weights.name!r}: its {differs} is wanted. Get it again: "
            f"{weights.how_to_get or 'where it was published'}"
        )


def _identity(meta: RegisteredWeights) -> tuple[str, str, tuple[str, ...], Mapping[str, Any]]:
    return meta.sha256, meta.trained_on, meta.classes, meta.interface


def _tensors(weights: Weights, source: Path, sha256: str) -> tuple[RegisteredWeights, Callable[[Path], None]]:
    from safetensors.torch import save_file

    checkpoint = _read(weights, source)
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


def _read(weights: Weights, source: Path) -> Checkpoint:
    """The tensors of a file, by a plugin's own reader where it has one."""
    import numpy as np
    import torch

    from ferbench.data.checkpoints import Checkpoint, read_checkpoint

    if not weights.reader:
        return read_checkpoint(source)
    arrays = resolve(weights.reader)(source)
    tensors = {name: torch.from_numpy(np.array(value, np.float32, order="C")) for name, value in arrays.items()}
    return Checkpoint(tensors, (f"read by {weights.reader}",))


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
