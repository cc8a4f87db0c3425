"""Labels of a training step: the class that counts, and labels that are drawn anew for every epoch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ferbench.nouns.split import Batch


def drawn_labels(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw a class for each sample, int64 [n], from ``probabilities`` (float32 [n, k], rows that sum to one)."""
    bounds = np.cumsum(probabilities, axis=1, dtype=np.float64)
    return np.asarray((bounds > rng.random((len(bounds), 1)) * bounds[:, -1:]).argmax(axis=1))


def relabelled(batch: Batch, labels: np.ndarray | None, indices: np.ndarray) -> Batch:
    """The batch of the samples at ``indices`` with their ``labels`` of this epoch (int64 [n]; None: as it is)."""
    if labels is None:
        return batch
    return replace(batch, target=torch.from_numpy(labels[indices]).to(batch.target.device, non_blocking=True))


def main_class(target: torch.Tensor) -> torch.Tensor:
    """The class of each sample, int64 [n]: the most probable one (of equal ones the first) where it has several."""
    return target if target.ndim == 1 else target.argmax(dim=1)
