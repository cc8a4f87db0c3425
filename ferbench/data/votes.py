"""Votes of annotators: shares of them over a protocol's classes, and how well people themselves would score."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ferbench.data.stored import Loaded

VOTES = "votes"
"""The column of a data set's samples that holds the number of votes for each of its classes, [n, k]."""


def votes_of(loaded: Loaded, classes: Sequence[str], ids: np.ndarray) -> np.ndarray | None:
    """Shares of the votes that samples got (``ids`` str [n]), see :func:`vote_shares`; None where the set has none."""
    samples = loaded.samples
    if VOTES not in samples.columns:
        return None
    order = np.argsort(samples.ids)
    rows = order[np.searchsorted(samples.ids, ids, sorter=order)]
    return vote_shares(samples.columns[VOTES][rows], loaded.dataset.classes, classes)


def vote_shares(votes: np.ndarray, known: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Shares float32 [n, k] of ``votes`` (numbers [n, len(known)]) over ``classes``, which are some of ``known``.

    A row sums to one; it is NaN where none of the classes got a vote.
    """
    chosen = votes[:, [list(known).index(name) for name in classes]].astype(np.float64)
    total = chosen.sum(axis=1, keepdims=True)
    shares = np.divide(chosen, total, out=np.full(chosen.shape, np.nan), where=total > 0)
    return np.asarray(shares, np.float32)


def human_agreement(shares: np.ndarray, targets: np.ndarray) -> dict[str, float] | None:
    """How well people agree with hard targets (int64 [n]); None where no sample has votes.

    ``annotator``: the accuracy to be expected of one annotator drawn at random, the mean share of the votes that the
    target got (a sample's own annotators made its label, so this flatters them a little). ``majority``: that of the
    most frequent vote; equal ones are drawn from. ``shares`` as :func:`vote_shares` gives them.
    """
    voted = ~np.isnan(shares[:, 0])
    if not voted.any():
        return None
    shares, rows, truth = shares[voted].astype(np.float64), np.arange(int(voted.sum())), targets[voted]
    most = shares == shares.max(axis=1, keepdims=True)
    return {
        "annotator": float(shares[rows, truth].mean()),
        "majority": float((most / most.sum(axis=1, keepdims=True))[rows, truth].mean()),
    }
