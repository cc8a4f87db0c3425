"""A training of SCN that was killed while labels had changed goes on as if nothing had happened."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from ferbench_noisy_faces.scn import SCN, SelfCure

from ferbench import Adam, Input, NetSpec, Recipe, Sample
from ferbench.training.feed import ResidentFeed
from ferbench.training.job import Job, Part, Trained
from ferbench.training.loop import train
from ferbench.training.precision import Numerics
from ferbench.training.prepare import Preparer

CPU = torch.device("cpu")
RECIPE = Recipe(epochs=2, batch_size=8, optimizer=Adam(lr=1e-3), input=Input(channels=3), selection="last")


class Memory:
    """A watch that keeps the state after every epoch as a file would hold it, and goes on from ``begin``."""

    def __init__(self, begin: bytes | None = None) -> None:
        self.begin, self.kept = begin, list[bytes]()

    def resume(self) -> dict[str, Any] | None:
        if self.begin is None:
            return None
        state: dict[str, Any] = torch.load(io.BytesIO(self.begin), weights_only=True)
        return state

    def epoch_ended(self, history: list[dict[str, Any]], state: Callable[[], dict[str, Any]]) -> None:
        buffer = io.BytesIO()
        torch.save(state(), buffer)
        self.kept.append(buffer.getvalue())

    def step_ended(self, epoch: int, step: int, steps: int) -> None:
        pass


def _trained(watch: Memory) -> tuple[Trained, SelfCure]:
    torch.set_num_threads(1)
    torch.manual_seed(1)
    net = SCN(NetSpec(classes=3, channels=3, size=32), depth=18)
    objective = SelfCure(high=0.7, margin=0.07, relabel_margin=0.05, relabel_epoch=1, relabel="all")
    rng = np.random.default_rng(0)
    pictures, labels = rng.integers(0, 256, (16, 32, 32), dtype=np.uint8), rng.integers(0, 3, 16)
    part = Part(ResidentFeed({"image": pictures}, labels, RECIPE.input, CPU), labels, Sample())
    job = Job(
        recipe=RECIPE,
        seed=3,
        task="single-label",
        classes=("anger", "fear", "joy"),
        numerics=Numerics(CPU, "fp32"),
        preparer=Preparer(RECIPE.input),
        size=32,
        parts={("train",): part},
        val=part,
        watch=watch,
        objective=objective,
    )
    return train(net, job), objective


def test_a_killed_training_goes_on_with_the_labels_it_had_changed() -> None:
    watch = Memory()
    whole, of_whole = _trained(watch)
    rest, of_rest = _trained(Memory(watch.kept[0]))
    assert [row["train_loss"] for row in rest.history] == [row["train_loss"] for row in whole.history]
    assert all(torch.equal(rest.last[name], value) for name, value in whole.last.items())
    assert torch.equal(of_rest.labels, of_whole.labels)
    assert whole.history[1]["log_relabelled"] > 0, "the kept labels were not the data set's, so they mattered"
