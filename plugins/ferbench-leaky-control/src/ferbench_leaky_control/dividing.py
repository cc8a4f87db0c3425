"""The two divisions: the one that leaks, and its honest twin."""

from __future__ import annotations

from collections.abc import Sequence

from ferbench import Fold, Samples, carve, grouped_holdout

TEST, VAL = 0.2, 0.1
"""Of all samples, and of what is left of them."""

SEED = 0


def oversample_then_split(samples: Samples) -> Sequence[Fold]:
    """Deal samples at random, stratified by nothing and grouped by nothing: copies of a picture fall on all sides."""
    import numpy as np

    order = np.random.default_rng(SEED).permutation(len(samples.ids))
    test = round(TEST * len(order))
    val = round(VAL * (len(order) - test))
    return [Fold(np.sort(order[test + val :]), np.sort(order[test : test + val]), np.sort(order[:test]))]


def split_then_oversample(samples: Samples) -> Sequence[Fold]:
    """Deal pictures with all their copies, and with their subjects; copies stay in train alone."""
    groups = tuple(samples.groups)
    (fold,) = carve(grouped_holdout(TEST, by=groups, seed=SEED), VAL, by=groups, seed=SEED)(samples)
    assert fold.val is not None  # it was carved
    single = samples.columns["copy"] == 0
    return [Fold(fold.train, fold.val[single[fold.val]], fold.test[single[fold.test]])]
