"""Scores on parts of the test samples that share a value of an attribute."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ferbench.data.slicing import Attribute
from ferbench.nouns.metric import Metric, Scored
from ferbench.reporting.statistics import Replicates, Resampling, estimate

SMALL = 30
"""A slice of fewer test samples is shown, but has no rank and is never the worst."""

FEW_GROUPS = 5
"""A slice of fewer groups has no interval where groups are resampled: they tell nothing of other groups."""


@dataclass(frozen=True)
class Slice:
    """A metric on one slice of the test samples: over the seeds of a row, with its own interval (NaN: none)."""

    attribute: str
    name: str
    n: int
    mean: float
    std: float = math.nan
    low: float = math.nan
    high: float = math.nan
    small: bool = False
    fault: str = ""


@dataclass(frozen=True)
class Part:
    """A row's predictions on all test samples, ready to be cut.

    ``seeds``: aligned. ``units``: what is resampled, [n]; ``unit``: its name. ``key``: the same for rows that share
    their test samples, so that their replicates are the same. ``known``: replicates that were drawn before.
    """

    seeds: Sequence[Scored]
    units: np.ndarray
    unit: str
    key: str
    known: dict[str, Resampling]


def slices_of(part: Part, metric: Metric, name: str, attribute: Attribute) -> list[Slice]:
    """The metric on every slice that has test samples, in order."""
    codes = [code for code in range(len(attribute.slices)) if (attribute.codes == code).any()]
    return [_slice(part, metric, name, attribute, code) for code in codes]


def unknown_slice(part: Part, metric: Metric, name: str, attribute: Attribute) -> Slice | None:
    """The metric on the test samples whose value is not known; None where it is of all."""
    return _slice(part, metric, name, attribute, -1) if (attribute.codes < 0).any() else None


def places(slices: Sequence[Slice], higher_is_better: bool) -> list[int | None]:
    """Rank of each slice by its mean, 1 the best; None for a small one and where the metric is undefined."""
    ranked = [one for one in slices if _counts(one)]
    sign = 1 if higher_is_better else -1
    return [
        1 + sum(sign * other.mean > sign * one.mean for other in ranked) if _counts(one) else None for one in slices
    ]


def worst_of(slices: Sequence[Slice], higher_is_better: bool) -> Slice | None:
    """The slice with the worst mean among those that are not small; None where fewer than two are to be compared."""
    ranked = [one for one in slices if _counts(one)]
    if len(ranked) < 2:
        return None
    return (min if higher_is_better else max)(ranked, key=lambda one: one.mean)


def worst_group(part: Part, metric: Metric, attributes: Mapping[str, Attribute]) -> Slice | None:
    """The worst slice of all ``attributes``, each compared within itself; the interval is of that slice alone."""
    worst = []
    for name, attribute in attributes.items():
        plain = []
        for code, slice_name in enumerate(attribute.slices):
            here = attribute.codes == code
            if here.any():
                mean, fault = _mean(part.seeds, metric, here)
                plain.append(Slice(name, slice_name, int(here.sum()), mean, small=here.sum() < SMALL, fault=fault))
        found = worst_of(plain, metric.higher_is_better)
        worst += [found] if found else []
    if not worst:
        return None
    found = (min if metric.higher_is_better else max)(worst, key=lambda one: one.mean)
    attribute = attributes[found.attribute]
    return _slice(part, metric, found.attribute, attribute, attribute.slices.index(found.name))


def _counts(one: Slice) -> bool:
    return not one.small and not math.isnan(one.mean)


def _mean(seeds: Sequence[Scored], metric: Metric, here: np.ndarray) -> tuple[float, str]:
    try:
        return float(np.mean([metric.compute(scored.take(here)) for scored in seeds])), ""
    except Exception as error:  # a plugin's metric may not stand a part without some of the classes
        return math.nan, f"{metric.name} could not be computed ({type(error).__name__}: {error})"


def _slice(part: Part, metric: Metric, name: str, attribute: Attribute, code: int) -> Slice:
    here = np.flatnonzero(attribute.codes == code)
    shown = attribute.slices[code] if code >= 0 else ""
    small = len(here) < SMALL
    mean, fault = _mean(part.seeds, metric, here)
    # Where the attribute is the group itself, what is said is of that group, so its samples are drawn anew.
    units = np.arange(len(here)) if name == part.unit else part.units[here]
    grouped = len(np.unique(units)) < len(units)
    if fault or math.isnan(mean) or len(here) < 2 or (grouped and len(np.unique(units)) < FEW_GROUPS):
        return Slice(name, shown, len(here), mean, small=small, fault=fault)
    key = f"{part.key} {name} {code}"
    if key not in part.known:
        part.known[key] = Resampling(units, key)
    seeds = [scored.take(here) for scored in part.seeds]
    try:
        found = estimate(metric, Replicates(seeds, part.known[key]), f"{key} {metric.name}")
    except Exception as error:  # as above
        fault = f"{metric.name} has no interval ({type(error).__name__}: {error})"
        return Slice(name, shown, len(here), mean, small=small, fault=fault)
    return Slice(name, shown, len(here), found.mean, found.std, found.low, found.high, small)
