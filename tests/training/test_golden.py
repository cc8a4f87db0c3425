"""Stored figures of tiny trainings, and bit-equality of trainings that should be the same.

A change of the stored figures means that the engine trains differently: raise ENGINE_VERSION in ferbench/identity.py,
so that older cells are trained anew, and store the new figures (``python -m tests.training.test_golden`` prints them).
The tolerance leaves room for the rounding of another processor, and for nothing else.
"""

from __future__ import annotations

from pprint import pformat
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ferbench import (
    EMA,
    SGD,
    AdamW,
    Affine,
    Batch,
    Cosine,
    CrossEntropy,
    EarlyStopping,
    FlipView,
    HorizontalFlip,
    PadCrop,
    Plateau,
    RandomErasing,
    Recipe,
    Stage,
    StepContext,
    StepResult,
)
from ferbench.nouns.schedules import OneCycle
from ferbench.training.job import Trained
from tests.training.tiny import CLASSES, SIGNED, Memory, TinyNet, make_job, scores_of, trained

TOLERANCE = 1e-4
COLUMNS = ("lr", "train_loss", "train_score", "val_loss", "val_score")

USUAL = Recipe(
    epochs=4,
    batch_size=10,
    optimizer=SGD(lr=0.1, nesterov=True, weight_decay=5e-4),
    schedule=OneCycle(),
    loss=CrossEntropy(label_smoothing=0.1),
    augmentation=(PadCrop(padding=2), HorizontalFlip()),
    input=SIGNED,
    tta=FlipView(),
)
OTHER = Recipe(
    epochs=4,
    batch_size=16,
    optimizer=AdamW(lr=0.02),
    schedule=Cosine(),
    loss=CrossEntropy(class_weights="balanced"),
    augmentation=(
        Affine(degrees=20, translate=0.1, scale=(0.9, 1.1), interpolation="nearest", p=0.8),
        HorizontalFlip(),
        RandomErasing(p=0.7),
    ),
    input=SIGNED,
    tta=FlipView(mean="logit"),
)
CASES = {"usual": USUAL, "average": USUAL.model_copy(update={"ema": EMA(decay=0.8, every=2)}), "other": OTHER}

GOLDEN: dict[str, dict[str, list[list[float]]]] = {
    "usual": {
        "history": [
            [0.081, 1.092718, 0.5, 1.062936, 0.5],
            [0.07333333, 1.065837, 0.5, 1.025308, 0.5],
            [0.04, 0.9709504, 0.5208333, 0.9272438, 0.75],
            [0.006666667, 0.8755993, 0.5833333, 0.8169089, 0.75],
        ],
        "predictions": [
            [0.4864685, 0.2461383, 0.2673932],
            [0.2858999, 0.2377612, 0.476339],
            [0.2899786, 0.3783061, 0.3317153],
            [0.5598312, 0.2313192, 0.2088496],
        ],
    },
    "average": {
        "history": [
            [0.081, 1.092718, 0.5, 1.087076, 0.5],
            [0.07333333, 1.065837, 0.5, 1.0691, 0.5],
            [0.04, 0.9709504, 0.5208333, 1.048428, 0.5],
            [0.006666667, 0.8755993, 0.5833333, 0.9904445, 0.625],
        ],
        "predictions": [
            [0.3999766, 0.2973049, 0.3027185],
            [0.3392682, 0.2922918, 0.3684401],
            [0.3389117, 0.3353623, 0.325726],
            [0.4245422, 0.2950621, 0.2803957],
        ],
    },
    "other": {
        "history": [
            [0.01866025, 1.124948, 0.3958333, 1.090172, 0.5],
            [0.01258819, 1.118116, 0.3333333, 1.08251, 0.6666667],
            [0.005, 1.053939, 0.4375, 1.066285, 0.875],
            [0.0003407417, 1.012491, 0.5833333, 1.055823, 0.875],
        ],
        "predictions": [
            [0.3508942, 0.3341412, 0.3149647],
            [0.3388444, 0.321925, 0.3392306],
            [0.3185234, 0.3550467, 0.3264299],
            [0.3509941, 0.3408619, 0.308144],
        ],
    },
}


def figures(recipe: Recipe) -> dict[str, list[list[float]]]:
    """History and the predictions of four val samples after the last epoch."""
    result = trained(recipe)
    history = [[row[name] for name in COLUMNS] for row in result.history]
    predictions = scores_of(result.last, recipe, make_job(recipe).val)[:4].astype(float).tolist()
    return {"history": history, "predictions": predictions}


@pytest.mark.parametrize("name", CASES)
def test_a_training_gives_the_stored_figures(name: str) -> None:
    found = figures(CASES[name])
    for kind, rows in GOLDEN[name].items():
        np.testing.assert_allclose(found[kind], rows, rtol=TOLERANCE, err_msg=f"{kind}: see the top of this file")


class Centres(nn.Module):
    """Cross-entropy and the distance of the logits from centres: some learnt, and a counter that is state alone."""

    calls: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.zeros(len(CLASSES), len(CLASSES)))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        """See :class:`ferbench.Objective`."""
        self.calls += 1
        scores = net(batch.inputs["image"])
        far = (scores - self.centres[batch.target]).square().sum(1).mean() / self.calls
        noise = float(context.rng.normal())
        return StepResult(nn.functional.cross_entropy(scores, batch.target) + (0.1 + 0.01 * noise) * far, scores)


def changed(**changes: Any) -> Recipe:
    """The usual recipe with changes."""
    return USUAL.model_copy(update=changes)


STAGES = (
    Stage(epochs=2),
    Stage(epochs=2, trainable=("head.*",), optimizer=AdamW(lr=0.01), start="best"),
    Stage(epochs=1, schedule=Cosine(), augmentation=()),
)
PLATEAU = Plateau(patience=0, factor=0.5)
RESUMED: dict[str, Recipe] = {
    "one-cycle": USUAL,
    "average": CASES["average"],
    "affine and erasing": OTHER,
    "plateau": changed(schedule=PLATEAU, epochs=6),
    "early stopping": changed(early_stopping=EarlyStopping(patience=2, min_delta=0.05), epochs=9),
    "stages": changed(stages=STAGES),
    "stages with an average": changed(stages=STAGES, ema=EMA(decay=0.7)),
    "objective with state": USUAL,
}


def run(name: str, watch: Memory) -> tuple[Trained, Centres | None]:
    """Train a network with dropout, so that torch's own random numbers matter too."""
    objective = Centres() if name == "objective with state" else None
    torch.seed()  # whatever went before must not matter
    return trained(RESUMED[name], watch, TinyNet(dropout=0.3), objective=objective), objective


def assert_same(one: Trained, other: Trained) -> None:
    """Weights and history are equal bit by bit, but for what was measured with a clock."""
    for kind in ("best", "last"):
        first, second = getattr(one, kind), getattr(other, kind)
        assert first.keys() == second.keys()
        for key, value in first.items():
            assert torch.equal(value, second[key]), f"{kind} weights {key}"
    clock = ("seconds", "images_per_second")
    plain = [[{k: v for k, v in row.items() if k not in clock} for row in each.history] for each in (one, other)]
    assert plain[0] == plain[1]
    assert one.best_epoch == other.best_epoch


@pytest.mark.parametrize("name", RESUMED)
def test_a_training_is_the_same_again_and_from_wherever_it_goes_on(name: str) -> None:
    whole = Memory()
    expected, objective = run(name, whole)
    again, _ = run(name, Memory())
    assert_same(again, expected)
    assert len(whole.kept) == len(expected.history)
    for kept in whole.kept:
        rest = Memory(kept)
        resumed, resumed_objective = run(name, rest)
        assert_same(resumed, expected)
        assert rest.steps < whole.steps
        if objective and resumed_objective:
            assert objective.state_dict().keys() == resumed_objective.state_dict().keys()
            for key, value in objective.state_dict().items():
                assert torch.equal(value, resumed_objective.state_dict()[key])


def test_the_trainings_that_go_on_do_what_their_names_say() -> None:
    plateau = run("plateau", Memory())[0].history
    assert len({row["lr"] for row in plateau}) > 2
    stopped = run("early stopping", Memory())[0].history
    assert 2 < len(stopped) < RESUMED["early stopping"].epochs
    objective = run("objective with state", Memory())[1]
    assert objective is not None
    assert objective.calls == 4 * 5
    staged = run("stages", Memory())[0]
    assert [row["stage"] for row in staged.history] == [0, 0, 1, 1, 2]
    averaged = run("stages with an average", Memory())[0]
    assert not torch.equal(averaged.last["head.weight"], staged.last["head.weight"])


if __name__ == "__main__":
    found = {name: figures(recipe) for name, recipe in CASES.items()}
    rounded = {
        name: {kind: [[float(f"{value:.7g}") for value in row] for row in rows] for kind, rows in kinds.items()}
        for name, kinds in found.items()
    }
    print(pformat(rounded, width=110))
