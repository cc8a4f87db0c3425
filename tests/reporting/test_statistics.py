"""Intervals cover, comparisons are paired, and corrections are those of the books."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from ferbench.builtin.metrics import metrics
from ferbench.nouns.metric import Metric, Scored
from ferbench.reporting.statistics import (
    Estimate,
    Replicates,
    Resampling,
    difference_p,
    estimate,
    holm,
    interval,
    rank,
)

BY_NAME = {metric.name: metric for metric in metrics()}
ACCURACY = BY_NAME["accuracy"]
CLASSES = ("anger", "happiness", "neutral")


def scored(right: np.ndarray, seed: int = 0) -> Scored:
    targets = np.arange(len(right)) % 3
    chosen = np.where(right, targets, (targets + 1) % 3)
    noise = np.random.default_rng(seed).random((len(right), 3))
    scores = np.eye(3)[chosen] * 2 + noise
    return Scored(targets, scores / scores.sum(axis=1, keepdims=True), CLASSES)


def simulated(rng: np.random.Generator, n: int, seeds: int, spread: float, level: float = 0.7) -> list[Scored]:
    """Trainings that share easy and hard samples; each has a quality of its own."""
    ease = rng.normal(size=n)
    chances = [1 / (1 + np.exp(-(level + ease + rng.normal(0, spread)))) for _ in range(seeds)]
    return [scored(rng.random(n) < chance) for chance in chances]


def of(seeds: list[Scored], metric: Metric = ACCURACY, key: str = "row", units: np.ndarray | None = None) -> Estimate:
    resampling = Resampling(np.arange(len(seeds[0].targets)) if units is None else units, "samples", 500)
    return estimate(metric, Replicates(seeds, resampling), key)


@pytest.mark.parametrize(("seeds", "spread"), [(1, 0.0), (3, 0.05)])
def test_the_interval_covers_the_truth_in_about_95_of_100_experiments(seeds: int, spread: float) -> None:
    rng = np.random.default_rng(1)
    ease = rng.normal(size=500_000) + rng.normal(0, spread, 500_000)
    truth = float((1 / (1 + np.exp(-(0.7 + ease)))).mean())
    found = [of(simulated(rng, 400, seeds, spread), key=str(trial)) for trial in range(200)]
    covered = np.mean([value.low <= truth <= value.high for value in found])
    assert 0.91 <= covered <= 0.99


def test_rows_of_equal_quality_are_seldom_called_different() -> None:
    rng = np.random.default_rng(2)
    wrong = 0
    for trial in range(200):
        both = simulated(rng, 300, 6, 0.05)
        wrong += difference_p(of(both[:3], key=f"a{trial}"), of(both[3:], key=f"b{trial}")) < 0.05
    assert wrong <= 20


def test_the_interval_of_one_seed_is_that_of_the_binomial() -> None:
    found = of([scored(np.arange(1000) < 700)])
    half = 1.96 * math.sqrt(0.7 * 0.3 / 1000)
    assert found.mean == 0.7
    assert found.low == pytest.approx(0.7 - half, abs=0.006)
    assert found.high == pytest.approx(0.7 + half, abs=0.006)
    assert math.isnan(found.std)


def test_seeds_that_differ_widen_the_interval() -> None:
    right = np.arange(600) % 10
    equal = of([scored(right < 6), scored(right < 6), scored(right < 6)])
    apart = of([scored(right < 4), scored(right < 6), scored(right < 8)])
    assert apart.mean == pytest.approx(equal.mean)
    assert apart.high - apart.low > 2 * (equal.high - equal.low)
    assert apart.std == pytest.approx(0.2)


def test_groups_that_stand_or_fall_together_widen_the_interval() -> None:
    subjects = np.arange(600) // 60
    right = subjects < 6
    alone = of([scored(right)])
    grouped = of([scored(right)], units=subjects)
    assert grouped.high - grouped.low > 3 * (alone.high - alone.low)
    assert grouped.units == 10


def test_the_same_rows_give_the_same_numbers_every_time() -> None:
    seeds = simulated(np.random.default_rng(3), 200, 3, 0.2)
    first, second = of(seeds), of(seeds)
    assert (first.low, first.high) == (second.low, second.high)


@pytest.mark.parametrize("name", [m.name for m in metrics() if m.kind == "scalar" and "single-label" in m.tasks])
def test_fast_and_slow_replicates_of_a_metric_agree(name: str) -> None:
    metric = BY_NAME[name]
    slow = Metric(name, metric.compute)
    seeds = simulated(np.random.default_rng(4), 120, 2, 0.3)
    resampling = Resampling(np.arange(120), "samples", 20)
    row = Replicates(seeds, resampling)
    np.testing.assert_allclose(row.of(metric), row.of(slow), atol=1e-5)


def test_fast_and_slow_replicates_agree_for_groups_of_unequal_size() -> None:
    groups = np.repeat(["ann", "bob", "cyd", "dan"], [10, 20, 30, 60])
    resampling = Resampling(groups[np.random.default_rng(5).permutation(120)], "samples", 20)
    row = Replicates(simulated(np.random.default_rng(5), 120, 2, 0.3), resampling)
    np.testing.assert_allclose(row.of(ACCURACY), row.of(Metric("accuracy", ACCURACY.compute)), atol=1e-6)


def test_replicates_in_chunks_and_at_once_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    summands = np.random.default_rng(6).random((50, 2))
    at_once = Resampling(np.arange(50), "key", 40)
    assert at_once.sums(summands).shape == (40, 2)
    monkeypatch.setattr("ferbench.reporting.statistics._CHUNK", 300)
    monkeypatch.setattr("ferbench.reporting.statistics._KEPT", 0)
    chunked = Resampling(np.arange(50), "key", 40)
    np.testing.assert_allclose(chunked.sums(summands), at_once.sums(summands))
    np.testing.assert_allclose(chunked.sums(summands), at_once.sums(summands))


def test_identical_rows_do_not_differ_and_share_a_rank() -> None:
    seeds = simulated(np.random.default_rng(7), 200, 3, 0.3)
    first, second = of(seeds, key="a"), of(seeds, key="b")
    assert difference_p(first, second) == 1
    assert rank([first, second], True).ranks == (1, 1)


def test_p_does_not_depend_on_the_order_of_the_rows() -> None:
    rng = np.random.default_rng(8)
    first, second = of(simulated(rng, 200, 3, 0.1), key="a"), of(simulated(rng, 200, 3, 0.1), key="b")
    assert difference_p(first, second) == difference_p(second, first) < 1


def test_rows_are_compared_on_the_samples_that_they_share() -> None:
    # right on the same samples but for twenty: a difference that two separate intervals would not show
    right = np.arange(1000) < 600
    better = right.copy()
    better[600:620] = True
    first, second = of([scored(right)]), of([scored(better)])
    assert second.low < first.high
    assert difference_p(first, second) < 0.001


def test_a_clearly_better_row_gets_rank_one_and_the_others_count_their_betters() -> None:
    places = np.arange(900) % 100
    rows = [of([scored(places < share)], key=str(share)) for share in (50, 90, 50, 10)]
    ranking = rank(rows, True)
    assert ranking.ranks == (2, 1, 2, 4)
    assert ranking.better[1] == (True, False, True, True)


def test_a_lower_loss_ranks_higher() -> None:
    places = np.arange(600) % 10
    rows = [of([scored(places < share)], BY_NAME["log-loss"], str(share)) for share in (3, 9)]
    assert rank(rows, higher_is_better=False).ranks == (2, 1)


def test_rows_that_differ_on_every_sample_get_the_sign_tests_p() -> None:
    always, never = of([scored(np.ones(8, bool))]), of([scored(np.zeros(8, bool))])
    assert difference_p(always, never) == pytest.approx(binomtest(8, 8).pvalue)
    one, none = of([scored(np.ones(1, bool))]), of([scored(np.zeros(1, bool))])
    assert difference_p(one, none) == 1


def test_holm_gives_the_textbooks_values() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []


def test_a_score_that_is_undefined_has_no_interval() -> None:
    targets = np.random.default_rng(0).normal(5, 1, (997, 1)).astype(np.float32)
    for constant in (0.3, 1 / 3, 4.9):
        scores = np.full((997, 1), np.float32(constant)).astype(np.float64)
        found = of([Scored(targets, scores, ("valence",))], BY_NAME["pearson"])
        assert all(math.isnan(number) for number in (found.mean, found.low, found.high))


def test_replicates_on_which_a_metric_is_undefined_are_left_out() -> None:
    assert interval(np.array([0.5, np.nan, 0.5])) == (0.5, 0.5)
    assert all(math.isnan(end) for end in interval(np.array([np.nan])))
