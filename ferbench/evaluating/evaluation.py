"""Evaluations: predictions of val and test, and the metrics computed from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.nouns.emotions import Task
from ferbench.nouns.metric import Metric, Scored
from ferbench.nouns.split import Split
from ferbench.store.files import write_json
from ferbench.store.predictions import Predictions, write_predictions

AXES = {"scalar": 0, "vector": 1, "matrix": 2}


def predictions_of(sides: Mapping[str, tuple[Split, np.ndarray]]) -> Predictions:
    """Join the scores [n, k] of several sides into one table."""
    splits = [split for split, _ in sides.values()]
    return Predictions(
        split=np.concatenate([np.full(len(split), name) for name, (split, _) in sides.items()]),
        ids=np.concatenate([np.asarray(split.ids, dtype=str) for split in splits]),
        targets=np.concatenate([np.asarray(split.targets) for split in splits]),
        scores=np.concatenate([scores for _, scores in sides.values()]),
        classes=splits[0].classes,
    )


def compute_metrics(metrics: Sequence[Metric], task: Task, scored: Scored) -> tuple[dict[str, Any], list[str]]:
    """Values of all metrics that take the task, as plain data (undefined: None), and what went wrong with others.

    Those that need votes are left out where there are none. A metric that raises is left out and named: it costs itself
    alone.
    """
    values: dict[str, Any] = {}
    faults: list[str] = []
    scored = scored.locked()
    for metric in metrics:
        if task not in metric.tasks or (metric.votes and scored.votes is None):
            continue
        try:
            value = np.asarray(metric.compute(scored), dtype=np.float64)
        except Exception as error:
            faults.append(f"Metric {metric.name} raised {type(error).__name__}: {error}")
            continue
        if value.ndim != AXES[metric.kind]:
            faults.append(f"Metric {metric.name} is a {metric.kind}, but returned an array of {value.ndim} axes.")
            continue
        values[metric.name] = plain(value.tolist())
    return values, faults


def plain(value: Any) -> Any:
    """Lists and numbers with None in place of what is not finite."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value if math.isfinite(value) else None


def write_evaluation(
    folder: Path,
    predictions: Predictions,
    metrics: Sequence[Metric],
    task: Task,
    facts: Mapping[str, Any],
    votes: np.ndarray | None = None,
) -> list[str]:
    """Write predictions first, then metrics per side with ``facts``; return what went wrong with metrics.

    ``votes``: shares of the annotators' votes of each sample, where there are some. Predictions are kept whatever
    happens to their scores.
    """
    write_predictions(folder / "predictions.parquet", predictions)
    return write_metrics(folder, predictions, metrics, task, facts, votes)


def write_metrics(
    folder: Path,
    predictions: Predictions,
    metrics: Sequence[Metric],
    task: Task,
    facts: Mapping[str, Any],
    votes: np.ndarray | None = None,
) -> list[str]:
    """Write metrics per side with ``facts``, as :func:`write_evaluation` does."""
    faults: list[str] = []
    sides: dict[str, Any] = {}
    for side in dict.fromkeys(predictions.split.tolist()):
        given = None if votes is None else votes[predictions.split == side]
        sides[side], wrong = compute_metrics(metrics, task, replace(predictions.side(side).scored(), votes=given))
        faults += [f"{side}: {fault}" for fault in wrong]
    write_json(folder / "metrics.json", {**sides, **facts, "faults": faults})
    return faults
