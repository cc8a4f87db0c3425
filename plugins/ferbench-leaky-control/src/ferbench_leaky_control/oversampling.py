"""Random oversampling of a whole data set, as it must not be done: before anything is divided."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ferbench import Parsed

SEED = 2013
ORIGINAL, COPY = "original", "copy"
"""The group that a picture shares with its copies, and the column that counts these from 1; 0 is the picture itself."""


def oversampled(base: Parsed) -> Parsed:
    """Every sample of ``base``, then copies drawn at random with replacement until all classes are of one size.

    Ids of copies end in ``+1``, ``+2`` and so on. The data set's own splits are forgotten.
    """
    assert base.inputs is not None  # data sets that stream are refused by name
    samples = base.samples
    rows, numbers = copies_of(np.asarray(samples.targets))
    own = np.asarray(samples.ids).astype(str)[rows]
    suffix = np.where(numbers > 0, np.char.add("+", numbers.astype(str)), "")
    return Parsed(
        replace(
            samples,
            ids=np.char.add(own, suffix),
            targets=np.asarray(samples.targets)[rows],
            origin=None,
            groups={name: values[rows] for name, values in samples.groups.items()} | {ORIGINAL: own},
            columns={name: values[rows] for name, values in samples.columns.items()} | {COPY: numbers},
            hashes=None,
        ),
        {name: np.asarray(values)[rows] for name, values in base.inputs.items()},
    )


def copies_of(targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the oversampled data (int64 [m], first all n), and which copy of its picture each is (0: none)."""
    rng = np.random.default_rng(SEED)
    counts = np.bincount(targets)
    drawn = [rng.choice(np.flatnonzero(targets == c), counts.max() - n) for c, n in enumerate(counts) if n]
    rows = np.concatenate([np.arange(len(targets)), *drawn])
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    first = np.searchsorted(ordered, ordered)
    numbers = np.empty(len(rows), dtype=np.int64)
    numbers[order] = np.arange(len(rows)) - first
    return rows, numbers
