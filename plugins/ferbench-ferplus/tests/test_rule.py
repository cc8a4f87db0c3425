"""The published rules: worked by hand, and the same for all pictures at once as for each alone."""

from __future__ import annotations

import numpy as np
import pytest
from ferbench_ferplus import rule

# Votes in the order neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, not a face.
BY_HAND: dict[str, tuple[list[int], dict[str, dict[int, float] | None]]] = {
    "all agree": (
        [0, 10, 0, 0, 0, 0, 0, 0, 0, 0],
        {"majority": {1: 1}, "accepted": {1: 1}, "distribution": {1: 1}},
    ),
    "lone votes drop out, and six of eight are a majority": (
        [6, 1, 0, 2, 1, 0, 0, 0, 0, 0],
        # 6 of the 8 that are left are 75 %: sadness is not needed.
        {"majority": {0: 1}, "accepted": {0: 1}, "distribution": {0: 1}},
    ),
    "without its lone votes five become a majority": (
        [5, 0, 0, 4, 0, 1, 0, 0, 0, 0],
        {"majority": {0: 1}, "accepted": {0: 1 / 2, 3: 1 / 2}, "distribution": {0: 5 / 9, 3: 4 / 9}},
    ),
    "exactly a half is no majority": (
        [5, 0, 0, 3, 2, 0, 0, 0, 0, 0],
        {"majority": None, "accepted": {0: 1 / 2, 3: 1 / 2}, "distribution": {0: 5 / 8, 3: 3 / 8}},
    ),
    "two emotions tie": (
        [0, 5, 5, 0, 0, 0, 0, 0, 0, 0],
        {"majority": None, "accepted": {1: 1 / 2, 2: 1 / 2}, "distribution": {1: 1 / 2, 2: 1 / 2}},
    ),
    "three emotions are enough": (
        [4, 0, 0, 3, 0, 0, 3, 0, 0, 0],
        {
            "majority": None,
            "accepted": {0: 1 / 3, 3: 1 / 3, 6: 1 / 3},
            "distribution": {0: 0.4, 3: 0.3, 6: 0.3},
        },
    ),
    "a tie that makes four emotions is too many": (
        [4, 2, 2, 2, 0, 0, 0, 0, 0, 0],
        # Only the four votes for neutral reach 30 %, and four of ten are less than half.
        {"majority": None, "accepted": None, "distribution": None},
    ),
    "five emotions in a tie are too many": (
        [2, 2, 2, 2, 2, 0, 0, 0, 0, 0],
        {"majority": None, "accepted": None, "distribution": None},
    ),
    "unknown in second place ends it, and seven of ten are enough": (
        [7, 0, 0, 0, 0, 0, 0, 0, 3, 0],
        # Unknown has 30 % and is accepted beside neutral, then loses its share.
        {"majority": {0: 1}, "accepted": {0: 1}, "distribution": {0: 1}},
    ),
    "unknown in second place, and a half is not enough": (
        [5, 0, 0, 2, 0, 0, 0, 0, 3, 0],
        {"majority": None, "accepted": {0: 1}, "distribution": None},
    ),
    "unknown comes first": (
        [3, 0, 0, 0, 0, 0, 0, 0, 7, 0],
        {"majority": None, "accepted": None, "distribution": None},
    ),
    "an emotion ties with unknown": (
        [5, 0, 0, 0, 0, 0, 0, 0, 5, 0],
        {"majority": None, "accepted": {0: 1}, "distribution": None},
    ),
    "not a face": (
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 10],
        {"majority": None, "accepted": None, "distribution": None},
    ),
    "every vote stands alone": (
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        {"majority": None, "accepted": None, "distribution": None},
    ),
}


@pytest.mark.parametrize("case", list(BY_HAND))
@pytest.mark.parametrize("name", ["majority", "accepted", "distribution"])
def test_a_rule_gives_what_it_gives_by_hand(name: str, case: str) -> None:
    counts, outcomes = BY_HAND[case]
    outcome = outcomes[name] or {}
    expected = [outcome.get(emotion, 0) for emotion in range(8)]
    np.testing.assert_allclose(getattr(rule, name)(np.array([counts]))[0], expected, atol=1e-7)


def test_most_votes_takes_lone_votes_and_the_first_of_a_tie() -> None:
    counts = [[1, 0, 3, 3, 1, 1, 1, 0, 0, 0], [2, 1, 1, 0, 0, 0, 0, 0, 6, 0], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]]
    assert rule.most_votes(np.array(counts)).argmax(axis=1).tolist() == [2, 0, 0]
    assert rule.most_votes(np.array(counts)).sum(axis=1).tolist() == [1, 0, 1]


def shares_of_one(counts: list[int]) -> list[float]:
    """The distribution of a single picture, level by level of its numbers of votes."""
    kept = [count if count > 1 else 0 for count in counts]
    taken: dict[int, int] = {}
    for level in sorted({count for count in kept if count}, reverse=True):
        if len(taken) >= 3 or sum(taken.values()) >= 0.75 * sum(kept):
            break
        taken |= {emotion: level for emotion in range(8) if kept[emotion] == level}
        if level in kept[8:]:
            break
    led_by_reject = max(kept[8:]) > max(kept[:8])
    if led_by_reject or len(taken) > 3 or 2 * sum(taken.values()) <= sum(kept):
        return [0.0] * 8
    return [taken.get(emotion, 0) / sum(taken.values()) for emotion in range(8)]


def test_all_pictures_at_once_give_what_each_gives_alone() -> None:
    rng = np.random.default_rng(0)
    concentrations = rng.choice([0.1, 0.3, 1.0], 3000)
    counts = np.array([rng.multinomial(10, rng.dirichlet([c] * 10)) for c in concentrations])
    expected = np.array([shares_of_one(row) for row in counts.tolist()])
    np.testing.assert_allclose(rule.distribution(counts), expected, atol=1e-7)
    assert 0.2 < (expected.sum(axis=1) > 0).mean() < 0.8


def test_every_rule_gives_shares_or_nothing() -> None:
    rng = np.random.default_rng(1)
    counts = np.array([rng.multinomial(10, rng.dirichlet([0.4] * 10)) for _ in range(500)])
    for name in ("majority", "accepted", "distribution", "most_votes"):
        shares = getattr(rule, name)(counts)
        assert shares.dtype == np.float32 and shares.shape == (500, 8)
        total = shares.sum(axis=1)
        assert np.all(np.isclose(total, 1) | (total == 0))
        assert 0 < (total > 0).mean() < 1
