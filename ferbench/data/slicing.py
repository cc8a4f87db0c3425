"""Values of samples cut into a few slices, by which results can be told apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from ferbench.errors import DataError

MOST_SLICES = 100
"""More different values than these are names of samples, not groups of them."""

MOST_NUMBERS = 10
"""Numbers with at most as many different values are categories; others are cut into quarters."""

QUARTERS = "cut into quarters of the data set's samples, bounds rounded; a lower bound belongs to its slice"
GIVEN = "cut at the bounds that were given; a lower bound belongs to its slice"

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")


@dataclass(frozen=True)
class Attribute:
    """To which slice each of n samples belongs.

    ``slices``: their names, in order. ``codes``: int64 [n], a place in ``slices``, or -1 where the value is not known.
    ``rule``: how numbers were cut, empty for categories.
    """

    slices: tuple[str, ...]
    codes: np.ndarray
    rule: str = ""

    @property
    def names(self) -> np.ndarray:
        """The slice of each sample, str [n]; empty where it is not known."""
        return np.asarray(np.array([*self.slices, ""])[self.codes])

    def take(self, rows: np.ndarray) -> Attribute:
        """The same of some of the samples (int64 [m])."""
        return replace(self, codes=self.codes[rows])


def sliced(name: str, values: np.ndarray, bounds: Sequence[float] | None = None) -> Attribute:
    """Cut an attribute's ``values`` (text, numbers or flags [n]; empty or NaN: not known) into slices.

    Numbers are cut at ``bounds``, else into quarters of the samples, or are categories where they are few. Text whose
    values are numbers all counts as numbers. Raises DataError for what cannot be cut.
    """
    if values.dtype.kind == "f":
        known = ~np.isnan(values)
        # Text and back gives float32 the digits that it has: 0.1 and not 0.10000000149.
        text = np.where(known, values.astype(np.str_), "")
    else:
        text = values.astype(np.str_)
    counts = Counter(text[text != ""].tolist())
    if not counts:
        raise DataError(f"{name!r} has no value for any sample: leave it out.")
    strange = [value for value in counts if not (_NUMBER.fullmatch(value) and np.isfinite(float(value)))]
    if bounds is None and (strange or len(counts) <= MOST_NUMBERS):
        return _categories(name, text, counts, strange)
    if strange:
        raise DataError(f"{name!r} cannot be cut at bounds: {strange[0]!r} is no number.")
    numbers = np.full(len(text), np.nan)
    numbers[text != ""] = text[text != ""].astype(np.float64)
    return _cut(numbers, _checked(name, bounds)) if bounds is not None else _quarters(numbers)


def in_order(slices: Sequence[str]) -> tuple[str, ...]:
    """Names of categories in the order of their numbers, where they are numbers all, else of the alphabet."""
    if all(_NUMBER.fullmatch(name) for name in slices):
        return tuple(sorted(slices, key=lambda name: (float(name), name)))
    return tuple(sorted(slices, key=lambda name: (name.casefold(), name)))


def _categories(name: str, text: np.ndarray, counts: Counter[str], strange: Sequence[str]) -> Attribute:
    if len(counts) > MOST_SLICES:
        mixed = f" They would be cut as numbers, but {strange[0]!r} is none." if len(strange) < len(counts) / 2 else ""
        raise DataError(
            f"{name!r} has {len(counts):,} different values, such as {next(iter(counts))!r}: groups of samples have at "
            f"most {MOST_SLICES}.{mixed}"
        )
    slices = in_order(list(counts))
    place = {value: code for code, value in enumerate(slices)}
    return Attribute(slices, np.array([place.get(value, -1) for value in text.tolist()], dtype=np.int64))


def _checked(name: str, bounds: Sequence[float]) -> np.ndarray:
    edges = np.array(bounds, dtype=np.float64)
    if not len(edges) or not np.isfinite(edges).all() or (np.diff(edges) <= 0).any():
        raise DataError(f"The bounds of {name!r} must be numbers that rise: {', '.join(f'{b:g}' for b in bounds)}.")
    if len(edges) >= MOST_SLICES:
        raise DataError(f"{name!r} would have {len(edges) + 1} slices; at most {MOST_SLICES} make sense.")
    return edges


def _quarters(numbers: np.ndarray) -> Attribute:
    """Cut at the quartiles, rounded to the fewest digits (three at least) that leave four fifths of each slice."""
    known = numbers[~np.isnan(numbers)]
    exact = np.unique(np.quantile(known, [0.25, 0.5, 0.75]))
    exact = exact[exact > known.min()] if exact[-1] > known.min() else np.unique(known)[1:2]
    edges = exact
    for digits in range(3, 18):
        rounded = np.array([float(f"{edge:.{digits}g}") for edge in exact])
        if (np.diff(rounded) > 0).all() and (_filled(known, rounded) >= 0.8 * _filled(known, exact)).all():
            edges = rounded
            break
    return replace(_cut(numbers, edges), rule=QUARTERS)


def _filled(known: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.bincount(np.searchsorted(edges, known, side="right"), minlength=len(edges) + 1)


def _cut(numbers: np.ndarray, edges: np.ndarray) -> Attribute:
    shown = [f"{edge:.17g}" if float(f"{edge:.12g}") != edge else f"{edge:.12g}" for edge in edges.tolist()]
    between = [f"{low} to {high}" for low, high in pairwise(shown)]
    slices = (f"below {shown[0]}", *between, f"from {shown[-1]}")
    codes = np.where(np.isnan(numbers), -1, np.searchsorted(edges, numbers, side="right"))
    return Attribute(slices, codes.astype(np.int64), GIVEN)
