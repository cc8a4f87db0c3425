"""How a copy differs from the counts that a data set was published with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

_SHOWN = 3

Counts = Mapping[str, Sequence[int]]
"""Samples of each class, by split."""


def count_faults(found: Mapping[str, int], wanted: Mapping[str, int], unit: str, place: str = "") -> list[str]:
    """Name what differs from the published counts; empty for a whole copy. ``place``: whose counts they are."""
    differing = [
        f"{name} {found.get(name, 0):,} of {count:,}" for name, count in wanted.items() if found.get(name, 0) != count
    ]
    if not differing:
        return []
    shown = ", ".join([*differing[:_SHOWN], *(["…"] if len(differing) > _SHOWN else [])])
    total, whole = sum(found.values()), sum(wanted.values())
    return [f"{f'{place} has ' if place else ''}{total:,} {unit} instead of {whole:,} ({shown})"]


def split_faults(found: Counts, wanted: Counts, names: Sequence[str]) -> list[str]:
    """The same for each split, whose samples are counted by class in the order of ``names``."""

    def by_name(counts: Sequence[int]) -> dict[str, int]:
        return dict(zip(names, counts, strict=True))

    nothing = [0] * len(names)
    return [
        fault
        for split, counts in wanted.items()
        for fault in count_faults(by_name(found.get(split, nothing)), by_name(counts), "samples", split)
    ]


def counted(origin: np.ndarray, targets: np.ndarray, classes: int) -> dict[str, list[int]]:
    """How many samples each split has of each class."""
    return {
        str(split): np.bincount(targets[origin == split], minlength=classes).tolist() for split in np.unique(origin)
    }
