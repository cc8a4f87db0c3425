"""A split that is read from files while it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ferbench.data.fingerprint import boxes_of
from ferbench.errors import DataError, FerbenchError
from ferbench.nouns.dataset import Decode
from ferbench.nouns.emotions import LabelKind
from ferbench.nouns.reference import resolve
from ferbench.nouns.split import Batch, View

if TYPE_CHECKING:
    from ferbench.data.stored import Loaded


@dataclass(frozen=True)
class StreamSplit:
    """Samples that are read one by one: ``files`` below ``root``, by the data set's ``decode``.

    ``boxes``: the part of each picture that is read, integers [n, 4] as in :class:`ferbench.View`. ``hashes``: uint64
    [n], equal for identical files. The rest is as in :class:`ferbench.Split`.
    """

    root: Path
    files: tuple[str, ...]
    decode: Decode | str
    ids: np.ndarray
    targets: np.ndarray
    hashes: np.ndarray
    classes: tuple[str, ...]
    label_kind: LabelKind
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)
    boxes: np.ndarray | None = None

    @property
    def arrays(self) -> None:
        """Nothing of it lies in memory."""
        return

    def __len__(self) -> int:
        return len(self.files)

    def batch(self, indices: np.ndarray, view: View, rng: np.random.Generator) -> Batch:
        """Decode the samples at ``indices`` (int64 [m]).

        Inputs that differ in length along their first axis (frames) are filled up with zeros, and ``mask`` (bool
        [m, frames]) tells the real ones. Raises DataError that names the file that cannot be decoded.
        """
        paths = [self.root / self.files[i] for i in indices]
        boxes = boxes_of(None if self.boxes is None else self.boxes[indices], len(paths))
        samples = [
            _decoded(self.decode, path, replace(view, box=box), rng) for path, box in zip(paths, boxes, strict=True)
        ]
        inputs: dict[str, np.ndarray] = {}
        mask = None
        for name in samples[0]:
            inputs[name], real = _stacked([sample[name] for sample in samples], paths)
            mask = mask if real is None else real
        return Batch(inputs, self.targets[indices], mask)

    def take(self, indices: np.ndarray) -> StreamSplit:
        """Return a split of some of the samples, by their indices (int64 [m])."""
        return replace(
            self,
            files=tuple(self.files[i] for i in indices),
            ids=self.ids[indices],
            targets=self.targets[indices],
            hashes=self.hashes[indices],
            groups={name: values[indices] for name, values in self.groups.items()},
            boxes=None if self.boxes is None else self.boxes[indices],
        )


def read_sample(loaded: Loaded, row: int, view: View, rng: np.random.Generator) -> Mapping[str, np.ndarray]:
    """Decode one sample of a data set that streams, its box alone where it has one.

    Raises DataError that names the file that cannot be decoded.
    """
    assert loaded.files is not None and loaded.dataset.decode is not None  # checked when the data were added
    boxes = loaded.samples.columns.get("box")
    (box,) = boxes_of(None if boxes is None else boxes[[row]], 1)
    return _decoded(loaded.dataset.decode, loaded.root / loaded.files[row], replace(view, box=box), rng)


def _decoded(decode: Decode | str, path: Path, view: View, rng: np.random.Generator) -> Mapping[str, np.ndarray]:
    try:
        sample: Mapping[str, np.ndarray] = resolve(decode)(path, view, rng)
    except FerbenchError:
        raise
    except Exception as error:
        raise DataError(f"{path} cannot be decoded: {type(error).__name__}: {error}") from error
    return sample


def _stacked(values: Sequence[np.ndarray], paths: Sequence[Path]) -> tuple[np.ndarray, np.ndarray | None]:
    """Stack arrays into one, filled up along the first axis; return it and the mask, None where all are as long."""
    if all(value.shape == values[0].shape for value in values):
        return np.stack(values), None
    for value, path in zip(values, paths, strict=True):
        # Pictures [height, width] have no axis of frames: two sizes in one data set cannot be stacked.
        if value.shape != values[0].shape and (value.ndim < 3 or value.shape[1:] != values[0].shape[1:]):
            raise DataError(
                f"{path} has the size {value.shape}, {paths[0]} {values[0].shape}: they cannot be one batch."
            )
    longest = max(len(value) for value in values)
    stacked = np.zeros((len(values), longest, *values[0].shape[1:]), dtype=values[0].dtype)
    for row, value in zip(stacked, values, strict=True):
        row[: len(value)] = value
    return stacked, np.arange(longest) < np.array([[len(value)] for value in values])
