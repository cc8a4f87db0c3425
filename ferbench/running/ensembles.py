"""Ensembles of finished cells as rows of the store: computed from stored predictions, never trained."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.errors import Problem, SettingsError, StoreError
from ferbench.evaluating.combining import Diversity, Joint, Rule, decide, joined
from ferbench.evaluating.evaluation import write_evaluation
from ferbench.identity import ENGINE_VERSION, RowKey, cell_id
from ferbench.nouns.metric import Metric
from ferbench.plugins import Installed
from ferbench.reporting.pairing import Comparison, compared
from ferbench.reporting.rows import Cell, assemble
from ferbench.running.importing import join_latest_run
from ferbench.running.members import Member, find_members, paired, used_part
from ferbench.running.records import SCHEMA
from ferbench.store.files import write_json
from ferbench.store.marks import selection_of
from ferbench.store.predictions import Predictions
from ferbench.store.store import Store
from ferbench.store.uses import note_cell

SIDES = ("val", "test")
SUMS = ("params", "flops", "train_seconds")
"""Costs of an ensemble: those of its members together."""


@dataclass(frozen=True)
class Asked:
    """How members are to be joined. ``choose`` 0: all of them; ``weigh``: fit their shares on val.

    Raises SettingsError for settings that do not go together.
    """

    rule: Rule = "mean"
    choose: int = 0
    diversity: Diversity | None = None
    weigh: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        problems = []
        if self.diversity and not self.choose:
            problems.append(Problem("--diversity", "says how members are chosen; give --choose N as well"))
        if self.weigh and self.rule != "mean":
            problems.append(Problem("--weights", f"are of the rule mean; {self.rule} has none"))
        if self.name and not re.fullmatch(r"[\w.+-]{1,60}", self.name):
            problems.append(Problem("--name", f"{self.name!r} is no name; use letters, digits and . _ + -, 60 at most"))
        if problems:
            raise SettingsError(problems)

    @property
    def looks_at_val(self) -> bool:
        """Whether anything is chosen or fitted on val."""
        return bool(self.choose or self.weigh or self.rule == "class-tree")

    @property
    def row_name(self) -> str:
        """What the row is called."""
        return self.name or f"ensemble-{self.rule}"


@dataclass(frozen=True)
class PlannedEnsemble:
    """A row to be computed: a cell for each seed and fold, with the cells that it joins."""

    asked: Asked
    members: tuple[Member, ...]
    cells: Mapping[str, Sequence[Cell]]
    records: Mapping[str, dict[str, Any]]


def plan_ensemble(
    out: Path, names: Sequence[str], asked: Asked, installed: Installed, place: str = "", run: str | None = None
) -> PlannedEnsemble:
    """Look the members up and name the cells. Raises SettingsError, UnknownNameError or StoreError."""
    members = find_members(out, names, place, run)
    _check(asked, members, installed)
    cells: dict[str, Sequence[Cell]] = {}
    records: dict[str, dict[str, Any]] = {}
    for (seed, fold), joins in paired(members).items():
        record = _record(asked, members, joins, seed, fold)
        cells[record["id"]], records[record["id"]] = joins, record
    return PlannedEnsemble(asked, tuple(members), cells, records)


def _check(asked: Asked, members: Sequence[Member], installed: Installed) -> None:
    task, problems = members[0].row.facts["task"], []
    if task not in ("single-label", "soft-labels") and (asked.rule != "mean" or asked.looks_at_val):
        problems.append(Problem("--rule", f"for the task {task} there is only the plain mean"))
    if asked.choose and not 2 <= asked.choose <= len(members):
        problems.append(Problem("--choose", f"{asked.choose}: give 2 to {len(members)}, the number of members"))
    if asked.looks_at_val:
        problems += [
            Problem(
                member.name,
                "was trained or fitted on val, which can neither choose nor weigh it, nor say what it is best at; its "
                "scores may be joined by the rules mean, logit and vote",
            )
            for member in members
            if "val" in member.row.training_sides
        ]
    if asked.row_name in installed.names("models"):
        problems.append(Problem("--name", f"{asked.row_name!r} is an installed model; choose another"))
    if problems:
        raise SettingsError(problems)


def _record(asked: Asked, members: Sequence[Member], joins: Sequence[Cell], seed: int, fold: int) -> dict[str, Any]:
    """``cell.json``: as that of a trained cell, but that no code of a plugin made it."""
    first = joins[0].record
    roles = [f"member-{place}" for place in range(1, len(joins) + 1)]
    requires = {role: cell.id for role, cell in zip(roles, joins, strict=True)}
    options: dict[str, Any] = {"rule": asked.rule, "choose": asked.choose, "diversity": asked.diversity}
    options |= {"weights": asked.weigh} | ({"cells": list(requires.values())} if members[0].single else {})
    row = RowKey(
        **{name: first["row"][name] for name in ("dataset", "fingerprint", "protocol", "division", "limit", "small")},
        sampler="plain",
        model=asked.row_name,
        model_options=options,
        recipe={"selection": _selection(joins)},
        requires={role: str(cell.record["row_id"]) for role, cell in zip(roles, joins, strict=True)},
    )
    return {
        "schema": SCHEMA,
        "row_id": row.id,
        "row": row.as_dict(),
        "engine": ENGINE_VERSION,
        "id": cell_id(row, seed, fold, requires, {}),
        "label": f"{asked.row_name} · {row.dataset}@{row.protocol} · seed {seed} · ensemble",
        "seed": seed,
        "fold": fold,
        "folds": first["folds"],
        "requires": requires,
        "sources": {},
        "plugins": [],
        "plugin_files": [],
        "facts": _facts(asked, members, joins),
        "run": {},
    }


def _selection(joins: Sequence[Cell]) -> str:
    """How weights were chosen: what makes a member unranked makes the ensemble so; estimators have none to choose."""
    found = [selection_of(cell.record) for cell in joins]
    return next((each for each in ("oracle", "unknown", "best-val", "last") if each in found), "")


def _facts(asked: Asked, members: Sequence[Member], joins: Sequence[Cell]) -> dict[str, Any]:
    first = joins[0].record["facts"]
    copied = ("task", "classes", "ranking", "unit", "n_train", "n_val", "n_test", "partial", "synthetic")
    names = [m.row.model + (f" (seed {m.row.seeds[0]})" if m.single else "") for m in members]
    extra = dict.fromkeys(filter(None, (cell.record["facts"].get("extra_data", "") for cell in joins)))
    kinds = [member.row.kind for member in members]
    kind = next((each for each in ("imported", "merged") if each in kinds), "")
    return {
        **({"kind": kind} if kind else {}),
        **_marks(names, members),
        **{name: first[name] for name in copied},
        "ensemble": True,
        "fits": "val" if asked.looks_at_val else "train",
        "deterministic": all(cell.record["facts"].get("deterministic") for cell in joins),
        "floor": False,
        "estimator": False,
        "extra_data": ", ".join(extra),
        "notes": [f"ensemble of {', '.join(names)}", *_members_notes(names, joins)],
    }


def _marks(names: Sequence[str], members: Sequence[Member]) -> dict[str, list[str]]:
    """What of its members a reader must know to judge the ensemble; see :mod:`ferbench.running.inheriting`."""
    named = list(zip(names, members, strict=True))
    tried = [
        f"{name}, {facts['epochs']} epochs instead of {facts['recipe_epochs']}"
        for name, facts in ((name, member.row.facts) for name, member in named)
        if "epochs" in facts.get("modified", ()) and facts.get("recipe_epochs")
    ]
    tried += [what for member in members for what in member.row.facts.get("tried_out", ())]
    marks = {
        "oracle_in": [name for name, member in named if member.row.selection == "oracle"],
        "val_in": [name for name, member in named if "val" in member.row.training_sides],
        "tried_out": list(dict.fromkeys(tried)),
    }
    return {key: values for key, values in marks.items() if values}


def _members_notes(names: Sequence[str], joins: Sequence[Cell]) -> list[str]:
    """Notes of the members' plans: those that all share as they are, the others with the member's name."""
    notes = [list(map(str, cell.record["facts"].get("notes", []))) for cell in joins]
    shared = [note for note in notes[0] if all(note in each for each in notes)]
    own = zip(names, notes, strict=True)
    return [*(f"{name}: {note}" for name, each in own for note in each if note not in shared), *shared]


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
