"""How long MLflow takes to be told of a thousand cells: ``python -m benchmarks.bench_tracking [CELLS]``."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from ferbench.plugins import discover
from ferbench.store.files import write_json
from ferbench.store.predictions import Predictions, write_predictions
from ferbench.store.store import CellFolder, Store
from ferbench.tracking.replay import Replay

Value = TypeVar("Value")
SEEDS, SAMPLES, EPOCHS = 5, 200, 30
CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def main() -> None:
    """Make a store of made-up cells, replay it twice, and print the seconds."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    folder = Path(tempfile.mkdtemp(prefix="ferbench-tracking-"))
    try:
        make_store(folder, count)
        replay, seconds = timed(lambda: Replay(folder, discover()))
        before = time.process_time()
        done, first = timed(replay.everything)
        busy = time.process_time() - before
        _, again = timed(Replay(folder, discover()).everything)
        print(
            f"{count} cells: MLflow imported in {seconds:.1f} s; {done.written} runs written in {first:.1f} s "
            f"({1000 * first / done.written:.0f} ms each; {busy:.1f} s of CPU); nothing new: {again:.1f} s"
        )
    finally:
        shutil.rmtree(folder)


def timed(call: Callable[[], Value]) -> tuple[Value, float]:
    """What a call returns, and its seconds."""
    began = time.perf_counter()
    return call(), time.perf_counter() - began


def make_store(out: Path, count: int) -> None:
    """A store of ``count`` finished cells, ``SEEDS`` to a row, with curves, predictions and metrics."""
    store, ids = Store(out, create=True), []
    for number in range(count):
        row, seed = divmod(number, SEEDS)
        ids.append(f"{number:020x}")
        write_cell(store.cell(ids[-1]), row, seed)
    suite = {"name": "bench", "metrics": ["accuracy", "macro-f1"]}
    started = "2026-01-01T00:00:00+00:00"
    store.write_run({"schema": 1, "id": "0001-bench", "started": started, "suite": suite, "run": {}, "cells": ids})


def write_cell(folder: CellFolder, row: int, seed: int) -> None:
    """One finished cell whose scores lean to the truth, the more the higher its row."""
    rng = np.random.default_rng([row, seed])
    targets = np.arange(SAMPLES) % len(CLASSES)
    scores = rng.random((SAMPLES, len(CLASSES))).astype(np.float32)
    scores[np.arange(SAMPLES), targets] += 0.002 * row
    split = np.array(["test"] * SAMPLES)
    names = np.array([f"s{number}" for number in range(SAMPLES)])
    write_predictions(folder.path / "predictions.parquet", Predictions(split, names, targets, scores, CLASSES))
    matrix = np.zeros((len(CLASSES), len(CLASSES)))
    np.add.at(matrix, (targets, scores.argmax(1)), 1)
    sides = {"accuracy": float(np.trace(matrix) / SAMPLES), "confusion-matrix": matrix.tolist()}
    write_json(folder.path / "metrics.json", {"val": sides, "test": sides, "train": {}})
    write_json(folder.path / "cell.json", record_of(folder.id, row, seed))
    write_json(folder.path / "environment.json", {"device": "cpu", "threads": 1, "versions": {"torch": "2.6"}})
    columns = ("lr", "train_loss", "train_score", "val_loss", "val_score", "seconds")
    folder.write_history([{"epoch": e, **{c: float(rng.random()) for c in columns}} for e in range(EPOCHS)])
    times = {"started": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T01:00:00+00:00"}
    folder.set_status("done", **times, params=1000, train_seconds=60.0)


def record_of(identity: str, row: int, seed: int) -> dict[str, object]:
    """``cell.json`` of a made-up cell."""
    key = {
        **{"dataset": "made-up", "fingerprint": "0" * 32, "protocol": "official", "sampler": "plain", "limit": None},
        **{"model": f"model-{row}", "variant": "", "sampler_options": {}, "model_options": {"width": row}},
        "recipe": {"epochs": EPOCHS, "optimizer": {"name": "sgd", "lr": 0.1}, "selection": "best-val"},
    }
    facts = {
        **{"task": "single-label", "classes": list(CLASSES), "ranking": "official", "unit": "sample"},
        **{"synthetic": True, "partial": "", "modified": [], "notes": [], "reported": []},
    }
    label = f"model-{row} · made-up@official · seed {seed}"
    place = {"id": identity, "row_id": f"row-{row}", "seed": seed, "fold": 0, "folds": 1, "label": label}
    return {"schema": 1, **place, "row": key, "facts": facts, "engine": 1, "sources": {}, "requires": {}}


if __name__ == "__main__":
    main()
