"""One row: the cells of a method that differ only in seed and fold, their test predictions pooled."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.errors import StoreError
from ferbench.identity import with_options
from ferbench.nouns.metric import Scored
from ferbench.reporting.board import Failure
from ferbench.store.marks import selection_of, trained_on_val
from ferbench.store.store import CellFolder

_ENVIRONMENT = ("device", "device_name", "threads", "precision", "python", "platform", "cuda", "versions")


@dataclass(frozen=True)
class Cell:
    """A cell's folder, read once."""

    folder: CellFolder
    out: Path
    record: Mapping[str, Any]
    status: Mapping[str, Any]

    @property
    def id(self) -> str:
        """The cell's id."""
        return str(self.record["id"])

    @property
    def done(self) -> bool:
        """Whether it has results."""
        return bool(self.status["state"] == "done")


@dataclass(frozen=True)
class Row:
    """One row before any statistics.

    ``cells``: those of the complete seeds. ``scored``: test predictions of each complete seed, the samples of its folds
    pooled; samples stand in the same order for all. ``ids``: str [n], ``folds_of``: int [n]. ``planned``: seeds asked
    for. ``name``: what the suite calls it, where it names its rows.
    """

    id: str
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...]
    planned: int
    scored: tuple[Scored, ...]
    ids: np.ndarray
    folds_of: np.ndarray
    name: str = ""

    @property
    def record(self) -> Mapping[str, Any]:
        """``cell.json`` of the first cell."""
        return self.cells[0].record

    @property
    def key(self) -> Mapping[str, Any]:
        """The row key."""
        key: Mapping[str, Any] = self.record["row"]
        return key

    @property
    def table(self) -> Path:
        """The table of its data set in the store; it may be missing."""
        return self.cells[0].out / "datasets" / f"{self.key['fingerprint']}.parquet"

    @property
    def facts(self) -> Mapping[str, Any]:
        """Facts of the plan."""
        facts: Mapping[str, Any] = self.record["facts"]
        return facts

    @property
    def folds(self) -> int:
        """Folds of the protocol."""
        return int(self.record["folds"])

    @property
    def model(self) -> str:
        """``model`` or ``model@variant``."""
        return f"{self.key['model']}@{self.key['variant']}" if self.key["variant"] else str(self.key["model"])

    @property
    def sampler(self) -> str:
        """Its sampler, with options that are not its own: ``smote (space=features)``."""
        return with_options(self.key["sampler"], self.key["sampler_options"], self.facts.get("sampler_modified", []))

    @property
    def selection(self) -> str:
        """How the weights were chosen (see :func:`ferbench.store.marks.selection_of`)."""
        return selection_of(self.record)

    @property
    def merged(self) -> list[Mapping[str, Any]]:
        """What was noted of its cells that were trained elsewhere and merged (``merged`` in ``status.json``)."""
        return [cell.status["merged"] for cell in self.cells if cell.status.get("merged")]

    @property
    def unchecked(self) -> str:
        """Why labels of merged cells could not be checked here; empty where they were."""
        return next((str(item["labels"]) for item in self.merged if item["labels"]), "")

    @property
    def kind(self) -> str:
        """``imported``, ``merged`` where something of a merged cell could not be checked here, else ``measured``."""
        doubtful = any(item["labels"] or item["code"] for item in self.merged)
        return str(self.facts.get("kind") or ("merged" if doubtful else "measured"))

    @property
    def training_sides(self) -> tuple[str, ...]:
        """Sides on which the model or one that it requires was trained: ``train``, and ``val`` where one says so."""
        return ("train", "val") if trained_on_val(self.record) else ("train",)

    @cached_property
    def train_metrics(self) -> dict[str, float]:
        """Metrics on the training side, mean over the cells."""
        known: dict[str, list[float]] = {}
        for cell in self.cells:
            for name, value in cell.folder.metrics().get("train", {}).items():
                if isinstance(value, int | float):
                    known.setdefault(name, []).append(float(value))
        return {name: float(np.mean(values)) for name, values in known.items()}

    def status_mean(self, name: str) -> float | None:
        """Mean over the cells of a number in ``status.json``; None where none has it."""
        values = [cell.status[name] for cell in self.cells if cell.status.get(name) is not None]
        return float(np.mean(values)) if values else None

    def status_same(self, name: str) -> int | None:
        """A number in ``status.json`` that all cells share; the first where they do not."""
        return next((int(cell.status[name]) for cell in self.cells if cell.status.get(name) is not None), None)

    def mixed_environment(self) -> list[str]:
        """What differs between the environments of the cells: ``device (cpu, cuda)``."""
        environments = [cell.folder.environment for cell in self.cells]
        mixed = []
        for name in _ENVIRONMENT:
            values = {
                json.dumps(environment.get(name), sort_keys=True): environment.get(name) for environment in environments
            }
            if len(values) > 1:
                nested = any(isinstance(value, dict | list) for value in values.values())
                mixed.append(name if nested else f"{name} ({', '.join(sorted(map(str, values.values())))})")
        return mixed


def assemble(row_id: str, cells: list[Cell], failures: list[Failure]) -> Row | None:
    """Pool the folds of every seed; seeds that lack one are left out. None where no seed is complete.

    What cannot be read of a seed goes to ``failures``.
    """
    by_seed: dict[int, dict[int, Cell]] = {}
    for cell in cells:
        by_seed.setdefault(int(cell.record["seed"]), {})[int(cell.record["fold"])] = cell
    complete: list[list[Cell]] = []
    scored: list[Scored] = []
    ids = folds_of = np.array([])
    for _, by_fold in sorted(by_seed.items()):
        done = [by_fold[fold] for fold in sorted(by_fold) if by_fold[fold].done]
        if len(done) < int(cells[0].record["folds"]):
            continue
        try:
            pooled, seed_ids, seed_folds = _pooled(done)
            if complete and not (np.array_equal(seed_ids, ids) and np.array_equal(pooled.targets, scored[0].targets)):
                raise StoreError("its test samples differ from those of the row's other seeds")
        except StoreError as error:
            failures.append(Failure(done[0].id, str(done[0].record["label"]), str(error)))
            continue
        ids, folds_of = seed_ids, seed_folds
        complete.append(done)
        scored.append(pooled)
    if not complete:
        return None
    seeds = tuple(int(done[0].record["seed"]) for done in complete)
    joined = tuple(cell for done in complete for cell in done)
    return Row(row_id, joined, seeds, len(by_seed), tuple(scored), ids, folds_of)


def _pooled(cells: Sequence[Cell]) -> tuple[Scored, np.ndarray, np.ndarray]:
    """Test predictions of all folds of a seed, ordered by fold and id."""
    parts = [cell.folder.predictions().side("test") for cell in cells]
    folds = np.concatenate(
        [np.full(len(part.ids), cell.record["fold"]) for cell, part in zip(cells, parts, strict=True)]
    )
    ids = np.concatenate([part.ids for part in parts])
    if not len(ids):
        raise StoreError("it has no predictions of test samples")
    order = np.lexsort((ids, folds))
    scores = np.concatenate([part.scores for part in parts])[order].astype(np.float64)
    if not np.isfinite(scores).all():
        raise StoreError("some of its scores are not finite")
    targets = np.concatenate([part.targets for part in parts])[order]
    return Scored(targets, scores, parts[0].classes), ids[order], folds[order]
