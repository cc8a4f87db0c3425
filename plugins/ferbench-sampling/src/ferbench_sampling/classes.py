"""What all samplers of this package need: how many samples each class has, and a seed for imbalanced-learn."""

from __future__ import annotations

import numpy as np

from ferbench import DataError, SampleContext, Split


def class_counts(train: Split, context: SampleContext, sampler: str) -> np.ndarray:
    """Training samples of each class, int64 [k].

    Raises DataError, in the name of ``sampler``, for labels that are not hard, for one class alone, and for a class
    without samples.
    """
    if train.label_kind != "hard":
        raise DataError(
            f"{sampler} balances classes, so each training sample must have one label; here the labels are "
            f"{train.label_kind}. Use a protocol with hard labels (`ferbench show` lists those of a data set), or the "
            "sampler plain."
        )
    counts = np.bincount(train.targets, minlength=len(context.classes))
    present = np.flatnonzero(counts)
    if len(present) == 1:
        raise DataError(
            f"{sampler} balances classes, but all {len(train):,} training samples are {context.classes[present[0]]}. "
            "Check how the data set is divided, or use the sampler plain."
        )
    empty = [name for name, count in zip(context.classes, counts, strict=True) if not count]
    if empty:
        raise DataError(
            f"{sampler} balances classes, but no training sample is {' or '.join(empty)}. Use a protocol without "
            f"{'that class' if len(empty) == 1 else 'those classes'}, more training samples (--limit), or the sampler "
            "plain."
        )
    return np.asarray(counts)


def drawn_seed(rng: np.random.Generator) -> int:
    """A seed for imbalanced-learn, which takes numbers below 2³²."""
    return int(rng.integers(2**32))
