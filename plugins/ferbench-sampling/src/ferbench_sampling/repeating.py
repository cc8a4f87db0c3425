"""Which samples an epoch sees, and in which batches: nothing is made, so data that stream from files do as well."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ferbench import Removed, Sample, SampleContext, Split
from ferbench_sampling.classes import class_counts, drawn_seed


def random_oversampling(train: Split, context: SampleContext) -> Sample:
    """Every sample, and random ones of the smaller classes again until all classes are as large."""
    class_counts(train, context, "random-oversampling")
    return Sample(indices=oversampled(train.targets, context.rng))


def oversampled(targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Indices int64 [m]: all n samples in their order, then those that are repeated."""
    from imblearn.over_sampling import RandomOverSampler

    sampler = RandomOverSampler(random_state=drawn_seed(rng))
    sampler.fit_resample(np.arange(len(targets))[:, None], targets)
    return np.asarray(sampler.sample_indices_, np.int64)


def undersampling(train: Split, context: SampleContext) -> Sample:
    """Random samples of each class, as many as the smallest has; the others are named as left out."""
    from imblearn.under_sampling import RandomUnderSampler

    counts = class_counts(train, context, "undersampling")
    sampler = RandomUnderSampler(random_state=drawn_seed(context.rng))
    sampler.fit_resample(np.arange(len(train))[:, None], train.targets)
    kept = np.sort(np.asarray(sampler.sample_indices_, np.int64))
    left_out = np.setdiff1d(np.arange(len(train)), kept)
    reason = f"its class was cut to the size of the smallest, {context.classes[counts.argmin()]} ({counts.min():,})"
    removed = (Removed(tuple(train.ids[left_out].tolist()), reason),) if len(left_out) else ()
    return Sample(indices=kept, removed=removed)


def balanced_batches(train: Split, context: SampleContext) -> Sample:
    """Batches with as many samples of each class, give or take one."""
    class_counts(train, context, "balanced-batches")
    return Sample(batches=balanced(train.targets))


def balanced(targets: np.ndarray) -> Callable[[np.ndarray, int, np.random.Generator], list[np.ndarray]]:
    """A rule for batches: each class is dealt from its shuffled samples, which are shuffled anew when all were dealt.

    An epoch has as many full batches as come nearest to the number of its samples; a small class is seen several times
    in it, of a large one a part.
    """

    def batches(indices: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
        labels = targets[indices]
        pools = [indices[labels == label] for label in np.unique(labels)]
        size = min(size, len(indices))
        shares = _shares(len(pools), max(1, round(len(indices) / size)), size, rng)
        dealt = [_dealt(pool, int(share.sum()), rng) for pool, share in zip(pools, shares.T, strict=True)]
        ends = shares.cumsum(axis=0)
        return [
            rng.permutation(np.concatenate([d[e - s : e] for d, e, s in zip(dealt, end, share, strict=True)]))
            for end, share in zip(ends, shares, strict=True)
        ]

    return batches


def _shares(classes: int, batches: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Samples of each class in each batch, int64 [batches, classes]: which class has one more is drawn anew."""
    shares = np.full((batches, classes), size // classes)
    more = rng.permuted(np.tile(np.arange(classes) < size % classes, (batches, 1)), axis=1)
    return np.asarray(shares + more)


def _dealt(pool: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """So many samples of a class; each comes once before any comes again."""
    rounds = -(-count // len(pool))
    return np.concatenate([rng.permutation(pool) for _ in range(rounds)] or [pool])[:count]
