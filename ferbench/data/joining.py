"""Two splits as one, for stages that train on train and val together."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from ferbench.data.labels import in_kind, joined_kind
from ferbench.errors import DataError
from ferbench.nouns.emotions import LabelKind
from ferbench.nouns.split import Batch, Split, View


class Joined:
    """The samples of ``first``, then those of ``second`` (see :class:`ferbench.Split`).

    Where one has soft, drawn or accepted labels, hard ones of the other become certain ones. Raises DataError when
    their targets cannot be brought to one form.
    """

    def __init__(self, first: Split, second: Split) -> None:
        self.first, self.second = first, second
        self.classes: tuple[str, ...] = first.classes
        self.label_kind: LabelKind = joined_kind(first.label_kind, second.label_kind)
        self.ids = np.concatenate([first.ids, second.ids])
        self.hashes = np.concatenate([first.hashes, second.hashes])
        labels = [in_kind(part.targets, self.label_kind, len(self.classes)) for part in (first, second)]
        self.targets = np.concatenate(labels)
        self.groups = {
            name: np.concatenate([values, second.groups[name]])
            for name, values in first.groups.items()
            if name in second.groups
        }

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    @cached_property
    def arrays(self) -> Mapping[str, np.ndarray] | None:
        """Every input of both, uint8 [n, ...]; None where one of them streams."""
        a, b = self.first.arrays, self.second.arrays
        if a is None or b is None:
            return None
        return {name: np.concatenate([values, b[name]]) for name, values in a.items()}

    def batch(self, indices: np.ndarray, view: View, rng: np.random.Generator) -> Batch:
        """Read the samples at ``indices`` (int64 [m]), each from the split that holds it."""
        count = len(self.first)
        early = indices < count
        parts = [self.first.batch(indices[early], view, rng)] if early.any() else []
        parts += [self.second.batch(indices[~early] - count, view, rng)] if not early.all() else []
        order = np.argsort(np.concatenate([np.flatnonzero(early), np.flatnonzero(~early)]))
        inputs = {name: np.concatenate([part.inputs[name] for part in parts])[order] for name in parts[0].inputs}
        if any(part.mask is not None for part in parts):
            raise DataError("Clips of varying length cannot be joined with others yet; train on one side.")
        return Batch(inputs, self.targets[indices])

    def take(self, indices: np.ndarray) -> Split:
        """A split of some of the samples, by their indices (int64 [m]); those of the first split come first."""
        count = len(self.first)
        return Joined(self.first.take(indices[indices < count]), self.second.take(indices[indices >= count] - count))
