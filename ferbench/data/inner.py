"""Inner folds of a training side: one part is held out, so that its samples get scores of a model without them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ferbench.data.folds import carve_by
from ferbench.data.grouping import folds_of
from ferbench.data.in_memory import ArraySplit
from ferbench.data.streaming import StreamSplit
from ferbench.errors import DataError
from ferbench.nouns.dataset import ProtocolRule, Samples
from ferbench.nouns.split import Splits


def held_out(splits: Splits, rule: ProtocolRule, inner: Sequence[Sequence[int]]) -> Splits:
    """Train without one part, val as it is, and that part as test: the outer test side is never scored.

    ``inner``: (folds, fold) of each division, the outer one first. Groups and identical pixels stay together, as where
    val is carved. Raises DataError when there are fewer groups than folds, or a class is left without samples.
    """
    for folds, fold in inner:
        train = splits.train
        assert isinstance(train, ArraySplit | StreamSplit)  # what make_splits makes
        samples = Samples(train.ids, train.targets, None, train.groups, {}, train.hashes)
        part = folds_of(samples, np.arange(len(train)), folds, carve_by(train.groups, rule), rule.seed)
        kept = train.take(np.flatnonzero(part != fold))
        _check_classes(np.asarray(kept.targets), train.classes, f"inner fold {fold + 1} of {folds}")
        splits = Splits(kept, splits.val, train.take(np.flatnonzero(part == fold)), splits.notes)
    return splits


def _check_classes(targets: np.ndarray, classes: tuple[str, ...], where: str) -> None:
    if targets.ndim > 1:
        return
    lost = [
        name for name, count in zip(classes, np.bincount(targets, minlength=len(classes)), strict=True) if not count
    ]
    if lost:
        raise DataError(f"Without {where} of train no sample of {', '.join(lost)} is left; ask for other folds.")
