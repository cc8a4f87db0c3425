"""Sizes and class counts of a protocol's sides."""

from __future__ import annotations

from typing import Any

import numpy as np

from ferbench.data.registry import Loaded
from ferbench.data.splits import count_folds, make_splits
from ferbench.nouns.dataset import ProtocolRule
from ferbench.nouns.split import Split


def class_counts(loaded: Loaded, rule: ProtocolRule) -> dict[str, Any]:
    """``{"train": {"n": …, "classes": {name: count}}, …, "folds": …}`` of the protocol's first fold, as plain data.

    Counts are shares summed up where labels are soft, and left out of a regression.
    """
    splits = make_splits(loaded, rule)
    sides = {"train": splits.train, "val": splits.val, "test": splits.test}
    return {**{name: _facts(split) for name, split in sides.items()}, "folds": count_folds(loaded, rule)}


def _facts(split: Split) -> dict[str, Any]:
    facts: dict[str, Any] = {"n": len(split)}
    if split.label_kind == "real":
        return facts
    targets = np.asarray(split.targets)
    counts = np.bincount(targets, minlength=len(split.classes)) if targets.ndim == 1 else targets.sum(axis=0)
    values = [int(value) if float(value).is_integer() else round(float(value), 3) for value in counts]
    return facts | {"classes": dict(zip(split.classes, values, strict=True))}
