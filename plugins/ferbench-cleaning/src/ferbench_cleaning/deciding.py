"""What all cleaning samplers share: labels to compare, and a decision that leaves no class empty."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ferbench import DataError, Removed, Sample, Split


def single_labels(train: Split, sampler: str) -> np.ndarray:
    """The class of each sample, int64 [n]; of soft or drawn labels the strongest, of equal ones the first.

    Raises DataError for labels that are not of one class each.
    """
    if train.label_kind == "hard":
        return np.asarray(train.targets, np.int64)
    if train.label_kind in ("soft", "drawn"):
        return np.asarray(np.asarray(train.targets).argmax(axis=1))
    raise DataError(f"{sampler} compares labels of one class each, and these are {train.label_kind}.")


def cleaned(
    sampler: str,
    train: Split,
    labels: np.ndarray | None,
    reasons: Mapping[str, np.ndarray],
    targets: np.ndarray | None = None,
    reason: str = "",
) -> Sample:
    """The training side without what ``reasons`` leave out (bool [n] each); of several reasons the first is told.

    ``labels``: int64 [n], the classes as they would be; None where samples are of none. Raises DataError that names
    every class that would have no sample left, or says that no sample would be.
    """
    left = np.zeros(len(train), dtype=bool)
    removed = []
    for why, marked in reasons.items():
        fresh = marked & ~left
        if fresh.any():
            removed.append(Removed(tuple(train.ids[fresh].tolist()), why))
        left |= marked
    lost = _lost(train, labels, left)
    if lost:
        told = "; ".join(f"{len(part.ids):,}: {part.reason}" for part in removed)
        raise DataError(
            f"{sampler} would leave no training sample{lost} ({told or reason}). Use another sampler or milder options "
            f"(`ferbench show {sampler}`), or a protocol without that class."
        )
    indices = np.flatnonzero(~left) if left.any() else None
    return Sample(indices=indices, targets=targets, removed=tuple(removed), reason=reason)


def _lost(train: Split, labels: np.ndarray | None, left: np.ndarray) -> str:
    """`` of fear`` where that class had samples and would have none; `` at all`` where all would; else empty."""
    if labels is None:
        return " at all" if left.all() else ""
    targets = np.asarray(train.targets)
    before = targets if targets.ndim == 1 else targets.argmax(axis=1)
    had, has = (np.bincount(values, minlength=len(train.classes)) for values in (before, labels[~left]))
    lost = [name for name, old, new in zip(train.classes, had, has, strict=True) if old and not new]
    return f" of {', '.join(lost)}" if lost else ""
