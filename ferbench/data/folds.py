"""From a protocol's rule to the checked sides of one fold: which samples, which targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ferbench.data.grouping import fraction_of, group_values
from ferbench.data.labels import SPREAD
from ferbench.data.stored import Loaded
from ferbench.errors import DataError, did_you_mean
from ferbench.nouns.dataset import Fold, ProtocolRule, Samples
from ferbench.nouns.emotions import LABEL_KIND_OF_TASK, LabelKind, Side

SIDES: tuple[Side, ...] = ("train", "val", "test")
CARVED = 0.1


@dataclass(frozen=True)
class Sides:
    """One fold, checked. ``rows``: int64 [m] by side; ``targets`` aligned with them, in the protocol's classes."""

    rows: Mapping[Side, np.ndarray]
    targets: Mapping[Side, np.ndarray]
    kinds: Mapping[Side, LabelKind]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def count_folds(loaded: Loaded, rule: ProtocolRule) -> int:
    """Return how many folds a protocol has on this data. Raises DataError when it cannot divide them."""
    return len(_divided(loaded, rule))


def make_sides(loaded: Loaded, rule: ProtocolRule, fold: int) -> Sides:
    """Divide, keep the protocol's classes, carve val where it is missing, and check.

    Raises DataError when this copy does not offer the protocol, when sides overlap, when a side or a class in train
    is empty, or when a group (subject, clip, trial) stands on two sides and the protocol does not say ``allow_leak``.
    """
    samples, task_kind = loaded.samples, LABEL_KIND_OF_TASK[loaded.dataset.task]
    place = f"{loaded.dataset.name}@{rule.name}"
    folds = _divided(loaded, rule)
    if not 0 <= fold < len(folds):
        raise DataError(f"{place} has {len(folds)} folds, counted from 0; there is no fold {fold}.")
    chosen = folds[fold]
    place = f"{place}, fold {fold}" if len(folds) > 1 else place
    kinds: dict[Side, LabelKind] = {"train": rule.train_labels or task_kind, "val": task_kind, "test": task_kind}
    columns = _columns(loaded, rule)
    given: dict[Side, np.ndarray | None] = {"train": chosen.train, "val": chosen.val, "test": chosen.test}
    rows: dict[Side, np.ndarray] = {}
    targets: dict[Side, np.ndarray] = {}
    for side in SIDES:
        indices = given[side]
        if indices is None:
            carved = fraction_of(samples, rows["train"], CARVED, carve_by(samples.groups, rule), rule.seed)
            indices = rows["train"][carved]
            rows["train"], targets["train"] = rows["train"][~carved], targets["train"][~carved]
            labels = samples.targets[indices]
        else:
            indices = np.asarray(indices, dtype=np.int64)
            _check_range(place, side, indices, len(samples.ids))
            labels = chosen.targets.get(side, samples.targets[indices])
        labels, kept = _in_classes(f"{place}, {side}", labels, kinds[side], len(indices), columns)
        rows[side], targets[side] = indices[kept], labels[kept]
    _check_sides(place, rows, len(samples.ids))
    classes = rule.classes or loaded.dataset.classes
    _check_classes(place, targets["train"], classes, kinds["train"])
    mark = (rule.mark,) if rule.mark else ()
    notes = (*mark, *_said(loaded), *_left_out(loaded), *_leaks(place, samples, rule, rows))
    return Sides(rows, targets, kinds, classes, notes)


def _said(loaded: Loaded) -> tuple[str, ...]:
    """What the reader said of a data set that is made from others; of a download it was printed when it was added."""
    return loaded.notes if loaded.dataset.bases else ()


def _left_out(loaded: Loaded) -> tuple[str, ...]:
    count = len(loaded.corrupted)
    return (f"{count:,} corrupted file{'s' if count > 1 else ''} of the copy left out",) if count else ()


def _divided(loaded: Loaded, rule: ProtocolRule) -> Sequence[Fold]:
    name = loaded.dataset.name
    if rule.name not in loaded.protocols:
        raise DataError(
            f"The registered copy of {name!r} does not offer protocol {rule.name!r}, only "
            f"{', '.join(loaded.protocols)}. Another copy of the data may: see `ferbench show {name}`."
        )
    try:
        folds = rule.divide(loaded.samples)
    except DataError as error:
        raise DataError(f"{name}@{rule.name} cannot be divided: {error}") from None
    if not folds:
        raise DataError(f"{name}@{rule.name} has no folds.")
    return folds


def _columns(loaded: Loaded, rule: ProtocolRule) -> np.ndarray | None:
    """Indices of the protocol's classes among the data set's, int64 [k]; None where it keeps them all."""
    if rule.classes is None or rule.classes == loaded.dataset.classes:
        return None
    known = loaded.dataset.classes
    for name in rule.classes:
        if name not in known:
            place = f"{loaded.dataset.name}@{rule.name}"
            raise DataError(f"{place} names the class {name!r}, which the data set lacks.{did_you_mean(name, known)}")
    return np.array([known.index(name) for name in rule.classes], dtype=np.int64)


def _in_classes(
    place: str, labels: np.ndarray, kind: LabelKind, count: int, columns: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return targets in the protocol's classes, and which samples (bool [m]) have one.

    Hard labels of other classes are dropped; soft and drawn ones lose the other classes' share and are scaled to a sum
    of one; accepted ones are dropped where none of the classes is accepted.
    """
    if len(labels) != count or labels.ndim != (1 if kind == "hard" else 2):
        raise DataError(f"{place}: the targets are not {kind!r} labels of its {count:,} samples.")
    every = np.ones(count, dtype=bool)
    if kind == "hard":
        if columns is None:
            return labels.astype(np.int64), every
        renumbered = np.full(max(int(labels.max(initial=0)), int(columns.max())) + 1, -1, dtype=np.int64)
        renumbered[columns] = np.arange(len(columns))
        return renumbered[labels], renumbered[labels] >= 0
    values = labels.astype(np.float32)
    _check_values(place, values, kind)
    if columns is None:
        return values, every
    values = values[:, columns]
    if kind not in SPREAD:
        return values, every
    mass = values.sum(axis=1, keepdims=True)
    if kind == "accepted":
        return values, mass[:, 0] > 0
    return values / np.where(mass > 0, mass, 1), mass[:, 0] > 0


def _check_values(place: str, values: np.ndarray, kind: LabelKind) -> None:
    """Raise DataError where labels to draw from are no probabilities, or accepted classes no flags or none."""
    if kind == "drawn" and not ((values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-3)):
        raise DataError(f"{place}: labels to draw from must be shares that sum to one; the protocol is at fault.")
    if kind == "accepted" and not (np.isin(values, (0, 1)).all() and values.any(axis=1).all()):
        raise DataError(f"{place}: each sample needs flags (0 or 1) and an accepted class; the protocol is at fault.")


def carve_by(groups: Mapping[str, np.ndarray], rule: ProtocolRule) -> tuple[str, ...]:
    """Groups that the carved val may not share with train: all that are known; the unit alone where leaks are allowed.

    A protocol within subjects (unit trial, leaks of subjects allowed) has no subject to spare for val.
    """
    if not rule.allow_leak:
        return tuple(sorted(groups))
    return (rule.unit,) if rule.unit != "sample" else ()


def _check_range(place: str, side: Side, indices: np.ndarray, count: int) -> None:
    if len(indices) and (indices.min() < 0 or indices.max() >= count or len(np.unique(indices)) != len(indices)):
        raise DataError(f"{place}: {side} repeats samples, or names some that are not there; the protocol is at fault.")


def _check_sides(place: str, rows: Mapping[Side, np.ndarray], count: int) -> None:
    times = np.zeros(count, dtype=np.int64)
    for side, indices in rows.items():
        if not len(indices):
            raise DataError(f"{place}: {side} is empty.")
        times[indices] += 1
    if times.max() > 1:
        raise DataError(
            f"{place}: {int((times > 1).sum()):,} samples stand on several sides; the protocol is at fault."
        )


def _check_classes(place: str, targets: np.ndarray, classes: Sequence[str], kind: LabelKind) -> None:
    if kind == "real":
        return
    counts = np.bincount(targets, minlength=len(classes)) if kind == "hard" else (targets > 0).sum(axis=0)
    empty = [name for name, number in zip(classes, counts, strict=True) if not number]
    if empty:
        raise DataError(f"{place}: train has no sample of {', '.join(empty)}. A complete copy of the data has some.")


def _leaks(place: str, samples: Samples, rule: ProtocolRule, rows: Mapping[Side, np.ndarray]) -> tuple[str, ...]:
    """Return a note for each kind of group that stands on several sides, where the protocol allows it."""
    if rule.unit != "sample":
        group_values(samples, rule.unit)
    notes = []
    for name, values in sorted(samples.groups.items()):
        seen = [set(values[indices].tolist()) - {""} for indices in rows.values()]
        shared = sorted((seen[0] & seen[1]) | (seen[0] & seen[2]) | (seen[1] & seen[2]))
        if shared and not rule.allow_leak:
            raise DataError(
                f"{place}: {len(shared):,} {name}s stand on several sides ({', '.join(shared[:3])}…), so that scores "
                f"would profit from what a method should not know. Divide by {name}, or let the protocol say "
                "allow_leak=True, which every table will show."
            )
        if shared:
            notes.append(f"{len(shared):,} {name}s on several sides (allowed)")
    return tuple(notes)
