"""Output folders with made-up results, written file by file as a run would."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ferbench.identity import RowKey, cell_id
from ferbench.store.files import write_json
from ferbench.store.predictions import Predictions, write_predictions
from ferbench.store.store import Store

CLASSES = ("anger", "happiness", "neutral")


@dataclass
class OutFolder:
    """Makes cells that are right in a given share of ``n`` test samples; the same samples in every cell."""

    out: Path
    n: int = 300
    classes: tuple[str, ...] = CLASSES
    cells: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        Store(self.out, create=True)
        self.ids = [f"s{index:05d}" for index in range(self.n)]
        self.targets = np.arange(self.n) % len(self.classes)

    def scores(self, share: float, key: int = 0) -> np.ndarray:
        """Scores float32 [n, k] that are right in ``share`` of the samples, chosen by ``key``."""
        k = len(self.classes)
        rng = np.random.default_rng(key)
        right = np.argsort(np.argsort(rng.random(self.n))) < round(share * self.n)
        chosen = np.where(right, self.targets, (self.targets + 1) % k)
        return np.where(np.eye(k)[chosen] > 0, 0.8, 0.2 / (k - 1)).astype(np.float32)

    def cell(
        self,
        model: str,
        scores: np.ndarray | None = None,
        seed: int = 0,
        fold: int = 0,
        folds: int = 1,
        part: Sequence[int] | None = None,
        state: str = "done",
        facts: dict[str, Any] | None = None,
        status: dict[str, Any] | None = None,
        environment: dict[str, Any] | None = None,
        targets: np.ndarray | None = None,
        sources: str = "code-1",
        requires: dict[str, str] | None = None,
        **key: Any,
    ) -> str:
        """Write one cell and return its id. ``part``: indices of the samples that this fold tests."""
        recipe = {"epochs": 10, "selection": "best-val", "optimizer": {"lr": 0.1}} | key.pop("recipe", {})
        name, _, variant = model.partition("@")
        known = {"dataset": "fer2013", "fingerprint": "f" * 20, "protocol": "official", "sampler": "plain"}
        row = RowKey(model=name, variant=variant, recipe=recipe, **known | key)
        identity = cell_id(row, seed, fold, requires or {}, {"plugin": sources})
        folder = self.out / "cells" / identity
        record = {
            "schema": 1,
            "id": identity,
            "row_id": row.id,
            "label": f"{model} · {row.dataset}@{row.protocol} · seed {seed}",
            "row": row.as_dict(),
            "seed": seed,
            "fold": fold,
            "folds": folds,
            "requires": requires or {},
            "sources": {"plugin": sources},
            "engine": 1,
            "facts": {
                "task": "single-label",
                "classes": list(self.classes),
                "ranking": row.protocol,
                "unit": "sample",
                "notes": [],
                "partial": "",
                "synthetic": False,
                "deterministic": False,
                "floor": False,
                "modified": [],
                "extra_data": "",
                "reported": [],
            }
            | (facts or {}),
        }
        write_json(folder / "cell.json", record)
        done = {
            "ended": "2024-01-01T00:00:00+00:00",
            "train_seconds": 60.0,
            "images_per_second": 500.0,
            "params": 2606599,
        }
        write_json(folder / "status.json", {"state": state, **(done if state == "done" else {}), **(status or {})})
        write_json(folder / "environment.json", environment or {"device": "cpu", "threads": 1})
        if state == "done":
            chosen = np.arange(self.n) if part is None else np.asarray(part)
            truth = self.targets if targets is None else targets
            values = self.scores(0.6, seed) if scores is None else scores
            ids = np.array(self.ids)[chosen]
            side = np.full(len(chosen), "test")
            write_predictions(
                folder / "predictions.parquet", Predictions(side, ids, truth[chosen], values[chosen], self.classes)
            )
            write_json(folder / "metrics.json", {"val": {}, "test": {}, "train": {"accuracy": 0.9}})
        self.cells.append(identity)
        return identity

    def row(self, model: str, shares: Sequence[float], **more: Any) -> list[str]:
        """Write one cell a seed."""
        offset = sum(map(ord, model)) * 10
        return [self.cell(model, self.scores(share, offset + s), s, **more) for s, share in enumerate(shares)]

    def run(self, name: str = "20240101-000000", cells: Sequence[str] | None = None, **more: Any) -> None:
        """Write the run's file (default: of all cells so far)."""
        chosen = self.cells if cells is None else list(cells)
        facts = {"schema": 1, "id": name, "suite": {"name": "demo"}, "cells": chosen, "skipped": [], **more}
        Store(self.out).write_run(facts)

    def table(
        self, sides: Sequence[str], hashes: Sequence[int | None], protocol: str = "official", **columns: Any
    ) -> None:
        """Write the data set's table: the test samples first, then further training samples."""
        extra = [f"t{index:05d}" for index in range(len(hashes) - self.n)]
        data = {
            "id": [*self.ids, *extra],
            f"split_{protocol}": list(sides),
            "pixel_hash": pa.array(hashes, pa.uint64()),
        }
        path = self.out / "datasets" / f"{'f' * 20}.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({**data, **columns}), path)


@pytest.fixture
def make_out(tmp_path: Path) -> Callable[..., OutFolder]:
    """Makes output folders below the test's own."""

    def make(name: str = "out", **settings: Any) -> OutFolder:
        return OutFolder(tmp_path / name, **settings)

    return make


@pytest.fixture
def out(make_out: Callable[..., OutFolder]) -> OutFolder:
    """One output folder."""
    return make_out()
