"""What draws without a generator of its own is as repeatable as everything else."""

from __future__ import annotations

from pathlib import Path

from ferbench.store.store import CellFolder
from tests.contract import Contract

CARELESS = """
import random

import numpy as np
import torch

from ferbench import Model, Sample, Sampler, hookimpl


class Guess:
    drawn = np.zeros(3)

    def fit(self, data, context):
        self.drawn = np.array([np.random.rand(), torch.rand(()).item(), random.random()])

    def predict(self, inputs):
        scores = 0.1 + np.outer(np.arange(len(inputs["image"])) % 7, [*self.drawn, 0.5])
        return scores / scores.sum(axis=1, keepdims=True)

    def state(self):
        return {"drawn": self.drawn}, {}

    def restore(self, arrays, plain):
        self.drawn = arrays["drawn"]


def some(train, context):
    return Sample(indices=np.random.permutation(len(train))[:40])


@hookimpl
def ferbench_models():
    yield Model(name="guess", estimator=Guess)


@hookimpl
def ferbench_samplers():
    yield Sampler(name="some", sample=some)
"""


def test_the_seed_of_a_cell_holds_for_every_generator(contract: Contract, tmp_path: Path) -> None:
    plugin = tmp_path / "careless.py"
    plugin.write_text(CARELESS, encoding="utf-8")
    scores: dict[int, list[bytes]] = {0: [], 1: []}
    for name in ("once", "again"):
        result = contract.run(
            tmp_path / name, models=["guess", "nearest"], samplers=["some"], seeds=2, plugins=[plugin]
        )
        assert not result.failed
        for cell in contract.cells(result):
            scores[cell.record["seed"]].append(predicted(cell))
    for first in scores.values():
        assert len(first) == 4 and first[:2] == first[2:]
    assert scores[0] != scores[1]


def predicted(cell: CellFolder) -> bytes:
    return (cell.path / "predictions.parquet").read_bytes()
