"""Weights in the loss by the rarity of classes."""

from __future__ import annotations

import numpy as np

from ferbench import Sample, SampleContext, Split
from ferbench_sampling import ClassWeightsOptions
from ferbench_sampling.classes import class_counts


def class_weights(train: Split, context: SampleContext) -> Sample:
    """Weigh each sample by its class; the mean weight is 1, so that a learning rate keeps its meaning.

    It is the inverse of the class's size: n samples, or their effective number (1 - βⁿ) / (1 - β) (Cui et al. 2019,
    proposition 1).
    """
    assert isinstance(context.options, ClassWeightsOptions)
    counts = class_counts(train, context, "class-weights").astype(np.float64)
    beta = context.options.beta
    effective = context.options.scheme == "effective-number"
    sizes = (1 - beta**counts) / (1 - beta) if effective else counts
    weights = 1 / sizes[train.targets]
    return Sample(weights=(weights / weights.mean()).astype(np.float32))
