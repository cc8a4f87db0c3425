"""Identical pixels: within a side, across sides, and with labels that contradict each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ferbench.nouns.emotions import Side

ACROSS: tuple[tuple[Side, Side], ...] = (("val", "train"), ("test", "train"), ("test", "val"))


@dataclass(frozen=True)
class Audited:
    """The samples of one fold, m of them: those of train, then val, then test.

    ``rows``: int64 [m], their places in the data set. ``side``: int64 [m], 0, 1 or 2. ``labels``: int64 [m], class, or
    the most probable one; None for a regression, and where several classes hold at once. ``image``: int64 [m], equal
    for identical pixels, from 0 to ``images`` - 1 over the whole data set.
    """

    rows: np.ndarray
    side: np.ndarray
    labels: np.ndarray | None
    image: np.ndarray
    images: int
    classes: tuple[str, ...]

    def where(self, name: Side) -> np.ndarray:
        """Which samples stand on a side: bool [m]."""
        mask: np.ndarray = self.side == ("train", "val", "test").index(name)
        return mask


def copies_within(audited: Audited, chosen: np.ndarray) -> dict[str, Any]:
    """Count copies among ``chosen`` (bool [m]) alone.

    ``exact_duplicates``: samples minus distinct images. ``duplicate_groups``: images that occur more than once, and
    ``samples_in_groups`` all their samples. ``conflicting_groups``: those whose samples have several labels, in
    ``conflicting_samples`` samples, and ``conflicting_pairs`` pairs of samples whose labels differ; None without
    labels of one class.
    """
    _, image, sizes = np.unique(audited.image[chosen], return_inverse=True, return_counts=True)
    facts: dict[str, Any] = {
        "exact_duplicates": int(len(image) - len(sizes)),
        "duplicate_groups": int((sizes > 1).sum()),
        "samples_in_groups": int(sizes[sizes > 1].sum()),
    }
    if audited.labels is None:
        return facts | {"conflicting_groups": None, "conflicting_samples": None, "conflicting_pairs": None}
    votes = label_counts(image, audited.labels[chosen], len(sizes), len(audited.classes))
    conflicting = (votes > 0).sum(axis=1) > 1
    pairs = (sizes * (sizes - 1)) // 2 - (votes * (votes - 1) // 2).sum(axis=1)
    return facts | {
        "conflicting_groups": int(conflicting.sum()),
        "conflicting_samples": int(sizes[conflicting].sum()),
        "conflicting_pairs": int(pairs.sum()),
    }


def label_counts(image: np.ndarray, labels: np.ndarray, images: int, classes: int) -> np.ndarray:
    """How often each image has each label: int64 [images, classes]."""
    return np.bincount(image * classes + labels, minlength=images * classes).reshape(images, classes)


def copies_across(audited: Audited) -> dict[str, int]:
    """Count samples of one side whose pixels also stand on another.

    ``test_with_copy_in_train`` and its like; ``…_other_label``: those of them for which no copy there has their label.
    """
    facts = {}
    for mine, other in ACROSS:
        here, there = audited.where(mine), audited.where(other)
        copied = np.isin(audited.image[here], audited.image[there])
        name = f"{mine}_with_copy_in_{other}"
        facts[name] = int(copied.sum())
        if audited.labels is not None:
            keys = audited.image * len(audited.classes) + audited.labels
            facts[f"{name}_other_label"] = int((copied & ~np.isin(keys[here], keys[there])).sum())
    return facts


def summed(parts: list[Mapping[str, int]]) -> dict[str, int]:
    """Counts of several folds added up."""
    return {name: sum(part[name] for part in parts) for name in parts[0]}
