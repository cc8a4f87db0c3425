"""Checks of metrics, on made-up predictions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ferbench.checking.made_up import class_names
from ferbench.checking.report import Outcome, Subject, failed, first_fault, noted, passed, skipped
from ferbench.nouns.emotions import Task
from ferbench.nouns.metric import Metric, Scored
from ferbench.plugins.quarantine import described

SAMPLES = 120
CLASS_COUNTS = (2, 5)
NEARLY = 1e-3
"""How far predictions that are all right (or all wrong) stay from certainty, so that logarithms stay finite."""


def usual(task: Task, classes: int, seed: int = 0, count: int = SAMPLES) -> Scored:
    """Predictions that are often right; ten groups, and votes where labels are single or soft."""
    rng = np.random.default_rng((seed, classes))
    targets = _targets(task, classes, count, rng)
    votes = None
    if task == "regression":
        scores = targets + rng.normal(0, 0.4, targets.shape)
    elif task == "multi-label":
        scores = np.clip(0.5 + (targets - 0.5) * 0.5 + rng.uniform(-0.4, 0.4, targets.shape), 0.01, 0.99)
    else:
        wish = targets if targets.ndim == 2 else np.eye(classes)[targets]
        weights = wish * 0.7 + rng.random((count, classes))
        scores = weights / weights.sum(axis=1, keepdims=True)
        votes = np.asarray(wish * 0.8 + 0.2 / classes).astype(np.float32)
    groups = np.array([f"g{index % 10}" for index in range(count)])
    return Scored(targets, scores.astype(np.float64), class_names(classes), groups, votes)


def extreme(task: Task, classes: int, *, perfect: bool) -> Scored:
    """Predictions that are all right, or all wrong."""
    scored = usual(task, classes)
    targets = np.asarray(scored.targets)
    if task == "regression":
        scores = targets if perfect else -targets
    elif task == "multi-label":
        scores = np.abs((targets if perfect else 1 - targets) - NEARLY)
    elif task == "soft-labels" and perfect:
        scores = targets
    else:
        hard = targets if targets.ndim == 1 else targets.argmax(axis=1)
        told = hard if perfect else (hard + 1) % classes
        scores = np.eye(classes)[told] * (1 - NEARLY * classes) + NEARLY
    return replace(scored, scores=scores.astype(np.float64))


def _targets(task: Task, classes: int, count: int, rng: np.random.Generator) -> np.ndarray:
    hard = rng.permutation(np.arange(count) % classes)
    if task == "single-label":
        return hard.astype(np.int64)
    if task == "regression":
        return rng.uniform(-1, 1, (count, classes)).astype(np.float32)
    if task == "multi-label":
        flags: np.ndarray = np.maximum(np.eye(classes)[hard], rng.random((count, classes)) < 0.3).astype(np.float32)
        return flags
    votes = np.eye(classes)[hard] * 2 + rng.random((count, classes))
    return np.asarray(votes / votes.sum(axis=1, keepdims=True)).astype(np.float32)


def _cases(metric: Metric) -> list[tuple[str, Scored]]:
    return [(f"{task}, {k} classes", usual(task, k)) for task in metric.tasks for k in CLASS_COUNTS]


def finite(subject: Subject[Metric]) -> Outcome:
    """On usual predictions it gives finite values of its kind's shape, within 0 and 1 where it is a share."""
    metric, faults = subject.item, []
    for what, scored in _cases(metric):
        value, k = np.asarray(metric.compute(scored), np.float64), len(scored.classes)
        wanted = {"scalar": (), "vector": (k,), "matrix": (k, k)}[metric.kind]
        if value.shape != wanted:
            faults.append(f"{what}: a value of shape {list(value.shape)}, not {list(wanted)}")
        elif not np.isfinite(value).all():
            faults.append(f"{what}: {value.tolist()}")
        elif metric.percent and not bool(((value >= 0) & (value <= 1)).all()):
            faults.append(f"{what}: {value.tolist()}, though percent=True says it is a fraction")
    return first_fault(faults, good=", ".join(what for what, _ in _cases(metric)))


def direction(subject: Subject[Metric]) -> Outcome:
    """Predictions that are all right are worth at least as much as those that are all wrong."""
    metric, faults = subject.item, []
    if metric.kind != "scalar":
        return skipped(f"it is a {metric.kind}")
    sign, shown = (1 if metric.higher_is_better else -1), []
    for task in metric.tasks:
        best, worst = (float(metric.compute(extreme(task, 5, perfect=right))) for right in (True, False))
        middle = float(metric.compute(usual(task, 5)))
        shown.append(f"{best:.3g} / {middle:.3g} / {worst:.3g}")
        if not sign * best >= sign * worst - 1e-9:
            faults.append(f"{task}: all right {best:.4g}, all wrong {worst:.4g}")
    mend = f"higher_is_better is {metric.higher_is_better}: is it the other way round?"
    return first_fault(faults, mend, f"all right / usual / all wrong: {'; '.join(shown)}")


def order(subject: Subject[Metric]) -> Outcome:
    """The order of the samples makes no difference."""
    metric, faults = subject.item, []
    for what, scored in _cases(metric):
        rows = np.random.default_rng(1).permutation(len(scored.targets))
        shuffled = scored.take(rows)
        if not _same(metric.compute(scored), metric.compute(shuffled)):
            faults.append(f"{what}: {metric.compute(scored)} and, shuffled, {metric.compute(shuffled)}")
    return first_fault(faults)


def shortcuts(subject: Subject[Metric]) -> Outcome:
    """``of_confusion``, and ``sums`` with ``of_sums``, give what ``compute`` gives, also for many at once."""
    metric, faults = subject.item, []
    if (metric.sums is None) != (metric.of_sums is None):
        return failed("it has one of sums and of_sums alone", "Give both, or neither.")
    if metric.of_confusion is None and metric.sums is None:
        return skipped("it has none; its intervals are computed sample by sample")
    for task in metric.tasks:
        scored = [usual(task, 5, seed) for seed in range(3)]
        wanted = np.array([float(metric.compute(one)) for one in scored])
        if metric.of_confusion is not None:
            faults += _differing(
                f"{task}: of_confusion", metric.of_confusion(np.stack([*map(confusion, scored)])), wanted
            )
        if metric.sums is not None and metric.of_sums is not None:
            sums = np.stack([np.asarray(metric.sums(one), np.float64).sum(axis=0) for one in scored])
            faults += _differing(f"{task}: of_sums", metric.of_sums(sums), wanted)
    return first_fault(faults)


def confusion(scored: Scored) -> np.ndarray:
    """Counts float64 [k, k]; rows are true classes. A soft label counts as its most probable class."""
    targets = np.asarray(scored.targets)
    truth, told = targets if targets.ndim == 1 else targets.argmax(axis=1), scored.scores.argmax(axis=1)
    matrix = np.zeros((len(scored.classes),) * 2)
    np.add.at(matrix, (truth, told), 1)
    return matrix


def _differing(what: str, given: Any, wanted: np.ndarray) -> list[str]:
    values = np.asarray(given, np.float64)
    if values.shape != wanted.shape:
        return [f"{what} gives values of shape {list(values.shape)} for {len(wanted)} at once"]
    return [] if _same(values, wanted) else [f"{what} gives {values.tolist()}, compute {wanted.tolist()}"]


def _same(first: Any, second: Any) -> bool:
    return bool(np.allclose(np.asarray(first, float), np.asarray(second, float), rtol=1e-7, atol=1e-9, equal_nan=True))


def undefined(subject: Subject[Metric]) -> Outcome:
    """On one sample, or one class alone, it gives a number or NaN, never an exception."""
    metric, faults = subject.item, []
    for task in metric.tasks:
        whole = usual(task, 5)
        targets = np.asarray(whole.targets)
        alike = np.flatnonzero((targets if targets.ndim == 1 else targets.argmax(axis=1)) == 0)
        for what, rows in (("one sample", alike[:1]), ("one class", alike)):
            try:
                metric.compute(whole.take(rows))
            except Exception as error:
                faults.append(f"{task}, {what}: it {described(error)}")
    return first_fault(faults, "Return NaN where the metric is not defined.")


def documented(subject: Subject[Metric]) -> Outcome:
    """It says in a line what it measures."""
    return passed(subject.item.description) if subject.item.description else noted("it has no description")
