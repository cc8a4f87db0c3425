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
    ``groups``: group of each sample, [n], where the protocol has groups. ``votes``: float32 [n, k], what annotators
    chose, as shares that sum to one (NaN in a row without votes), where the data set keeps it.
    """

    targets: np.ndarray
    scores: np.ndarray
    classes: tuple[str, ...]
    groups: np.ndarray | None = None
    votes: np.ndarray | None = None

    def take(self, chosen: np.ndarray) -> Scored:
        """Some of the samples, by index or as bool [n]."""
        groups, votes = (None if values is None else values[chosen] for values in (self.groups, self.votes))
        return Scored(self.targets[chosen], self.scores[chosen], self.classes, groups, votes)

    def locked(self) -> Scored:
        """The same samples in arrays that cannot be written to, so that one metric cannot change another's."""
        groups, votes = (None if values is None else _locked(values) for values in (self.groups, self.votes))
        return Scored(_locked(self.targets), _locked(self.scores), self.classes, groups, votes)


def _locked(values: np.ndarray) -> np.ndarray:
    view = values.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True)
class Metric:
    """A function of targets, scores and groups.

    ``compute(scored)`` returns a float (``scalar``), an array [k] (``vector``) or [k, k] (``matrix``). Where a scalar
    depends on the confusion matrix alone, ``of_confusion`` gives it from matrices float64 [..., k, k] (rows: true
    classes) as an array [...], which makes its interval fast. Any other scalar that depends on sums over the samples
    alone may give the summands of each sample, ``sums(scored)`` -> [n, d], and ``of_sums``, which turns sums [..., d]
    into values [...], for the same gain. Undefined values are NaN, never an exception. ``percent``: a fraction that
    tables for people show times 100. ``votes``: it compares with annotators' votes, so that it is left out where the
    data set keeps none.
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
    votes: bool = False
    description: str = ""
    paper: Paper | None = None
