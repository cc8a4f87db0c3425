"""Hashes that tell samples, data sets and downloads apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ferbench.errors import DataError
from ferbench.nouns.dataset import Dataset, Samples
from ferbench.nouns.reference import resolve
from ferbench.nouns.split import View

_BLOCK = 1 << 20


def pixel_hashes(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return a hash of each sample, uint64 [n], from uint8 inputs [n, ...]: equal exactly for identical pixels.

    64 bits of BLAKE2b: among a million samples, two different ones agree with a chance of 3e-8.
    """
    arrays = [np.ascontiguousarray(inputs[name]) for name in sorted(inputs)]
    count = len(arrays[0])
    if len(arrays) == 1:
        digests = [hashlib.blake2b(row.data, digest_size=8).digest() for row in arrays[0].reshape(count, -1)]
    else:
        digests = [_joint_hash([array[i] for array in arrays]) for i in range(count)]
    return _digests(digests)


def _digests(digests: Sequence[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _joint_hash(parts: Sequence[np.ndarray]) -> bytes:
    hasher = hashlib.blake2b(digest_size=8)
    for part in parts:
        hasher.update(np.ascontiguousarray(part).data)
    return hasher.digest()


def file_hashes(dataset: Dataset, root: Path, files: Sequence[str], boxes: np.ndarray | None = None) -> np.ndarray:
    """Return a hash of each file's content, uint64 [n]; of what it decodes to where an embedded set has no files.

    ``boxes``: the part of each file that is read, [n, 4]; two parts of one file are two samples. Raises DataError when
    a file cannot be read.
    """
    if dataset.embedded:
        decode, rng = resolve(dataset.decode), np.random.default_rng(0)
        views = [View(box=box) for box in boxes_of(boxes, len(files))]
        decoded = [decode(root / name, view, rng) for name, view in zip(files, views, strict=True)]
        return _digests([_joint_hash([sample[name] for name in sorted(sample)]) for sample in decoded])
    digests = []
    for name, box in zip(files, boxes_of(boxes, len(files)), strict=True):
        hasher = hashlib.blake2b(b"" if box is None else repr(box).encode(), digest_size=8)
        try:
            with (root / name).open("rb") as stream:
                while block := stream.read(_BLOCK):
                    hasher.update(block)
        except OSError as error:
            raise DataError(f"{root / name} cannot be read: {error.strerror}.") from None
        digests.append(hasher.digest())
    return _digests(digests)


def boxes_of(boxes: np.ndarray | None, count: int) -> list[tuple[int, int, int, int] | None]:
    """Return the box of each of ``count`` files from the column ``box`` (integers [n, 4]), None where there is none."""
    if boxes is None:
        return [None] * count
    return [(int(left), int(top), int(right), int(bottom)) for left, top, right, bottom in boxes]


def fingerprint(
    samples: Samples, classes: Sequence[str], shapes: Mapping[str, Sequence[int]], decoder: str = ""
) -> str:
    """Return 32 hexadecimal digits over everything that a result can depend on.

    That is: pixels (by ``samples.hashes``), ids, targets, the data set's own splits, groups, columns, class names and
    input shapes; ``decoder``: what says how pixels are made of files, where it is those that are hashed. The same data
    always get the same fingerprint, on every machine and from every form of download.
    """
    hasher = hashlib.blake2b(digest_size=16)
    hasher.update(json.dumps([list(classes), {name: list(shapes[name]) for name in sorted(shapes)}]).encode())
    hasher.update(decoder.encode())
    parts = {"ids": samples.ids, "targets": samples.targets, "hashes": samples.hashes, "origin": samples.origin}
    parts |= {f"group {name}": values for name, values in samples.groups.items()}
    parts |= {f"column {name}": values for name, values in samples.columns.items()}
    for name in sorted(parts):
        values = parts[name]
        if values is not None:
            content = _canonical(values)
            hasher.update(f"{name} {values.shape} {len(content)}\n".encode())
            hasher.update(content)
    return hasher.hexdigest()


def _canonical(values: np.ndarray) -> bytes:
    """Bytes that depend on the values alone, not on the width of a string type nor the order of bytes."""
    if values.dtype.kind == "U":
        return json.dumps(values.tolist()).encode()
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()


def source_identity(path: Path) -> dict[str, str | int]:
    """Return what tells a download from another: ``path``, ``bytes`` and ``sha256``.

    For a folder, the hash is over the names, sizes and times of its files.
    """
    hasher = hashlib.sha256()
    if path.is_dir():
        size = 0
        for file in sorted(path.rglob("*")):
            facts = file.lstat()
            size += facts.st_size
            name = str(file.relative_to(path)).encode("utf-8", "surrogateescape")  # a name need not be text
            hasher.update(name + f"\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
        return {"path": str(path), "bytes": size, "sha256": hasher.hexdigest()}
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(_BLOCK):
            hasher.update(block)
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": hasher.hexdigest()}
