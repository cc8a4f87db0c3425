"""The order of an epoch."""

from __future__ import annotations

import numpy as np

from ferbench.nouns.sampler import Sample


def epoch_batches(count: int, sample: Sample, batch_size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Divide the samples of an epoch into batches of indices, int64.

    By default they are shuffled and cut; a last batch of one sample is left out, since batch normalisation cannot
    work on it (unless it is the only one).
    """
    indices = np.arange(count) if sample.indices is None else np.asarray(sample.indices, dtype=np.int64)
    if sample.batches is not None:
        return sample.batches(indices, batch_size, rng)
    order = rng.permutation(indices)
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    return batches[:-1] if len(batches) > 1 and len(batches[-1]) == 1 else batches
