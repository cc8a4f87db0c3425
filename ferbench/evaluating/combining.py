"""Ensembles of stored scores: how they are joined, and which members and weights val speaks for.

Scores are probabilities of m members, float64 [m, n, k]; ``truth`` is the class of each sample, int64 [n].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Rule = Literal["mean", "logit", "vote", "class-tree"]
Diversity = Literal["disagreement", "double-fault"]
SMALLEST = 1e-7
"""What probabilities are kept above before their logarithm is taken."""
EM_STEPS = 200


@dataclass(frozen=True)
class Joint:
    """What val decided: the ``members`` that are used, their ``weights`` [m], and the member of each class [k].

    ``experts`` are places among ``members``; they and the weights are empty where the rule has none.
    """

    members: tuple[int, ...]
    weights: tuple[float, ...] = ()
    experts: tuple[int, ...] = ()


def decide(
    rule: Rule, val: np.ndarray, truth: np.ndarray, choose: int, diversity: Diversity | None, weigh: bool
) -> Joint:
    """Choose ``choose`` members (0: all), then fit what the rule has to fit, all on val. Deterministic."""
    members = chosen(rule, val, truth, choose, diversity) if choose else tuple(range(len(val)))
    used = val[list(members)]
    weights = tuple(fitted_weights(used, truth).tolist()) if weigh else ()
    return Joint(members, weights, experts(used, truth) if rule == "class-tree" else ())


def joined(rule: Rule, scores: np.ndarray, joint: Joint) -> np.ndarray:
    """The ensemble's scores, float64 [n, k], of all members' [m, n, k]; those that are not used are left out."""
    used = scores[list(joint.members)]
    weights = np.array(joint.weights) if joint.weights else np.full(len(used), 1 / len(used))
    mean: np.ndarray = np.tensordot(weights, used, axes=1)
    if rule == "mean":
        return mean
    if rule == "logit":
        logits = np.log(np.clip(used, SMALLEST, 1)).mean(axis=0)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True))
    if rule == "vote":
        votes = (used.argmax(axis=2)[:, :, None] == np.arange(used.shape[2])).sum(axis=0)
        return np.asarray((votes + mean) / (len(used) + 1))  # less than a vote: the mean decides between equals alone
    best = np.stack([used[member, :, k] for k, member in enumerate(joint.experts)], axis=1)
    best = np.where(best.any(axis=1, keepdims=True), best, mean)  # where each expert denies its own class
    return np.asarray(best / best.sum(axis=1, keepdims=True))


def experts(val: np.ndarray, truth: np.ndarray) -> tuple[int, ...]:
    """The member with the best F1 of each class; of equals the more accurate one, then the first named."""
    guesses = val.argmax(axis=2)
    accuracy = (guesses == truth).mean(axis=1)
    result = []
    for k in range(val.shape[2]):
        hits = ((guesses == k) & (truth == k)).sum(axis=1)
        f1 = 2 * hits / np.maximum((guesses == k).sum(axis=1) + (truth == k).sum(), 1)
        result.append(max(range(len(val)), key=lambda i: (f1[i], accuracy[i], -i)))
    return tuple(result)


def fitted_weights(val: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Shares of the members [m] under which the mixture makes val most likely, by expectation maximisation.

    The likelihood of mixture weights has one maximum, so that equal shares are as good a start as any.
    """
    likelihood = np.clip(val[:, np.arange(len(truth)), truth], SMALLEST, 1)
    weights = np.full(len(val), 1 / len(val))
    for _ in range(EM_STEPS):
        shares = weights[:, None] * likelihood
        weights = (shares / shares.sum(axis=0)).mean(axis=1)
    return np.asarray(weights)


def chosen(rule: Rule, val: np.ndarray, truth: np.ndarray, count: int, diversity: Diversity | None) -> tuple[int, ...]:
    """Take members one by one: the best on val first, then that which helps most, or differs most from those taken.

    Greedy forward selection as in Caruana et al., ICML 2004, each member at most once.
    """
    taken: list[int] = []
    while len(taken) < count:
        left = [i for i in range(len(val)) if i not in taken]
        if taken and diversity:
            taken.append(max(left, key=lambda i: (_apart(val, truth, taken, i, diversity), -i)))
        else:
            taken.append(max(left, key=lambda i: (*_merit(rule, val[[*taken, i]], truth), -i)))
    return tuple(sorted(taken))


def _merit(rule: Rule, val: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Accuracy on val, and the log likelihood that decides between equals."""
    joint = Joint(tuple(range(len(val))), (), experts(val, truth) if rule == "class-tree" else ())
    scores = joined(rule, val, joint)
    likelihood = np.log(np.clip(scores[np.arange(len(truth)), truth], SMALLEST, 1)).mean()
    return float((scores.argmax(axis=1) == truth).mean()), float(likelihood)


def _apart(val: np.ndarray, truth: np.ndarray, taken: list[int], new: int, diversity: Diversity) -> float:
    """How much a member differs from those taken: share of samples on which they disagree, or are not both wrong."""
    guesses = val.argmax(axis=2)
    if diversity == "disagreement":
        return float((guesses[taken] != guesses[new]).mean())
    return float(1 - ((guesses[taken] != truth) & (guesses[new] != truth)).mean())
