"""The three sides of a fold, and what may be done to the training side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from ferbench.data.fingerprint import pixel_hashes
from ferbench.data.folds import Sides, count_folds, make_sides
from ferbench.data.grouping import strata
from ferbench.data.in_memory import ArraySplit
from ferbench.data.labels import SPREAD, in_kind, joined_kind
from ferbench.data.stored import Loaded
from ferbench.data.streaming import StreamSplit
from ferbench.errors import DataError
from ferbench.nouns.dataset import ProtocolRule
from ferbench.nouns.emotions import LabelKind, Side
from ferbench.nouns.sampler import Sample
from ferbench.nouns.split import Split, Splits, View

__all__ = [
    "ArraySplit",
    "StreamSplit",
    "copies_in",
    "count_folds",
    "each_of",
    "limited",
    "limited_count",
    "make_splits",
    "with_sample",
]

_TOGETHER = 256


def make_splits(loaded: Loaded, rule: ProtocolRule, fold: int = 0) -> Splits:
    """Return train, val and test of one fold. Raises DataError as :func:`ferbench.data.folds.make_sides` does."""
    sides = make_sides(loaded, rule, fold)
    return Splits(_side(loaded, sides, "train"), _side(loaded, sides, "val"), _side(loaded, sides, "test"), sides.notes)


def copies_in(train: Split, test: Split) -> np.ndarray:
    """Return for each sample of ``test`` whether its pixels occur in ``train``: bool [n]."""
    return np.isin(test.hashes, train.hashes)


def each_of(split: Split, name: str, view: View | None = None) -> Iterator[np.ndarray]:
    """Every sample's input ``name``, one after another; no more than a part of them is in memory at once."""
    rng = np.random.default_rng(0)
    step = _TOGETHER if isinstance(split, ArraySplit) else 1  # files may differ in size
    for start in range(0, len(split), step):
        rows = np.arange(start, min(start + step, len(split)))
        yield from np.asarray(split.batch(rows, view or View(), rng).inputs[name])


def limited_count(limit: int | float | None, whole: int) -> int:
    """How many of ``whole`` samples a limit leaves: itself, or that share of them where it is below 1."""
    if limit is None:
        return whole
    return min(int(limit), whole) if limit >= 1 else max(1, round(limit * whole))


def limited(split: Split, limit: int | float) -> Split:
    """Return as many samples as ``limit`` says, drawn by class, in their order; a smaller part lies in a larger.

    The class of a sample with several is its most probable one, of equal ones the first. Raises DataError for a limit
    that is not above zero.
    """
    if limit <= 0:
        raise DataError(f"At least one training sample is needed; the limit is {limit}.")
    count = limited_count(limit, len(split))
    if count >= len(split):
        return split
    classes = np.zeros(len(split), dtype=np.int64) if split.label_kind == "real" else strata(split.targets)
    order, sizes = np.argsort(classes, kind="stable"), np.bincount(classes)
    # The k-th of a class of n stands at k / n: every class begins at once, and all are used up at the same pace.
    place = np.empty(len(split))
    place[order] = (np.arange(len(split)) - np.repeat(np.cumsum(sizes) - sizes, sizes)) / np.repeat(sizes, sizes)
    return split.take(np.sort(np.argsort(place, kind="stable")[:count]))


def with_sample(split: Split, sample: Sample) -> Split:
    """Return the training split as a sampler changed it: targets replaced, extra samples behind its own.

    The sample's indices, weights and batches are the training loop's business. Raises DataError when shapes do not
    fit, or when samples are to be added to a split that streams.
    """
    if sample.targets is not None:
        if not isinstance(split, ArraySplit | StreamSplit):
            raise DataError("Targets of splits that were joined cannot be replaced: let the sampler see train alone.")
        targets, kind = _labels(split, sample.targets, len(split))
        split = replace(split, targets=targets, label_kind=kind)
    if sample.extra_inputs is None or sample.extra_targets is None:
        if sample.extra_inputs is not None or sample.extra_targets is not None:
            raise DataError("A sampler that adds samples must give both their inputs and their targets.")
        return split
    if not isinstance(split, ArraySplit):
        raise DataError("The sampler adds samples, which a data set that streams from files cannot take.")
    return _extended(split, sample.extra_inputs, sample.extra_targets)


def _side(loaded: Loaded, sides: Sides, side: Side) -> ArraySplit | StreamSplit:
    samples, rows = loaded.samples, sides.rows[side]
    assert samples.hashes is not None  # every registered data set has them
    ids, hashes = samples.ids[rows], samples.hashes[rows]
    groups = {name: values[rows] for name, values in samples.groups.items()}
    targets, kind = sides.targets[side], sides.kinds[side]
    if loaded.inputs is not None:
        return ArraySplit(loaded.inputs, rows, ids, targets, hashes, sides.classes, kind, groups)
    assert loaded.files is not None and loaded.dataset.decode is not None  # checked when the data were added
    files, decode = tuple(loaded.files[i] for i in rows), loaded.dataset.decode
    boxes = samples.columns.get("box")
    boxes = None if boxes is None else boxes[rows]
    return StreamSplit(loaded.root, files, decode, ids, targets, hashes, sides.classes, kind, groups, boxes)


def _labels(split: Split, targets: np.ndarray, count: int) -> tuple[np.ndarray, LabelKind]:
    """Return a sampler's targets in normal form, and which form that is."""
    width = len(split.classes)
    if targets.shape == (count,) and targets.dtype.kind in "iu" and split.label_kind in ("hard", *SPREAD):
        if count and not (targets.min() >= 0 and targets.max() < width):
            raise DataError(f"The sampler's targets are not all within 0 to {width - 1}.")
        return targets.astype(np.int64), "hard"
    if targets.shape == (count, width):
        return targets.astype(np.float32), "soft" if split.label_kind == "hard" else split.label_kind
    raise DataError(f"The sampler's targets have the shape {targets.shape}, for {count} samples of {width} classes.")


def _extended(split: ArraySplit, inputs: Mapping[str, np.ndarray], targets: np.ndarray) -> ArraySplit:
    own = split.arrays
    count = len(targets)
    for name, values in own.items():
        extra = inputs.get(name)
        if extra is None or extra.dtype != np.uint8 or extra.shape != (count, *values.shape[1:]):
            given = "is missing" if extra is None else f"is {extra.dtype} {list(extra.shape)}"
            raise DataError(f"The sampler's extra input {name!r} {given}, not uint8 {[count, *values.shape[1:]]}.")
    labels, kind = _labels(split, targets, count)
    kind = joined_kind(split.label_kind, kind)
    own_labels, labels = (in_kind(values, kind, len(split.classes)) for values in (split.targets, labels))
    return replace(
        split,
        inputs={name: np.concatenate([values, inputs[name]]) for name, values in own.items()},
        rows=np.arange(len(split) + count),
        ids=np.concatenate([split.ids, np.array([f"extra-{i}" for i in range(count)])]),
        targets=np.concatenate([own_labels, labels]),
        hashes=np.concatenate([split.hashes, pixel_hashes({name: inputs[name] for name in own})]),
        label_kind=kind,
        groups={name: np.concatenate([values, np.full(count, "")]) for name, values in split.groups.items()},
    )
