"""Metrics of probabilities.

``*_sums`` give the summands of each sample [n, d], ``*_of_sums`` turn sums [..., d] into values [...]. The last
summand of every metric counts the samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferbench.builtin.metrics_classes import hard_targets
from ferbench.nouns.metric import Scored

Floats = NDArray[np.float64]
_BINS = 15
_TINY = float(np.finfo(np.float64).eps)


def counted(summands: Floats) -> Floats:
    """Append the count of samples: [n, d] (or [n]) to [n, d + 1]."""
    summands = summands[:, None] if summands.ndim == 1 else summands
    return np.concatenate([summands, np.ones((len(summands), 1))], axis=1)


def mean_of_sums(sums: Floats) -> Floats:
    """Mean of one summand."""
    below = sums[..., 1]
    mean: Floats = np.divide(sums[..., 0], below, out=np.full(below.shape, np.nan), where=below > 0)
    return mean


def total(summands: Floats) -> Floats:
    """Sums over all samples, [d]."""
    return np.asarray(summands.sum(axis=0))


def _soft_targets(scored: Scored) -> Floats:
    if scored.targets.ndim == 2:
        return np.asarray(scored.targets, dtype=np.float64)
    one_hot: Floats = np.eye(len(scored.classes))[scored.targets]
    return one_hot


def top_2_sums(scored: Scored) -> Floats:
    """Whether the true class is among the two highest scores; of equal scores the first class counts as higher."""
    best = np.argsort(-scored.scores, axis=1, kind="stable")[:, :2]
    return counted((best == hard_targets(scored)[:, None]).any(axis=1).astype(np.float64))


def log_loss_sums(scored: Scored) -> Floats:
    """Cross-entropy of each sample in nats; probabilities are clipped to [eps, 1 − eps] of float64, as scikit-learn."""
    logs = np.log(np.clip(scored.scores, _TINY, 1 - _TINY))
    return counted(-(_soft_targets(scored) * logs).sum(axis=1))


def brier_sums(scored: Scored) -> Floats:
    """Squared distance of scores and one-hot (or soft) target, summed over the classes: 0 to 2 (Brier 1950)."""
    return counted(((scored.scores - _soft_targets(scored)) ** 2).sum(axis=1))


def kl_divergence_sums(scored: Scored) -> Floats:
    """KL(target ‖ scores) of each sample in nats; scores are clipped as for the log loss."""
    return counted(divergence(_soft_targets(scored), scored.scores))


def divergence(targets: Floats, scores: Floats) -> Floats:
    """KL(targets ‖ scores) of each row of probabilities, [n], in nats."""
    logs = np.log(np.clip(targets, _TINY, 1)) - np.log(np.clip(scores, _TINY, 1))
    return np.asarray((targets * logs).sum(axis=1))


def ece_sums(scored: Scored) -> Floats:
    """Correctness − confidence, in the column of the confidence's bin: [n, 16].

    Guo et al. 2017, section 2, with 15 bins of equal width; each is closed below, the last on both sides.
    """
    confidence = scored.scores.max(axis=1)
    correct = np.argmax(scored.scores, axis=1) == hard_targets(scored)
    edges = np.linspace(0, 1, _BINS + 1)[1:-1]
    gaps = np.zeros((len(confidence), _BINS))
    gaps[np.arange(len(confidence)), np.searchsorted(edges, confidence, side="right")] = correct - confidence
    return counted(gaps)


def ece_of_sums(sums: Floats) -> Floats:
    """Mean over the samples of the absolute gap of their bin."""
    return mean_of_sums(np.stack([np.abs(sums[..., :-1]).sum(-1), sums[..., -1]], axis=-1))


top_2_of_sums = log_loss_of_sums = brier_of_sums = kl_divergence_of_sums = mean_of_sums


def scored_top_2(scored: Scored) -> float:
    """Share of samples whose class is among the two most probable."""
    return float(mean_of_sums(total(top_2_sums(scored))))


def scored_log_loss(scored: Scored) -> float:
    """Mean cross-entropy in nats."""
    return float(mean_of_sums(total(log_loss_sums(scored))))


def scored_brier(scored: Scored) -> float:
    """Mean squared distance of scores and targets."""
    return float(mean_of_sums(total(brier_sums(scored))))


def scored_kl_divergence(scored: Scored) -> float:
    """Mean divergence from soft labels in nats."""
    return float(mean_of_sums(total(kl_divergence_sums(scored))))


def scored_ece(scored: Scored) -> float:
    """Expected calibration error."""
    return float(ece_of_sums(total(ece_sums(scored))))
