"""Samplers that go further than those of the contract plugin: a rule for batches, and features of a required cell."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ferbench import Removed, Sample, SampleContext, Sampler, Split, hookimpl


def one_of_each(train: Split, context: SampleContext) -> Sample:
    """One batch an epoch: the first sample of each class."""

    def batches(indices: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
        return [indices[np.unique(train.targets[indices], return_index=True)[1]]]

    return Sample(batches=batches)


def by_features(train: Split, context: SampleContext) -> Sample:
    """Leave out the sample with the largest features."""
    features = context.required["judge"].features()
    last = int(features.sum(axis=1).argmax())
    reason = f"features of {len(features)} samples, {features.shape[1]} numbers each"
    return Sample(indices=np.delete(np.arange(len(train)), last), removed=(Removed((str(train.ids[last]),), reason),))


@hookimpl
def ferbench_samplers() -> Iterator[Sampler]:
    yield Sampler("one-of-each", one_of_each)
    yield Sampler("by-features", by_features, requires={"judge": "tiny"})
