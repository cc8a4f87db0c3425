"""Which emotions a picture's votes stand for: the published rules, for all pictures at once.

Barsoum et al. 2016, section 3, as their code has it (microsoft/FERPlus, ``src/ferplus.py``). ``counts`` are votes
[n, 10]: the eight emotions, then unknown and not a face. Every rule first drops votes that stand alone (one for an
emotion), then returns shares of the emotions float32 [n, 8] that sum to one, all zero for pictures that it drops.
"""

from __future__ import annotations

import numpy as np

EMOTIONS = 8
MOST = 3
"""Emotions that a distribution may hold; a picture with more of them, by a tie, is dropped."""


def majority(counts: np.ndarray) -> np.ndarray:
    """One for the emotion that has more than half of the votes."""
    votes = _supported(counts)
    most = votes.max(axis=1)
    chosen = np.zeros_like(votes)
    np.put_along_axis(chosen, votes.argmax(axis=1)[:, None], most[:, None], axis=1)
    return _shares(chosen, most > 0.5 * votes.sum(axis=1))


def accepted(counts: np.ndarray) -> np.ndarray:
    """Equal shares of all emotions with 30 % of the votes or more, where these hold more than half of them together.

    Unknown and not a face count like emotions, and lose their share at the end.
    """
    votes = _supported(counts)
    total = votes.sum(axis=1)
    held = np.where(votes >= 0.3 * total[:, None], votes, 0.0)
    return _shares(np.sign(_shares(held, held.sum(axis=1) > 0.5 * total)), np.ones(len(votes), dtype=bool))


def distribution(counts: np.ndarray) -> np.ndarray:
    """Shares of the emotions, taken from the most votes down until they hold 75 % of all, three at most.

    Emotions with equally many votes are taken together. It ends before unknown and not a face; a picture where these
    come first is dropped, and so is one whose emotions hold half of the votes or less, or that needs more than three.
    """
    votes = _supported(counts)
    total = votes.sum(axis=1)
    left, taken = votes.copy(), np.zeros_like(votes)
    held, number = np.zeros(len(votes)), np.zeros(len(votes), dtype=np.int64)
    going = np.ones(len(votes), dtype=bool)
    for _ in range(MOST):
        going &= (held < 0.75 * total) & (number < MOST)
        top = left.max(axis=1)
        first = (left == top[:, None]) & going[:, None]
        emotions, rejected = first[:, :EMOTIONS], first[:, EMOTIONS:].any(axis=1)
        taken[:, :EMOTIONS] += emotions * top[:, None]
        left[:, :EMOTIONS][emotions] = 0
        number += emotions.sum(axis=1)
        held += top * emotions.sum(axis=1)
        taken[:, EMOTIONS] += np.where(rejected & (taken[:, :EMOTIONS].sum(axis=1) == 0), top, 0)
        going &= ~rejected
    return _shares(taken, (taken.sum(axis=1) > 0.5 * total) & (number <= MOST))


def most_votes(counts: np.ndarray) -> np.ndarray:
    """One for the emotion with the most votes, the first of several; lone votes count too.

    Not the paper's rule, but that of papers which test on 3,546 pictures.
    """
    votes = counts.astype(np.float64)
    chosen = np.eye(votes.shape[1])[votes.argmax(axis=1)]
    return _shares(chosen, votes.max(axis=1) > 0)


def kept(shares: np.ndarray) -> np.ndarray:
    """Which pictures a rule kept: bool [n]."""
    return np.asarray(shares.any(axis=1))


def _supported(counts: np.ndarray) -> np.ndarray:
    """Votes without those that stand alone, float64 [n, 10]."""
    return np.where(counts > 1, counts, 0).astype(np.float64)


def _shares(taken: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Shares of the emotions in what a rule took; zero where it is not valid, or unknown or not a face leads."""
    led = valid & (taken.argmax(axis=1) < EMOTIONS)
    emotions = taken[:, :EMOTIONS] * led[:, None]
    shares: np.ndarray = (emotions / np.maximum(emotions.sum(axis=1, keepdims=True), 1)).astype(np.float32)
    return shares
