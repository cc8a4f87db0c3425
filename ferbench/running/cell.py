"""A cell's own process: from ``cell.json`` to predictions on disk."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.data.votes import votes_of
from ferbench.errors import FerbenchError, StoreError
from ferbench.evaluating.evaluation import compute_metrics, predictions_of, write_metrics
from ferbench.evaluating.required import required_cells, val_note
from ferbench.evaluating.scoring import Scorer
from ferbench.evaluating.setup import Setup, metrics_of, rebuild
from ferbench.nouns.metric import Metric, Scored
from ferbench.nouns.suite import RunSettings
from ferbench.nouns.views import SingleView
from ferbench.running.cell_codes import DONE, FAILED, HELD, STORE_FAULT
from ferbench.running.environment import adopt, describe
from ferbench.running.fitting import Fitted, draw_sample, fit
from ferbench.running.sampled import sampled
from ferbench.store.files import remove_tree, write_json
from ferbench.store.lease import Lease, LeaseHeldError
from ferbench.store.predictions import write_predictions
from ferbench.store.store import CellFolder
from ferbench.store.uses import note_cell
from ferbench.training.memory import keep_freed_memory, peak_memory
from ferbench.training.precision import choose_device, seed_everything


def run_cell(path: Path) -> int:
    """Train and evaluate the cell in ``path``; return an exit code. Everything that happened is in its files."""
    folder = CellFolder(path)
    try:
        with Lease(path, lost=_stop_at_once):
            if folder.state == "done":
                return DONE
            return _run(folder)
    except LeaseHeldError as error:
        print(error, flush=True)
        return HELD
    except StoreError as error:
        print(f"The store failed: {error}", file=sys.stderr, flush=True)
        return STORE_FAULT


def _stop_at_once() -> None:
    """Another process took the cell over while this one was suspended: writing on would spoil its work."""
    print("Another process took this cell over; this one ends.", flush=True)
    os._exit(HELD)


def _run(folder: CellFolder) -> int:
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    attempts = int(folder.status.get("attempts", 0)) + 1
    folder.set_status("running", started=started, attempts=attempts, files={})
    remove_tree(folder.path / "evaluations")  # they are of former weights, and would be read for those of the new ones
    try:
        facts = _work(folder)
    except StoreError:
        raise
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        cause = str(error) if isinstance(error, FerbenchError) else f"{type(error).__name__}: {error}"
        folder.set_status("failed", cause=cause, ended=_now(), seconds=time.monotonic() - clock)
        return FAILED
    seconds, memory = time.monotonic() - clock, peak_memory()
    folder.finish(ended=_now(), seconds=seconds, peak_memory_mb=memory, **facts)
    remove_tree(folder.resume)
    return DONE


def _work(folder: CellFolder) -> dict[str, Any]:
    setup = rebuild(folder.record)
    keep_freed_memory()
    _, facts = perform(folder, setup, lambda: metrics_of(setup))
    note_cell(folder, "training")
    return facts


def perform(folder: CellFolder, setup: Setup, metrics: Callable[[], list[Metric]]) -> tuple[Fitted, dict[str, Any]]:
    """Train and evaluate a cell in this process; return the trained model, and facts for ``status.json``.

    ``metrics`` is asked when all predictions are made.
    """
    numerics = adopt(_environment(folder, setup))
    seed_everything(setup.record["seed"])  # for samplers and estimators that draw without the generator they are given
    required = required_cells(folder, setup)
    sample = draw_sample(setup, required)
    write_json(folder.path / "sampler.json", sampled(setup, sample))
    fitted = fit(setup, folder, numerics, sample, required)
    faults = _evaluate(folder, setup, fitted, metrics)
    notes = [*fitted.notes, *val_note(setup, required), *setup.splits.notes]
    if folder.environment.get("went_on_with"):
        notes.append("went on in another environment after a stop")
    return fitted, {**fitted.facts, "notes": notes, "metric_faults": faults}


def _environment(folder: CellFolder, setup: Setup) -> dict[str, Any]:
    """The environment that the training began with, if it goes on and this machine can give it; else a new one."""
    kept = folder.environment
    if kept and (folder.resume / "state.pt").exists():
        if kept["device"] == "cpu" or choose_device("auto").type == kept["device"]:
            return _with_changes(folder, kept, setup)
        print(f"The training began on {kept['device']}, which is not here; it starts anew.", flush=True)
        remove_tree(folder.resume)
    environment = _described(setup)
    write_json(folder.path / "environment.json", environment)
    return environment


def _described(setup: Setup) -> dict[str, Any]:
    samples = len(setup.splits.train) * setup.recipe.total_epochs
    return describe(RunSettings.model_validate(setup.record["run"]), setup.recipe, samples)


def _with_changes(folder: CellFolder, kept: dict[str, Any], setup: Setup) -> dict[str, Any]:
    """The kept environment, marked where the training now goes on with another library or machine."""
    now = _described(setup)
    changed = {key: now[key] for key in ("versions", "device_name", "machine") if now[key] != kept[key]}
    if changed:
        kept = {**kept, "went_on_with": [*kept.get("went_on_with", []), changed]}
        write_json(folder.path / "environment.json", kept)
    return kept


def _evaluate(folder: CellFolder, setup: Setup, fitted: Fitted, metrics: Callable[[], list[Metric]]) -> list[str]:
    sides = {"val": setup.splits.val, "test": setup.splits.test}
    scored = {name: (split, fitted.scorer.scores(split)) for name, split in sides.items()}
    seen = _train_scored(setup, fitted.scorer)
    predictions = predictions_of(scored)
    votes = votes_of(setup.loaded, predictions.classes, predictions.ids)
    write_predictions(folder.path / "predictions.parquet", predictions)
    # Before the code of metrics is loaded, which has no business here.
    folder.seal("predictions.parquet", "best.safetensors", "last.safetensors")
    found = metrics()
    scalars = [metric for metric in found if metric.kind == "scalar"]
    train, _ = ({}, []) if seen is None else compute_metrics(scalars, setup.dataset.task, seen)
    facts = {"train": train, "chosen_epoch": fitted.facts.get("chosen_epoch")}
    return write_metrics(folder.path, predictions, found, setup.dataset.task, facts, votes)


def _train_scored(setup: Setup, scorer: Scorer) -> Scored | None:
    """Scores of as many training samples as test has, seen once and as they are: enough to show overfitting."""
    train, count = setup.splits.train, len(setup.splits.test)
    if setup.model.predictor is not None:
        return None  # it was trained on other data, or nobody knows on which of these
    if len(train) > count:
        chosen = np.sort(np.random.default_rng(setup.rule.seed).choice(len(train), count, replace=False))
        train = train.take(chosen)
    if train.label_kind != setup.splits.test.label_kind:
        return None
    scores = scorer.scores(train, SingleView())
    votes = votes_of(setup.loaded, train.classes, train.ids)
    return Scored(np.asarray(train.targets), scores.astype(np.float64), train.classes, votes=votes)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
