"""The order of an epoch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ferbench.errors import TrainingError
from ferbench.nouns.sampler import Sample

Rule = Callable[[np.ndarray, int, np.random.Generator], list[np.ndarray]]
"""How the indices of an epoch (int64 [m]) are divided into batches of a size."""


def epoch_batches(count: int, sample: Sample, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Divide the samples of an epoch into batches of indices, int64.

    By default they are shuffled and cut; a last batch of one sample is left out, since batch normalisation cannot
    work on it (unless it is the only one). Raises TrainingError where a sampler's rule gives no batches.
    """
    indices = np.arange(count) if sample.indices is None else np.asarray(sample.indices, dtype=np.int64)
    if sample.batches is None:
        return _cut(indices, batch_size, rng)
    batches = sample.batches(indices, batch_size, rng)
    if not batches:
        raise TrainingError("The sampler divided an epoch into no batches; its batch rule must return at least one.")
    return batches


def for_train_alone(rule: Rule, count: int) -> Rule:
    """A sampler's rule where val is trained on as well: the sampler has never seen the samples from ``count`` on.

    These are shuffled and cut; the batches of both come in random order.
    """

    def batches(indices: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
        own = indices < count
        made = [*rule(indices[own], batch_size, rng), *_cut(indices[~own], batch_size, rng)]
        return [made[place] for place in rng.permutation(len(made))]

    return batches


def _cut(indices: np.ndarray, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    order = rng.permutation(indices)
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return batches[:-1] if len(batches) > 1 and len(batches[-1]) == 1 else batches
