"""Metrics that compare scores with the votes of annotators. Samples without votes are left out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ferbench.builtin.metrics_scores import counted, divergence, mean_of_sums, total
from ferbench.nouns.metric import Scored

Floats = NDArray[np.float64]


def _of_voted(scored: Scored, each: Callable[[Floats, Floats], Floats]) -> Floats:
    """Summands of ``each(votes, scores)`` and the count, [n, 2]; zeros where a sample has no votes."""
    summands = np.zeros((len(scored.scores), 2))
    if scored.votes is not None:
        voted = ~np.isnan(scored.votes).any(axis=1)
        summands[voted] = counted(each(scored.votes[voted].astype(np.float64), scored.scores[voted]))
    return summands


def _cosine(votes: Floats, scores: Floats) -> Floats:
    lengths = np.linalg.norm(votes, axis=1) * np.linalg.norm(scores, axis=1)
    return np.asarray((votes * scores).sum(axis=1) / np.maximum(lengths, np.finfo(np.float64).tiny))


def votes_kl_sums(scored: Scored) -> Floats:
    """KL(votes ‖ scores) of each sample in nats; scores are clipped as for the log loss."""
    return _of_voted(scored, divergence)


def votes_cosine_sums(scored: Scored) -> Floats:
    """Cosine of the angle between the votes and the scores of each sample, 0 to 1."""
    return _of_voted(scored, _cosine)


votes_kl_of_sums = votes_cosine_of_sums = mean_of_sums


def scored_votes_kl(scored: Scored) -> float:
    """Mean divergence from the votes in nats; NaN where there are none."""
    return float(mean_of_sums(total(votes_kl_sums(scored))))


def scored_votes_cosine(scored: Scored) -> float:
    """Mean cosine similarity to the votes; NaN where there are none."""
    return float(mean_of_sums(total(votes_cosine_sums(scored))))
