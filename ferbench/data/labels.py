"""Targets of every label kind: how two kinds become one, and how many samples each class can expect."""

from __future__ import annotations

import numpy as np

from ferbench.errors import DataError
from ferbench.nouns.emotions import LabelKind

SPREAD: tuple[LabelKind, ...] = ("soft", "drawn", "accepted")
"""Kinds over several classes of which one is right; a hard label is a certain one of each."""


def joined_kind(first: LabelKind, second: LabelKind) -> LabelKind:
    """The kind of targets of two kinds together.

    Hard labels become certain ones of the other's kind; of probabilities the first kind says whether labels are drawn
    from them. Raises DataError where there is no common form.
    """
    if first == second or (second == "hard" and first in SPREAD):
        return first
    if first == "hard" and second in SPREAD:
        return second
    if {first, second} == {"soft", "drawn"}:
        return first
    raise DataError(f"Labels that are {first} cannot be joined with {second} ones.")


def in_kind(targets: np.ndarray, kind: LabelKind, classes: int) -> np.ndarray:
    """Targets in the form of ``kind``: hard ones (int64 [n]) as rows of one 1 (float32 [n, classes]) if it asks so."""
    if kind in SPREAD and targets.ndim == 1:
        return np.asarray(np.eye(classes, dtype=np.float32)[targets])
    return targets


def expected_counts(targets: np.ndarray, classes: int, accepted: bool = False) -> np.ndarray:
    """Samples that each class can expect, float64 [classes]: soft and drawn labels count by their shares.

    ``accepted``: the targets are flags of classes any of which is right, so that each flag of a sample has an equal
    share of it.
    """
    if targets.ndim == 1:
        return np.bincount(targets, minlength=classes).astype(np.float64)
    values = targets.astype(np.float64)
    if accepted:
        values = values / np.maximum(values.sum(axis=1, keepdims=True), 1)
    return np.asarray(values.sum(axis=0))
