"""Metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ferbench.nouns.emotions import Task
from ferbench.nouns.paper import Paper

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Scored:
    """What a metric is given: n test samples and k classes (or dimensions).

    ``targets``: int64 [n] for a single label, float32 [n, k] otherwise. ``scores``: float64 [n, k], probabilities that
    sum to one for a single or soft label, one probability a class for several labels, values for a regression.
    ``groups``: group of each sample, [n], where the protocol has groups.
    """

    targets: np.ndarray
    scores: np.ndarray
    classes: tuple[str, ...]
    groups: np.ndarray | None = None


@dataclass(frozen=True)
class Metric:
    """A function of targets, scores and groups.

    ``compute(scored)`` returns a float (``scalar``), an array [k] (``vector``) or [k, k] (``matrix``). Where a scalar
    depends on the confusion matrix alone, ``of_confusion`` gives it from matrices float64 [..., k, k] (rows: true
    classes) as an array [...], which makes its interval fast. Any other scalar that depends on sums over the samples
    alone may give the summands of each sample, ``sums(scored)`` -> [n, d], and ``of_sums``, which turns sums [..., d]
    into values [...], for the same gain. Undefined values are NaN, never an exception. ``percent``: a fraction that
    tables for people show times 100.
    """

    name: str
    compute: Callable[[Scored], Any]
    tasks: tuple[Task, ...] = ("single-label",)
    kind: Literal["scalar", "vector", "matrix"] = "scalar"
    higher_is_better: bool = True
    of_confusion: Callable[[np.ndarray], np.ndarray] | None = None
    sums: Callable[[Scored], np.ndarray] | None = None
    of_sums: Callable[[np.ndarray], np.ndarray] | None = None
    percent: bool = False
    description: str = ""
    paper: Paper | None = None
