"""Ensembles of finished cells as rows of the store: computed from stored predictions, never trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.errors import StoreError
from ferbench.evaluating.combining import Joint, decide, joined
from ferbench.evaluating.evaluation import write_evaluation
from ferbench.nouns.metric import Metric
from ferbench.plugins import Installed
from ferbench.reporting.pairing import Comparison, compared
from ferbench.reporting.rows import Cell, assemble
from ferbench.running.ensemble_plan import Asked, PlannedEnsemble
from ferbench.running.importing import join_latest_run
from ferbench.running.members import Member, used_part
from ferbench.store.files import write_json
from ferbench.store.predictions import Predictions
from ferbench.store.store import Store
from ferbench.store.uses import note_cell

SIDES = ("val", "test")
SUMS = ("params", "flops", "train_seconds")
"""Costs of an ensemble: those of its members together."""


def make_ensemble(out: Path, planned: PlannedEnsemble, installed: Installed) -> dict[str, Any]:
    """Compute the planned cells, keep them, join the latest run; return what was found as plain data.

    The same members and rule give the same bytes. Raises StoreError where predictions are missing or of other samples.
    """
    store = Store(out)
    metrics = [installed.metric(name) for name in installed.names("metrics")]
    decided = {}
    for key, joins in planned.cells.items():
        predictions, joint = _joined(planned.asked, planned.members, joins)
        folder = store.cell(key)
        write_json(folder.path / "cell.json", planned.records[key])
        task = planned.records[key]["facts"]["task"]
        faults = write_evaluation(folder.path, predictions, metrics, task, {})
        notes = _notes(planned, joint, planned.records[key])
        note_cell(folder, "ensemble")
        folder.finish(ended=_now(), notes=notes, metric_faults=faults, **_costs(joins, joint))
        decided[key] = asdict(joint)
    join_latest_run(store, list(planned.cells))
    return _found(out, planned, decided, installed)


def _joined(asked: Asked, members: Sequence[Member], joins: Sequence[Cell]) -> tuple[Predictions, Joint]:
    found = [cell.folder.predictions() for cell in joins]
    sides = {side: _aligned([each.side(side) for each in found], members, side) for side in SIDES}
    val, targets = sides["val"]
    if asked.looks_at_val and not len(targets.ids):
        raise StoreError("A member has no predictions of val, on which members are chosen and weighed.")
    if asked.looks_at_val:
        truth = targets.targets if targets.targets.ndim == 1 else targets.targets.argmax(axis=1)
        joint = decide(asked.rule, val, truth, asked.choose, asked.diversity, asked.weigh)
    else:
        joint = Joint(tuple(range(len(joins))))
    kept = {side: each for side, each in sides.items() if len(each[1].ids)}
    parts = [each for _, each in kept.values()]
    predictions = Predictions(
        split=np.concatenate([part.split for part in parts]),
        ids=np.concatenate([part.ids for part in parts]),
        targets=np.concatenate([part.targets for part in parts]),
        scores=np.concatenate([joined(asked.rule, scores, joint) for scores, _ in kept.values()]).astype(np.float32),
        classes=parts[0].classes,
    )
    return predictions, joint


def _aligned(parts: Sequence[Predictions], members: Sequence[Member], side: str) -> tuple[np.ndarray, Predictions]:
    """Scores of one side, float64 [m, n, k], in the first member's order; none where a member lacks the side."""
    if side == "val" and not all(len(part.ids) for part in parts):
        parts = [part.side("none") for part in parts]
    scores = []
    for member, part in zip(members, parts, strict=True):
        order = np.argsort(part.ids)[np.argsort(np.argsort(parts[0].ids))]
        same = np.array_equal(part.ids[order], parts[0].ids) and np.array_equal(part.targets[order], parts[0].targets)
        if not same or part.classes != parts[0].classes:
            raise StoreError(f"{member.name} was scored on other {side} samples than {members[0].name}.")
        scores.append(part.scores[order].astype(np.float64))
    return np.stack(scores), parts[0]


def _notes(planned: PlannedEnsemble, joint: Joint, record: Mapping[str, Any]) -> list[str]:
    """What val decided; with the seed (and fold) where several are joined, since each decides for itself."""
    where = f"seed {record['seed']}" + (f", fold {record['fold']}" if record["folds"] > 1 else "")
    begin = f"{where}: " if len(planned.cells) > 1 else ""
    names = [member.name for member in planned.members]
    used = [names[i] for i in joint.members]
    notes = [f"{begin}chosen on val: {', '.join(used)}"] if planned.asked.choose else []
    if joint.weights:
        notes.append(f"{begin}weights: " + ", ".join(f"{n} {w:.2f}" for n, w in zip(used, joint.weights, strict=True)))
    if joint.experts:
        classes = planned.members[0].row.facts["classes"]
        notes.append(
            f"{begin}by class: " + ", ".join(f"{c} {used[i]}" for c, i in zip(classes, joint.experts, strict=True))
        )
    return [
        *notes,
        *(["val used for fitting: its val score is not of unused samples"] if planned.asked.looks_at_val else []),
    ]


def _costs(joins: Sequence[Cell], joint: Joint) -> dict[str, Any]:
    used = [joins[i].status for i in joint.members]
    known = {name: [status.get(name) for status in used] for name in SUMS}
    return {name: sum(values) for name, values in known.items() if all(value is not None for value in values)}


def _found(out: Path, planned: PlannedEnsemble, decided: Mapping[str, Any], installed: Installed) -> dict[str, Any]:
    """The ensemble beside its best single member, which is chosen on val."""
    store = Store(out)
    own = [Cell(store.cell(key), out, planned.records[key], store.cell(key).status) for key in planned.cells]
    row = assemble(own[0].record["row_id"], own, [])
    assert row is not None  # all of its cells were just written
    metric = _metric(row.facts["task"], installed)
    joins = [cell for cells in planned.cells.values() for cell in cells]
    parts = {member.name: used_part(member, joins) for member in planned.members}
    on_val = {name: _on_val(part.cells, metric) for name, part in parts.items()}
    sign = 1 if metric.higher_is_better else -1
    known = {name: sign * value for name, value in on_val.items() if value is not None}
    best = max(known, key=lambda name: known[name]) if known else None
    pair = compared(row, parts[best], metric) if best else None
    return {
        "name": planned.asked.row_name,
        "rule": planned.asked.rule,
        "row": row.id,
        "cells": {key: [cell.id for cell in cells] for key, cells in planned.cells.items()},
        "decided": dict(decided),
        "metric": metric.name,
        "members": {
            name: {"row": part.id, "val": on_val[name], "test": _mean(part.cells, "test", metric)}
            for name, part in parts.items()
        },
        "val": _on_val(row.cells, metric),
        "test": _mean(row.cells, "test", metric),
        "best_member": best,
        "difference": _difference(pair),
    }


def _difference(pair: Comparison | None) -> dict[str, float] | None:
    if pair is None:
        return None
    return {"value": pair.first - pair.second, "ci_low": pair.low, "ci_high": pair.high, "p": pair.p}


def _metric(task: str, installed: Installed) -> Metric:
    """Accuracy, or the first scalar metric of a task that has none."""
    metrics = [installed.metric(name) for name in installed.names("metrics")]
    fitting = [metric for metric in metrics if task in metric.tasks and metric.kind == "scalar" and not metric.votes]
    return next((metric for metric in fitting if metric.name == "accuracy"), fitting[0])


def _on_val(cells: Sequence[Cell], metric: Metric) -> float | None:
    return _mean(cells, "val", metric)


def _mean(cells: Sequence[Cell], side: str, metric: Metric) -> float | None:
    values = [cell.folder.metrics().get(side, {}).get(metric.name) for cell in cells]
    return None if any(value is None for value in values) else float(np.mean(values))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
