"""Intervals and comparisons that respect both sources of chance: the seed of a training, and the samples of the test.

Seeds and samples are crossed: all seeds of all rows are tested on the same samples. A replicate therefore draws samples
(or whole groups) with replacement once, for every row alike, and seeds with replacement for each row on its own (Owen,
"The pigeonhole bootstrap", Annals of Applied Statistics 2007). What two rows have in common so drops out of the
difference of their replicates. Two corrections: the seeds' deviations are those on the whole test set, not on the drawn
samples (their noise would count twice), and they are widened by the root of S / (S − 1), by which the spread of a
redrawn mean of few seeds is too small (Davison and Hinkley, "Bootstrap Methods and their Application", 1997, 3.8).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ferbench.nouns.metric import Metric, Scored

Floats = NDArray[np.float64]

DRAWS = 2000
SLOW_DRAWS = 300
"""Replicates of a metric that has to be computed anew for each."""
LEVEL = 0.95
ALPHA = 0.05
_CHUNK = 8_000_000
"""Counts that are drawn at a time: 64 MB while they are."""
_KEPT = 32_000_000
"""Counts that are kept for the next row: 128 MB; more are drawn anew."""


def generator(key: str) -> np.random.Generator:
    """A random generator that depends on ``key`` alone."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big"))


class Resampling:
    """How often each unit (sample or group) occurs in each of ``draws`` replicates of a test set.

    ``units``: the unit of each sample, any values [n]. The same ``key`` gives the same replicates.
    """

    def __init__(self, units: NDArray[np.generic], key: str, draws: int = DRAWS) -> None:
        names, self.unit_of = np.unique(units, return_inverse=True)
        self.count, self.key, self.draws = len(names), key, draws
        self._grouped = self.count < len(self.unit_of)
        self._kept: list[NDArray[np.float32]] | None = None

    def weights(self) -> Iterator[NDArray[np.float32]]:
        """Multinomial counts in chunks of replicates, each [c, units]."""
        if self._kept is not None:
            yield from self._kept
            return
        kept = []
        rng = generator(self.key)
        step = max(1, _CHUNK // max(self.count, 1))
        for start in range(0, self.draws, step):
            rows = min(step, self.draws - start)
            drawn = rng.integers(0, self.count, size=(rows, self.count), dtype=np.int64)
            drawn += np.arange(rows)[:, None] * self.count
            counts = np.bincount(drawn.ravel(), minlength=rows * self.count)
            kept.append(counts.reshape(rows, self.count).astype(np.float32))
            yield kept[-1]
            if self.draws * self.count > _KEPT:
                kept.clear()
        self._kept = kept or None

    def sums(self, summands: Floats) -> Floats:
        """Sums of each sample's ``summands`` [n, d] over every replicate, [draws, d]."""
        if self._grouped:
            by_unit = np.zeros((self.count, summands.shape[1]))
            np.add.at(by_unit, self.unit_of, summands)
            summands = by_unit
        else:
            summands = summands[np.argsort(self.unit_of)]
        single = summands.astype(np.float32)
        return np.concatenate([weights @ single for weights in self.weights()]).astype(np.float64)

    def indices(self, draws: int) -> Iterator[NDArray[np.intp]]:
        """Indices of the samples in each of the first ``draws`` replicates."""
        left = min(draws, self.draws)
        samples = np.arange(len(self.unit_of))
        for chunk in self.weights():
            for weights in chunk[:left]:
                yield np.repeat(samples, weights[self.unit_of].astype(np.int64))
            left -= len(chunk)
            if left <= 0:
                return


@dataclass(frozen=True)
class Replicates:
    """Metrics of a row's seeds on every replicate of the test set. ``seeds``: predictions of each, samples aligned."""

    seeds: Sequence[Scored]
    resampling: Resampling

    @cached_property
    def confusions(self) -> Floats:
        """Confusion matrices, [draws, seeds, k, k]."""
        k = len(self.seeds[0].classes)
        sums = self.resampling.sums(np.concatenate([_confusion_cells(scored) for scored in self.seeds], axis=1))
        return sums.reshape(len(sums), len(self.seeds), k, k)

    def of(self, metric: Metric) -> Floats:
        """A scalar metric of every seed, [draws, seeds]; fewer draws where it has to be computed anew for each."""
        if metric.of_confusion is not None:
            return np.asarray(metric.of_confusion(self.confusions), dtype=np.float64)
        if metric.sums is not None and metric.of_sums is not None:
            parts = [np.asarray(metric.sums(scored), dtype=np.float64) for scored in self.seeds]
            sums = self.resampling.sums(np.concatenate(parts, axis=1))
            return np.asarray(metric.of_sums(sums.reshape(len(sums), len(self.seeds), -1)), dtype=np.float64)
        drawn = [
            [metric.compute(scored.take(index)) for scored in self.seeds]
            for index in self.resampling.indices(SLOW_DRAWS)
        ]
        return np.asarray(drawn, dtype=np.float64)


def _confusion_cells(scored: Scored) -> Floats:
    """The cell of the confusion matrix of each sample, one-hot [n, k·k]."""
    k = len(scored.classes)
    targets = scored.targets if scored.targets.ndim == 1 else np.argmax(scored.targets, axis=1)
    cells = np.zeros((len(targets), k * k))
    cells[np.arange(len(targets)), targets * k + np.argmax(scored.scores, axis=1)] = 1
    return cells


@dataclass(frozen=True)
class Estimate:
    """A row's value of one metric.

    ``mean`` and ``std`` over its seeds (``std`` NaN for one seed), the interval ``low`` to ``high``, the replicates of
    the mean [draws], and the number of units that were resampled.
    """

    mean: float
    std: float
    low: float
    high: float
    replicates: Floats
    units: int


def estimate(metric: Metric, row: Replicates, row_id: str) -> Estimate:
    """Value and percentile interval of a metric over the seeds of a row. What the metric raises passes through."""
    values = np.array([float(metric.compute(scored)) for scored in row.seeds])
    replicates = over_seeds(row.of(metric), values, row_id)
    if np.isnan(values).any():  # single precision may make a number of what has none
        replicates = np.full_like(replicates, math.nan)
    low, high = interval(replicates)
    std = float(values.std(ddof=1)) if len(values) > 1 else math.nan
    return Estimate(float(values.mean()), std, low, high, replicates, row.resampling.count)


def over_seeds(replicates: Floats, values: Floats, key: str) -> Floats:
    """Add the chance of the seeds to that of the samples: replicates [draws, seeds] and values [seeds] to [draws].

    The result never leaves the range that single seeds reach.
    """
    draws, seeds = replicates.shape
    if seeds == 1 or np.isnan(replicates).all():
        return replicates[:, 0]
    chosen = generator(key).integers(0, seeds, size=(draws, seeds))
    deviation = (values - values.mean())[chosen].mean(axis=1) * math.sqrt(seeds / (seeds - 1))
    drawn: Floats = np.clip(replicates.mean(axis=1) + deviation, np.nanmin(replicates), np.nanmax(replicates))
    return drawn


def interval(replicates: Floats, level: float = LEVEL) -> tuple[float, float]:
    """The middle ``level`` of the replicates; NaN where the metric is undefined on all of them."""
    defined = replicates[~np.isnan(replicates)]
    if not len(defined):
        return math.nan, math.nan
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def difference_p(a: Estimate, b: Estimate) -> float:
    """Two-sided p of the difference of two rows on the same samples: normal, with the bootstrap's standard error.

    Unlike a share of replicates it resolves small values, which Holm's correction of many pairs needs. Where no
    replicate differs from another (all units agree), it is the sign test's. NaN values are never different.
    """
    difference = a.mean - b.mean
    spread = a.replicates - b.replicates
    spread = spread[~np.isnan(spread)]
    if difference == 0 or math.isnan(difference) or len(spread) < 2:
        return 1.0
    error = float(spread.std(ddof=1))
    if error <= 1e-12 * max(1.0, abs(difference)):
        return min(1.0, 2.0 ** (1 - a.units))
    return math.erfc(abs(difference) / error / math.sqrt(2))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for their number (Holm, Scandinavian Journal of Statistics 1979), in the given order."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted


@dataclass(frozen=True)
class Ranking:
    """``ranks``: 1 + the number of significantly better rows. ``better[i][j]``: row i is so compared with row j."""

    ranks: tuple[int, ...]
    better: tuple[tuple[bool, ...], ...]


def rank(estimates: Sequence[Estimate], higher_is_better: bool, alpha: float = ALPHA) -> Ranking:
    """Compare all pairs of rows that share their resampling, corrected together, and rank them."""
    count = len(estimates)
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    adjusted = holm([difference_p(estimates[i], estimates[j]) for i, j in pairs])
    better = [[False] * count for _ in range(count)]
    for (i, j), p in zip(pairs, adjusted, strict=True):
        if p < alpha:
            first_wins = (estimates[i].mean > estimates[j].mean) == higher_is_better
            winner, loser = (i, j) if first_wins else (j, i)
            better[winner][loser] = True
    ranks = tuple(1 + sum(better[i][j] for i in range(count)) for j in range(count))
    return Ranking(ranks, tuple(tuple(line) for line in better))
