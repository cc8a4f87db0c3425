"""Predictions made elsewhere as a row of the leaderboard: samples checked, metrics computed here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ferbench.auditing.keeping import join_results
from ferbench.data.registry import load
from ferbench.data.splits import make_splits
from ferbench.data.summary import describe_division
from ferbench.data.table import write_table
from ferbench.errors import Problem, SettingsError
from ferbench.evaluating.evaluation import predictions_of, write_evaluation
from ferbench.evaluating.setup import find_protocol
from ferbench.identity import ENGINE_VERSION, RowKey, cell_id
from ferbench.plugins import Installed
from ferbench.running.outside import arrange, read_outside
from ferbench.running.records import SCHEMA, Place
from ferbench.store.files import write_json
from ferbench.store.store import Store
from ferbench.store.uses import note_cell

Selection = Literal["best-val", "last", "oracle", "unknown"]


@dataclass(frozen=True)
class Origin:
    """What its maker says of an outside result; none of it can be checked here."""

    name: str
    seed: int = 0
    fold: int = 0
    selection: Selection = "unknown"
    extra_data: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.+-]{1,60}", self.name):
            message = f"{self.name!r} is no name; use letters, digits and . _ + -, 60 at most"
            raise SettingsError([Problem("--name", message)])


def import_predictions(path: Path, place: str, origin: Origin, out: Path, installed: Installed) -> str:
    """Keep the predictions in ``path`` as a finished cell of ``out``; return its id.

    ``place``: ``NAME`` or ``NAME@PROTOCOL``. Another file of the same name, seed and fold takes its place. The cell
    joins those of the latest run, so that the leaderboard shows it. Raises DataError when the samples are not the
    protocol's test side, SettingsError, UnknownNameError.
    """
    dataset, protocol = installed.place(place)
    loaded, rule = load(dataset), find_protocol(dataset, protocol)
    where = Place(loaded, rule, describe_division(loaded, rule))
    _check(where, origin, installed)
    splits = make_splits(loaded, rule, origin.fold)
    found = read_outside(path, splits.test.classes)
    scores = arrange(found, splits.test, loaded, f"the test side of {dataset.name}@{rule.name}")
    record = _record(where, origin, found.decided)
    store = Store(out, create=True)
    folder = store.cell(record["id"])
    write_table(loaded, store.dataset_table(loaded.fingerprint), (rule.name,))
    join_results(loaded, store)
    write_json(folder.path / "cell.json", record)
    metrics = [installed.metric(each) for each in installed.names("metrics")]
    predictions = predictions_of({"test": (splits.test, scores)})
    faults = write_evaluation(folder.path, predictions, metrics, dataset.task, {})
    note_cell(folder, "import")
    folder.finish(ended=_now(), notes=[], metric_faults=faults)
    join_latest_run(store, [folder.id])
    return folder.id


def _check(where: Place, origin: Origin, installed: Installed) -> None:
    dataset, folds = where.loaded.dataset, len(where.division.folds)
    problems = []
    if dataset.task != "single-label":
        message = f"the task of {dataset.name} is {dataset.task}; only single labels can be imported"
        problems.append(Problem("--dataset", message))
    if origin.name in installed.names("models"):
        problems.append(Problem("--name", f"{origin.name!r} is an installed model; its rows are measured here"))
    if origin.fold >= folds:
        problems.append(
            Problem("--fold", f"{origin.fold}: {dataset.name}@{where.rule.name} has folds 0 to {folds - 1}")
        )
    if problems:
        raise SettingsError(problems)


def _record(where: Place, origin: Origin, decided: bool) -> dict[str, Any]:
    """``cell.json``: as that of a trained cell, but that no code made it."""
    row = RowKey(
        dataset=where.loaded.dataset.name,
        fingerprint=where.loaded.fingerprint,
        protocol=where.rule.name,
        division=where.division.digest,
        sampler="plain",
        model=origin.name,
        recipe={"selection": origin.selection},
    )
    place = f"{row.dataset}@{row.protocol}"
    return {
        "schema": SCHEMA,
        "row_id": row.id,
        "row": row.as_dict(),
        "engine": ENGINE_VERSION,
        "id": cell_id(row, origin.seed, origin.fold, {}, {}),
        "label": f"{origin.name} · {place} · seed {origin.seed} · imported",
        "seed": origin.seed,
        "fold": origin.fold,
        "folds": len(where.division.folds),
        "requires": {},
        "sources": {},
        "plugins": [],
        "plugin_files": [],
        "facts": _facts(where, origin, decided),
        "run": {},
    }


def _facts(where: Place, origin: Origin, decided: bool) -> dict[str, Any]:
    dataset, sizes = where.loaded.dataset, where.division.folds[origin.fold]
    notes = ["imported: computed from predictions that were made elsewhere"]
    notes += ["only predicted classes are known: what needs probabilities means nothing"] if decided else []
    notes += [f"from {origin.url}"] if origin.url else []
    return {
        "kind": "imported",
        "task": dataset.task,
        "classes": list(sizes.classes),
        "ranking": where.rule.ranking or where.rule.name,
        "unit": where.rule.unit,
        "n_train": sizes.n_train,
        "n_val": sizes.n_val,
        "n_test": sizes.n_test,
        "notes": [*notes, *sizes.notes],
        "partial": where.loaded.partial,
        "synthetic": dataset.synthetic,
        "deterministic": False,
        "floor": False,
        "estimator": False,
        "extra_data": origin.extra_data,
    }


def join_latest_run(store: Store, keys: Sequence[str], first: Mapping[str, Any] | None = None) -> str:
    """Record a run of the latest one's cells and these, where they are not all among them; return its id.

    ``first``: the suite and the rows' names to begin with where the store has no run.
    """
    latest = store.run() if store.run_ids() else {"suite": {"name": "imported"}, "skipped": [], **(first or {})}
    cells = list(latest.get("cells", []))
    new = [key for key in keys if key not in cells]
    if not new:
        return str(latest.get("id", ""))
    rows = {**(first or {}).get("rows", {}), **latest.get("rows", {})}
    changes = {"id": store.new_run_id(), "started": _now(), "cells": [*cells, *new], "rows": rows}
    store.write_run({"schema": SCHEMA, **latest, **changes})
    return str(changes["id"])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
