"""A split that lies in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ferbench.nouns.emotions import LabelKind
from ferbench.nouns.split import Batch, View


@dataclass(frozen=True)
class ArraySplit:
    """Samples in memory: ``rows`` (int64 [n]) of ``inputs`` (uint8 or float32 [N, ...] by name, memory-mapped).

    ``hashes``: uint64 [n], equal for identical pixels. The rest is as in :class:`ferbench.Split`.
    """

    inputs: Mapping[str, np.ndarray]
    rows: np.ndarray
    ids: np.ndarray
    targets: np.ndarray
    hashes: np.ndarray
    classes: tuple[str, ...]
    label_kind: LabelKind
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Every input of this side, uint8 or float32 [n, ...], in the order of its samples."""
        return {name: _rows_of(values, self.rows) for name, values in self.inputs.items()}

    def batch(self, indices: np.ndarray, view: View, rng: np.random.Generator) -> Batch:
        """Return the samples at ``indices`` (int64 [m]), of clips the frames in ``view``, and their targets."""
        rows = self.rows[indices]
        inputs = {name: _seen(values[rows], view, rng) for name, values in self.inputs.items()}
        return Batch(inputs, self.targets[indices])

    def take(self, indices: np.ndarray) -> ArraySplit:
        """Return a split of some of the samples, by their indices (int64 [m])."""
        return replace(
            self,
            rows=self.rows[indices],
            ids=self.ids[indices],
            targets=self.targets[indices],
            hashes=self.hashes[indices],
            groups={name: values[indices] for name, values in self.groups.items()},
        )


def _seen(values: np.ndarray, view: View, rng: np.random.Generator) -> np.ndarray:
    """The frames of a view, of clips (uint8 [m, frames, height, width, channels]); other inputs are seen whole."""
    if values.ndim != 5 or view.frames is None:
        return values
    chosen = np.stack([view.chosen(values.shape[1], rng) for _ in values])
    return np.take_along_axis(values, chosen[:, :, None, None, None], axis=1)


def _rows_of(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows of an array; without a copy where they follow one another."""
    straight = len(rows) > 0 and bool((np.diff(rows) == 1).all())
    chosen: np.ndarray = values[rows[0] : rows[-1] + 1] if straight else values[rows]
    return chosen
