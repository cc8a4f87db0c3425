"""Division of samples into parts that share no picture and no group, alike in their classes.

Parts depend on the samples' pixels and a seed alone: neither on the order of the samples nor on the version of a
random number generator. Of a data set made of another one's pictures it is that one's pixels that count.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from ferbench.errors import DataError
from ferbench.nouns.dataset import DEALT_AS, Samples


def strata(targets: np.ndarray) -> np.ndarray:
    """Return the stratum of each sample, int64 [n]: its class, or the strongest of several."""
    return targets.astype(np.int64) if targets.ndim == 1 else targets.argmax(axis=1).astype(np.int64)


def group_values(samples: Samples, name: str) -> np.ndarray:
    """Return a group of every sample, str [n]. Raises DataError when the data set does not know that group."""
    if name not in samples.groups:
        known = ", ".join(sorted(samples.groups)) or "none"
        raise DataError(f"The data set names no {name!r} of its samples (groups that it names: {known}).")
    return samples.groups[name]


def fraction_of(samples: Samples, rows: np.ndarray, fraction: float, by: Sequence[str], seed: int) -> np.ndarray:
    """Choose about ``fraction`` of ``rows`` (int64 [m]); return bool [m].

    Identical pixels stay together, and so do the samples of one group, for every group named in ``by``. Raises
    DataError when there are too few groups to choose any, or to leave any.
    """
    parts, order = _ordered(samples, rows, by, seed)
    position = np.arange(len(order) + 1)
    marks = np.floor(position * fraction + 0.5)
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order] = marks[1:] > marks[:-1]
    if chosen.all() or not chosen.any():
        raise DataError(
            f"{len(rows):,} samples in {len(order)} groups ({', '.join(['identical pixels', *by])}) are too few "
            f"to set {fraction:.0%} of them apart."
        )
    mask: np.ndarray = chosen[parts]
    return mask


def folds_of(samples: Samples, rows: np.ndarray, folds: int, by: Sequence[str], seed: int) -> np.ndarray:
    """Deal ``rows`` (int64 [m]) into ``folds`` parts of like size and classes; return the part of each, int64 [m].

    What stays together is as in :func:`fraction_of`. Raises DataError when there are fewer groups than folds.
    """
    parts, order = _ordered(samples, rows, by, seed)
    if len(order) < folds:
        raise DataError(f"{len(rows):,} samples in {len(order)} groups cannot be divided into {folds} folds.")
    fold = np.empty(len(order), dtype=np.int64)
    fold[order] = np.arange(len(order)) % folds
    dealt: np.ndarray = fold[parts]
    return dealt


def _ordered(samples: Samples, rows: np.ndarray, by: Sequence[str], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of each row (int64 [m]) and the parts in an order in which equals are neighbours, shuffled.

    Whoever takes every k-th of them gets a stratified sample: they are ordered by class, then by size.
    """
    pixels = _keys(samples)[rows]
    keys = samples.columns[DEALT_AS][rows] if DEALT_AS in samples.columns else pixels
    parts = _joined([pixels, keys], [group_values(samples, name)[rows] for name in by])
    count = int(parts.max()) + 1 if len(parts) else 0
    classes = strata(samples.targets[rows])
    width = int(classes.max()) + 1 if len(classes) else 1
    table = np.bincount(parts * width + classes, minlength=count * width).reshape(count, width)
    lowest = np.full(count, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(lowest, parts, keys)
    return parts, np.lexsort((_mixed(lowest, seed), table.sum(axis=1), table.argmax(axis=1)))


def _joined(keys: Sequence[np.ndarray], groups: Sequence[np.ndarray]) -> np.ndarray:
    """Number the sets of samples that are linked by an equal key or an equal group (empty text links nothing)."""
    links = [np.unique(each, return_inverse=True)[1] for each in keys]
    for values in groups:
        link = np.unique(values, return_inverse=True)[1]
        alone = values == ""
        link[alone] = link.max(initial=-1) + 1 + np.arange(int(alone.sum()))
        links.append(link)
    labels, before = links[0], None
    while before is None or not np.array_equal(labels, before):
        before = labels
        for link in links:
            lowest = np.full(int(link.max(initial=-1)) + 1, len(link), dtype=np.int64)
            np.minimum.at(lowest, link, labels)
            labels = lowest[link]
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _keys(samples: Samples) -> np.ndarray:
    if samples.hashes is not None:
        return samples.hashes
    digests = [hashlib.blake2b(str(name).encode(), digest_size=8).digest() for name in samples.ids]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def _mixed(values: np.ndarray, seed: int) -> np.ndarray:
    """Shuffle keys: the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), keyed by the seed."""
    with np.errstate(over="ignore"):
        mixed = values + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))
