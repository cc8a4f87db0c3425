"""A cell that was brought: its form and id are checked, samples and labels compared, metrics computed anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow.parquet as pq

from ferbench.data.table import write_table
from ferbench.errors import DataError, SettingsError
from ferbench.evaluating.evaluation import write_evaluation
from ferbench.evaluating.setup import full_name, recipe_of
from ferbench.identity import RowKey, cell_id, digest
from ferbench.plugins import Installed
from ferbench.reporting.samples import sample_facts
from ferbench.running.importing import Selection
from ferbench.running.records import Place
from ferbench.sharing.files import check_files
from ferbench.sharing.forms import (
    KEPT_HERE,
    CellForm,
    EnvironmentForm,
    EvaluationForm,
    MetricsForm,
    StatusForm,
    read_form,
)
from ferbench.sharing.tables import classes_in, read_strict_predictions, read_strict_table
from ferbench.sharing.truth import Truth, check_samples, check_table, doubts_of_code, facts_here, find_place, truth_of
from ferbench.sharing.unpacking import Unpacked
from ferbench.store.files import write_json
from ferbench.store.predictions import Predictions
from ferbench.store.store import CellFolder

TOLERANCE = 1e-6
"""Metrics that differ by more, relative to their size, are other ones."""


@dataclass(frozen=True)
class Verified:
    """A cell of a pack that may go into the store.

    ``labels``: why its labels could not be checked; ``code``: why its code is not known here; empty where all is well.
    ``remarks``: what was brought otherwise than it is here.
    """

    folder: CellFolder
    label: str
    pack: str
    origin: str
    requires: tuple[str, ...]
    labels: str
    code: str
    remarks: tuple[str, ...]


@dataclass
class Verifier:
    """Checks the cells of one pack where they were unpacked, and brings their files into the form of this machine.

    ``merged`` is what each cell's ``status.json`` shall say of the pack.
    """

    pack: Unpacked
    installed: Installed
    merged: Mapping[str, Any]
    places: dict[tuple[str, ...], Place | str] = field(default_factory=dict)
    truths: dict[tuple[Any, ...], Truth] = field(default_factory=dict)

    def tables(self) -> None:
        """Check the tables of the data sets, and keep nothing of their files but what was checked."""
        for path in sorted((self.pack.folder / "datasets").glob("*.parquet")):
            table = read_strict_table(path, self.pack.label(path))
            pq.write_table(table, path, compression="zstd")

    def cell(self, path: Path) -> Verified:
        """Check one cell. Raises DataError."""
        folder, name = CellFolder(path), self.pack.label(path)
        record = self._record(folder, name)
        given = read_form(StatusForm, path / "status.json", f"{name}/status.json")
        status = {key: value for key, value in given.items() if key not in KEPT_HERE}
        write_json(path / "status.json", status)  # before anything is read by the seals in it
        known = (path / "environment.json").exists()
        environment = read_form(EnvironmentForm, path / "environment.json", f"{name}/environment.json") if known else {}
        check_files(path, name)
        name = f"{name} ({record['label']})"
        imported = record["facts"].get("kind") == "imported"
        truth = self._truth(record["row"], record["fold"], record["row"]["division"])
        folds = record["folds"] if truth.place is None else len(truth.place.division.folds)
        if truth.splits is not None and folds != record["folds"]:
            raise DataError(
                f"{name} is refused: it names {record['folds']} as the number of folds, its protocol has {folds}."
            )
        code = "" if imported else doubts_of_code(record, self.installed)
        facts = facts_here(record, truth, self.installed, not code)
        remarks = _changes(record["facts"], facts)
        record = {**record, "facts": facts}
        further: dict[str, str] = {}
        if status["state"] == "done":
            remarks += self._results(folder, record, truth, status, name)
            for key in _evaluations(folder):
                further[key], differing = self._evaluation(folder, record, key, name)
                remarks += differing
        write_json(path / "cell.json", record)
        told = {"labels": truth.why, "code": code, "remarks": remarks, "evaluations": further}
        write_json(path / "status.json", {**status, "merged": {**self.merged, **told}})
        origin = ", ".join(filter(None, [environment.get("machine"), environment.get("device_name")]))
        requires = tuple(key for role, key in record["requires"].items() if "/" not in role)
        doubts = (truth.why, code, tuple(remarks))
        return Verified(folder, record["label"], self.pack.source.name, origin, requires, *doubts)

    def _record(self, folder: CellFolder, name: str) -> dict[str, Any]:
        record = read_form(CellForm, folder.path / "cell.json", f"{name}/cell.json")
        unknown = sorted(set(record["row"]) - {each.name for each in fields(RowKey)})
        if unknown:
            raise DataError(f"{name} is refused: nothing here knows row.{unknown[0]}; update ferbench if it is newer.")
        row = RowKey(**record["row"])
        identity = cell_id(row, record["seed"], record["fold"], record["requires"], record["sources"], record["engine"])
        if not identity == record["id"] == folder.id or row.id != record["row_id"]:
            raise DataError(f"{name} is refused: its id is not that of what it holds ({identity}); it was altered.")
        if record["fold"] >= record["folds"]:
            raise DataError(f"{name} is refused: it has {record['folds']} folds, and this is fold {record['fold']}.")
        imported, model = record["facts"].get("kind") == "imported", full_name(record["row"])
        if imported and (model in self.installed.names("models") or record["sources"]):
            raise DataError(
                f"{name} is refused: it says that it was imported, yet it is of an installed model or code."
            )
        try:
            if not (imported and record["row"]["recipe"].get("selection") in get_args(Selection)):
                recipe_of(record["row"]["recipe"])
        except SettingsError as error:
            raise DataError(f"{name} is refused: its recipe is none that this ferbench knows. {error}") from None
        here = {info.name: info.location for info in self.installed.plugins if not info.package}
        files = {"plugin_files": record["plugins"], "metric_files": record.get("metric_plugins", [])}
        # Never a place that a stranger names.
        return {**record, **{key: [here[name] for name in names if name in here] for key, names in files.items()}}

    def _truth(self, row: Mapping[str, Any], fold: int, division: str | None = None) -> Truth:
        where = (row["dataset"], row["fingerprint"], row["protocol"])
        if where not in self.places:
            place = self.places[where] = find_place(self.installed, *where)
            if not isinstance(place, str):
                write_table(place.loaded, self._table(row))  # the data set's own is what counts
        key = (*where, fold, division)
        if key not in self.truths:
            self.truths[key] = truth_of(self.places[where], fold, division)
        return self.truths[key]

    def _table(self, row: Mapping[str, Any]) -> Path:
        return self.pack.folder / "datasets" / f"{row['fingerprint']}.parquet"

    def _results(
        self, folder: CellFolder, record: Mapping[str, Any], truth: Truth, status: dict[str, Any], name: str
    ) -> list[str]:
        """Check predictions, and replace the metrics by those that are computed here. Returns what differs."""
        facts, path = record["facts"], folder.path
        label = f"{self.pack.label(path)}/metrics.json"
        brought = read_form(MetricsForm, path / "metrics.json", label)
        place = {**record["row"], "folds": record["folds"]}
        found, odd = self._checked(path, facts["classes"], truth, place, facts.get("kind") != "imported", name)
        kept = {"train": brought.get("train", {}), "chosen_epoch": brought.get("chosen_epoch")}
        faults, remarks = self._measured(path, found, place, facts["task"], kept, brought)
        status["metric_faults"] = faults
        return odd + remarks

    def _evaluation(self, folder: CellFolder, record: Mapping[str, Any], key: str, name: str) -> tuple[str, list[str]]:
        """Check a further evaluation. Returns why its labels could not be checked (or nothing), and what differs."""
        path, name = folder.path / "evaluations" / key, f"{name}, evaluation {key}"
        label = self.pack.label(path)
        asked = read_form(EvaluationForm, path / "evaluation.json", f"{label}/evaluation.json")
        brought = read_form(MetricsForm, path / "metrics.json", f"{label}/metrics.json")
        if digest({name: value for name, value in asked.items() if name not in ("seen", "left_out")}) != key:
            raise DataError(f"{name} is refused: its id is not that of what it holds; it was altered.")
        own = all(asked[each] == record["row"][each] for each in ("dataset", "protocol", "fingerprint"))
        truth = self._truth(asked, record["fold"] if own else 0)
        classes = classes_in(path / "predictions.parquet", f"{label}/predictions.parquet")
        place = {**asked, "folds": record["folds"] if own else 1}
        found, odd = self._checked(path, classes, truth, place, True, name)
        task = record["facts"]["task"] if truth.place is None else truth.place.loaded.dataset.task
        _, differing = self._measured(path, found, place, task, {}, brought)
        return truth.why, [f"evaluation {key}: {text}" for text in odd + differing]

    def _checked(
        self, path: Path, classes: list[str], truth: Truth, place: Mapping[str, Any], val: bool, name: str
    ) -> tuple[Predictions, list[str]]:
        """Predictions that are those of the protocol, and what is odd about them although it may be right."""
        found = read_strict_predictions(
            path / "predictions.parquet", f"{self.pack.label(path)}/predictions.parquet", classes
        )
        if truth.splits is not None:
            check_samples(found, truth, val, name)
            return found, []
        return found, check_table(found, self._table(place), place["protocol"], place["folds"], name)

    def _measured(
        self,
        path: Path,
        found: Predictions,
        place: Mapping[str, Any],
        task: Any,
        kept: Mapping[str, Any],
        brought: Mapping[str, Any],
    ) -> tuple[list[str], list[str]]:
        """Write predictions and metrics anew; return faults of metrics, and which were brought with other values."""
        metrics = [self.installed.metric(each) for each in self.installed.names("metrics")]
        table, folds = self._table(place), np.zeros(len(found.ids), np.int64)
        votes = sample_facts(table, place["protocol"], "sample", found.ids, folds, (), found.classes).votes
        faults = write_evaluation(path, found, metrics, task, kept, votes)
        return faults, list(_differences(brought, CellFolder(path).metrics()))


def _evaluations(folder: CellFolder) -> list[str]:
    path = folder.path / "evaluations"
    return sorted(each.name for each in path.iterdir()) if path.exists() else []


def _changes(brought: Mapping[str, Any], ours: Mapping[str, Any]) -> list[str]:
    """What was said of a cell and is otherwise here."""
    keys = [key for key in ours if key != "reported" and brought.get(key) != ours[key] and key in brought]
    return [f"{key} was {brought[key]!r}, here it is {ours[key]!r}" for key in keys]


def _differences(brought: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    """Metrics of val and test that were brought with another value, or that nothing here computes."""
    for side in ("test", "val"):
        theirs = brought.get(side)
        for name, value in (theirs if isinstance(theirs, dict) else {}).items():
            known = ours.get(side, {}).get(name)
            if name in ours.get(side, {}) and not _same(value, known):
                shown = f"{value} was brought, {known} is right" if isinstance(known, float) else "other values brought"
                yield f"{name} of {side}: {shown}"
            elif name not in ours.get(side, {}) and side == "test":
                yield f"{name} of test was brought, and cannot be computed here"


def _same(a: Any, b: Any) -> bool:
    try:
        first, second = np.array(a, dtype=np.float64), np.array(b, dtype=np.float64)
    except (ValueError, TypeError):
        return False
    return first.shape == second.shape and np.allclose(first, second, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
