"""Two rows on the same test samples: their difference, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ferbench.errors import StoreError
from ferbench.nouns.metric import Metric
from ferbench.reporting.rows import Row
from ferbench.reporting.samples import sample_facts
from ferbench.reporting.statistics import Replicates, Resampling, difference_p, estimate, interval


@dataclass(frozen=True)
class Comparison:
    """Two values of a metric, the ``low`` to ``high`` of their difference, and its two-sided ``p``."""

    first: float
    second: float
    low: float
    high: float
    p: float


def compared(first: Row, second: Row, metric: Metric) -> Comparison:
    """Compare two rows by the bootstrap that ranks the leaderboard: samples (or groups) and seeds drawn alike for both.

    Raises StoreError when their test samples differ.
    """
    if not (np.array_equal(first.ids, second.ids) and np.array_equal(first.folds_of, second.folds_of)):
        raise StoreError(f"{first.model} and {second.model} were tested on different samples.")
    table = first.cells[0].out / "datasets" / f"{first.key['fingerprint']}.parquet"
    unit, classes = first.facts.get("unit") or "sample", first.facts["classes"]
    about = sample_facts(table, first.key["protocol"], unit, first.ids, first.folds_of, ("train",), classes)
    resampling = Resampling(first.ids if about.groups is None else about.groups, f"{first.id} {second.id}")
    found = [estimate(metric, Replicates(row.scored, resampling), f"{row.id} {metric.name}") for row in (first, second)]
    low, high = interval(found[0].replicates - found[1].replicates)
    return Comparison(found[0].mean, found[1].mean, low, high, difference_p(found[0], found[1]))
