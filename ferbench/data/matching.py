"""A model's classes beside those of other data: matched by canonical names, the rest left out and told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ferbench.errors import DataError
from ferbench.nouns.emotions import canonical

NOTHING = 1e-12
"""Below this a model gives no probability to any shared class; the shared ones then are equally likely."""


@dataclass(frozen=True)
class Matching:
    """Which output of a model stands for each class of the data; None for a class that it lacks."""

    columns: tuple[int | None, ...]
    lacking: tuple[str, ...]
    dropped: tuple[str, ...]

    def apply(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities [n, given] as float32 [n, wanted]: zero where lacking, the shared ones brought to a sum of one.

        Where the model gives all its probability to dropped classes, the shared ones are equally likely.
        """
        shared = np.array([column is not None for column in self.columns])
        result = np.zeros((len(scores), len(self.columns)))
        result[:, shared] = scores[:, [column for column in self.columns if column is not None]]
        total = result.sum(axis=1, keepdims=True)
        even = shared / shared.sum()
        return np.asarray(np.where(total > NOTHING, result / np.maximum(total, NOTHING), even), np.float32)

    def notes(self) -> tuple[str, ...]:
        """What a reader of the table must know."""
        lacking = f"it knows no {', '.join(self.lacking)}: these get probability 0" if self.lacking else ""
        dropped = f"its {', '.join(self.dropped)} left out, the rest brought to a sum of one" if self.dropped else ""
        return tuple(note for note in (lacking, dropped) if note)


def match_classes(given: Sequence[str], wanted: Sequence[str]) -> Matching:
    """Match a model's classes with those of the data.

    Raises DataError where fewer than two are shared, or two classes of the data mean the same.
    """
    places = {canonical(name): index for index, name in enumerate(given)}
    columns = tuple(places.get(canonical(name)) for name in wanted)
    shared = [name for name, column in zip(wanted, columns, strict=True) if column is not None]
    if len(shared) < 2:
        which = f"only the class {shared[0]}" if shared else "no class"
        raise DataError(
            f"it shares {which} with the data: it tells {', '.join(given)} apart, and these are {', '.join(wanted)}"
        )
    if len({canonical(name) for name in wanted}) < len(wanted):
        raise DataError(f"classes of the data mean the same by canonical names: {', '.join(wanted)}")
    lacking = tuple(name for name, column in zip(wanted, columns, strict=True) if column is None)
    return Matching(columns, lacking, tuple(name for index, name in enumerate(given) if index not in columns))


def shared_classes(known: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    """Names of ``wanted`` that mean one of ``known``, in the order of ``wanted``.

    Raises DataError where fewer than two are left, or two of one side mean the same.
    """
    for names in (known, wanted):
        if len({canonical(name) for name in names}) < len(names):
            raise DataError(f"classes mean the same by canonical names: {', '.join(names)}")
    meant = {canonical(name) for name in known}
    shared = tuple(name for name in wanted if canonical(name) in meant)
    if len(shared) < 2:
        which = f"only the class {shared[0]}" if shared else "no class"
        raise DataError(f"they share {which}: {', '.join(known)} and {', '.join(wanted)}")
    return shared
