"""Near-duplicates: pictures that differ in their pixels and yet show the same shot, mirrored ones included.

Candidates have similar perceptual hashes (signs of the lowest frequencies; Zauner, "Implementation and Benchmarking of
Perceptual Image Hash Functions", 2010, section 3.2.1); all pairs are compared, so that no candidate is missed. Of
these, pairs remain whose pixels correlate (normalised, so that a change of brightness or contrast does not matter).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.fft import dctn
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from ferbench.auditing.copies import ACROSS, Audited
from ferbench.auditing.pictures import Pictures

DISTANCE = 12
"""Bits of 63 in which the hashes of candidates may differ."""
CORRELATION = 0.9
"""From here on two candidates count. On FER2013 pairs above it show one shot, apart from a few; below 0.88 fewer do."""
FLAT = 5.0
"""Pictures whose grey values deviate by less (of 255) have nothing to correlate; they are outliers."""
MOST = 100_000
"""More pictures than these are not compared each with each: only those of val and test with all."""
_ROWS = 128
_PAIRS = 4096


@dataclass(frozen=True)
class Pairs:
    """p pairs of samples, indices into the audited ones: ``first`` and ``second`` int64 [p], ``correlation`` float32.

    ``flipped``: bool [p], which of them are alike when one is mirrored. Of identical pictures one stands for all, so
    that no pair occurs twice; of two sides the first is the one nearer to test. ``within_train``: whether pairs inside
    the training side were looked for.
    """

    first: np.ndarray
    second: np.ndarray
    correlation: np.ndarray
    flipped: np.ndarray
    within_train: bool = True


def near_pairs(audited: Audited, pictures: Pictures) -> Pairs:
    """Find all near-duplicates, the least alike first."""
    fit = pictures.readable & (pictures.deviation >= FLAT)
    images, kept = np.unique(audited.image[fit], return_index=True)
    places = np.flatnonzero(fit)[kept]  # one sample of each distinct picture
    hashes = perceptual_hashes(pictures.small[places])
    mirrored = perceptual_hashes(pictures.small[places][:, :, ::-1])
    tested = np.unique(audited.image[audited.side > 0])
    queries = np.arange(len(places)) if len(places) <= MOST else np.flatnonzero(np.isin(images, tested))
    best: dict[tuple[int, int], tuple[float, bool]] = {}
    for flipped, other in ((False, hashes), (True, mirrored)):
        for a, b in _candidates(hashes, other, queries):
            likeness = _correlation(pictures.small[places[a]], pictures.small[places[b]], flipped)
            for i in np.flatnonzero(likeness >= CORRELATION).tolist():
                key = (int(min(a[i], b[i])), int(max(a[i], b[i])))
                best[key] = max(best.get(key, (0.0, False)), (float(likeness[i]), flipped))
    ordered = sorted(best, key=lambda key: best[key][0])
    ends = np.array(ordered, dtype=np.int64).reshape(-1, 2)
    first, second = _as_samples(audited, images[ends[:, 0]], images[ends[:, 1]])
    likeness = np.array([best[key][0] for key in ordered], np.float32)
    return Pairs(first, second, likeness, np.array([best[key][1] for key in ordered], bool), len(places) <= MOST)


def perceptual_hashes(small: np.ndarray) -> np.ndarray:
    """63 bits of each picture (uint8 [n, s, s]) as uint64 [n]: which of its lowest frequencies exceed their median."""
    parts = [np.empty(0, np.uint64)]
    for start in range(0, len(small), _PAIRS):
        waves = dctn(small[start : start + _PAIRS].astype(np.float32), axes=(1, 2), norm="ortho")
        low = waves[:, :8, :8].reshape(-1, 64)[:, 1:]
        bits = low > np.median(low, axis=1, keepdims=True)
        parts.append(np.packbits(np.pad(bits, ((0, 0), (0, 1))), axis=1).view(np.uint64)[:, 0])
    return np.concatenate(parts)


def _candidates(hashes: np.ndarray, others: np.ndarray, queries: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs (a, b) of like hashes, at most ``_PAIRS`` at a time; each pair of queries once."""
    rank = np.full(len(hashes), -1)
    rank[queries] = queries
    for start in range(0, len(queries), _ROWS):
        rows = queries[start : start + _ROWS]
        i, b = np.nonzero(np.bitwise_count(hashes[rows, None] ^ others[None, :]) <= DISTANCE)
        a = rows[i]
        once = (a != b) & ((rank[b] < 0) | (b > a))
        a, b = a[once], b[once]
        for at in range(0, len(a), _PAIRS):
            yield a[at : at + _PAIRS], b[at : at + _PAIRS]


def _correlation(a: np.ndarray, b: np.ndarray, flipped: bool) -> np.ndarray:
    """Pearson's correlation of the pixels of pairs (uint8 [p, s, s] each), float32 [p]."""
    first, second = _standard(a), _standard(b[:, :, ::-1] if flipped else b)
    return np.asarray(np.einsum("ij,ij->i", first, second), np.float32)


def _standard(small: np.ndarray) -> np.ndarray:
    values = small.reshape(len(small), -1).astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)
    return values


def _as_samples(audited: Audited, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each pair of images a pair of samples that stand on different sides where there is one."""
    lowest, highest = np.zeros(audited.images, np.int64), np.zeros(audited.images, np.int64)
    order = np.argsort(audited.side, kind="stable")
    highest[audited.image[order]] = order  # the last one written stays
    lowest[audited.image[order[::-1]]] = order[::-1]
    apart = audited.side[highest[a]] - audited.side[lowest[b]]
    swap = audited.side[highest[b]] - audited.side[lowest[a]] > apart
    a, b = np.where(swap, b, a), np.where(swap, a, b)
    return highest[a], lowest[b]


def near_across(audited: Audited, a: np.ndarray, b: np.ndarray) -> dict[str, int]:
    """Count samples of one side that have a near copy on another; ``a`` and ``b``: the images of each pair, int64 [p].

    ``test_with_near_copy_in_train`` and its like; ``test_with_any_copy_in_train``: those with an identical one as well.
    """
    facts = {}
    for mine, other in ACROSS:
        here, there = audited.where(mine), audited.where(other)
        stands = np.zeros(audited.images, dtype=bool)
        stands[audited.image[there]] = True
        near = np.zeros_like(stands)
        near[a[stands[b]]] = True
        near[b[stands[a]]] = True
        facts[f"{mine}_with_near_copy_in_{other}"] = int(near[audited.image[here]].sum())
        facts[f"{mine}_with_any_copy_in_{other}"] = int((near | stands)[audited.image[here]].sum())
    return facts


def near_facts(audited: Audited, pairs: Pairs) -> dict[str, Any]:
    """How many pairs there are, how they divide, and how many samples are left when of each shot one is kept."""
    a, b = audited.image[pairs.first], audited.image[pairs.second]
    graph = coo_matrix((np.ones(len(a), bool), (a, b)), shape=(audited.images, audited.images))
    shots = connected_components(graph, directed=False)[1]
    labels = audited.labels
    differ = None if labels is None else int((labels[pairs.first] != labels[pairs.second]).sum())
    return {
        "pairs": len(a),
        "flipped_pairs": int(pairs.flipped.sum()),
        "pairs_across_sides": int((audited.side[pairs.first] != audited.side[pairs.second]).sum()),
        "contradictory_pairs": differ,
        "samples": int(np.isin(audited.image, np.concatenate([a, b])).sum()),
        "duplicates_exact_and_near": len(audited.rows) - len(np.unique(shots[audited.image])),
        "within_train": pairs.within_train,
    }
