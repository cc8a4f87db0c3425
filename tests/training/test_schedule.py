"""Schedules equal torch's where torch has them, and their formula elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torch.optim import lr_scheduler

from ferbench import SGD, Recipe, Stage
from ferbench.nouns.schedules import Constant, Cosine, OneCycle, Plateau, Schedule, Step
from ferbench.training.optim import make_optimizer
from ferbench.training.schedule import LearningRate

Make = Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]


def learning_rate(schedule: Schedule, steps: int, epochs: int) -> LearningRate:
    optimizer = make_optimizer(SGD(lr=0.5), [("weight", nn.Parameter(torch.zeros(1)))])
    return LearningRate(schedule, optimizer, 0.5, steps, epochs)


def rates(schedule: Schedule, epochs: int = 6, steps: int = 5) -> list[float]:
    rate = learning_rate(schedule, steps * epochs, epochs)
    return [rate.before_step(epoch * steps + step, epoch) for epoch in range(epochs) for step in range(steps)]


def torch_rates(make: Make, count: int, every: int = 1) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler = make(optimizer)
    values = []
    for step in range(count):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if (step + 1) % every == 0:
            scheduler.step()
    return values


def warmed(then: Make, steps: int, start: float) -> Make:
    """Torch's way to let a linear rise come first."""
    return lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, start, total_iters=steps), then(o)], milestones=[steps]
    )


def test_every_milestone_may_have_a_factor_of_its_own() -> None:
    schedule = Step(milestones=(2, 4), factor=(0.5, 0.2))
    assert rates(schedule, steps=1) == pytest.approx([0.5, 0.5, 0.25, 0.25, 0.05, 0.05])
    shortened = Recipe(epochs=6, schedule=schedule).with_epochs(2).schedule
    assert rates(shortened, epochs=2, steps=1) == pytest.approx([0.5, 0.05])


CASES: dict[str, tuple[Schedule, Make, int]] = {
    "milestones": (Step(milestones=(2, 4)), lambda o: lr_scheduler.MultiStepLR(o, [2, 4], 0.1), 5),
    "every": (Step(every=2, factor=0.3), lambda o: lr_scheduler.StepLR(o, 2, 0.3), 5),
    "cosine": (Cosine(min_lr=0.01), lambda o: lr_scheduler.CosineAnnealingLR(o, 30, 0.01), 1),
    "restarts": (
        Cosine(min_lr=0.01, restart_every=1.6),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 8, 1, 0.01),
        1,
    ),
    "growing restarts": (
        Cosine(restart_every=0.8, growth=2),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4, 2),
        1,
    ),
    "warm-up, then cosine": (
        Cosine(warmup_epochs=1.4, warmup_start=0.2, min_lr=0.01),
        warmed(lambda o: lr_scheduler.CosineAnnealingLR(o, 23, 0.01), 7, 0.2),
        1,
    ),
    "warm-up, then restarts": (
        Cosine(warmup_epochs=2, warmup_start=0.5, restart_every=2),
        warmed(lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 10), 10, 0.5),
        1,
    ),
    "warm-up, then constant": (
        Constant(warmup_epochs=2),
        lambda o: lr_scheduler.LinearLR(o, 0.01, total_iters=10),
        1,
    ),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", CASES)
def test_a_schedule_equals_torchs(name: str) -> None:
    schedule, make, every = CASES[name]
    assert rates(schedule) == pytest.approx(torch_rates(make, 30, every), rel=1e-9, abs=1e-12)


def test_milestones_count_from_the_beginning_of_the_stage_whatever_the_warm_up() -> None:
    values = rates(Step(milestones=(3,), warmup_epochs=1, warmup_start=0.0))
    assert values == pytest.approx([0, 0.1, 0.2, 0.3, 0.4] + [0.5] * 10 + [0.05] * 15)


def test_one_cycle_rises_to_the_rate_and_falls_to_nothing() -> None:
    values = rates(OneCycle(warmup=0.2, start=0.1))
    assert values[0] == pytest.approx(0.05)
    assert max(values) == pytest.approx(0.5)
    assert values.index(max(values)) == 6
    assert values[-1] == pytest.approx(0.5 / 24)


def test_one_cycle_runs_over_what_a_warm_up_leaves_and_keeps_its_floor() -> None:
    values = rates(OneCycle(warmup=0.2, start=0.1, warmup_epochs=1, warmup_start=0.0, min_lr=0.03))
    assert values[:6] == pytest.approx([0, 0.01, 0.02, 0.03, 0.04, 0.05])
    assert values[10] == pytest.approx(0.5)
    assert values[-1] == pytest.approx(0.03)


def test_constant_stays() -> None:
    assert set(rates(Constant())) == {0.5}


def test_nine_tenths_every_five_epochs_from_the_80th() -> None:
    values = rates(Step(every=5, after=80, factor=0.9), epochs=100, steps=1)
    assert values == pytest.approx([0.5] * 80 + [0.5 * 0.9 ** (1 + number // 5) for number in range(20)])


def test_every_period_of_a_cosine_may_begin_with_the_warm_up() -> None:
    """El Boudouri and Bohi 2023 rise over the first 128 of every 1,024 steps: here over 2 of 8."""
    schedule = Cosine(warmup_epochs=0.4, warmup_start=0.0, restart_every=1.6, warm_restarts=True)
    period = [0.0, 0.25, *(0.25 * (1 + math.cos(math.pi * step / 6)) for step in range(6))]
    assert rates(schedule) == pytest.approx([*period * 3, *period[:6]])
    once = rates(schedule.model_copy(update={"warm_restarts": False}))
    assert once[:2] == period[:2] and once[2] == once[10] == 0.5
    with pytest.raises(ValidationError, match="warm_restarts needs warmup_epochs above 0, and a restart_every"):
        Cosine(warmup_epochs=2, restart_every=2, warm_restarts=True)


def test_a_step_schedule_keeps_its_floor() -> None:
    assert rates(Step(every=1, min_lr=0.005), steps=1) == pytest.approx([0.5, 0.05, 0.005, 0.005, 0.005, 0.005])


def test_schedules_stretch_with_the_epochs() -> None:
    def stretched(schedule: Schedule, factor: int) -> Schedule:
        return Recipe(epochs=10, schedule=schedule).with_epochs(10 * factor).schedule

    assert stretched(Step(every=5, after=80, warmup_epochs=2), 2) == Step(every=10, after=160, warmup_epochs=4)
    assert stretched(Cosine(restart_every=2.5, growth=2), 3) == Cosine(restart_every=7.5, growth=2)
    brief = Recipe(epochs=100, schedule=Step(every=5, after=8)).with_epochs(1).schedule
    assert brief == Step(every=1, after=1), "a first change stays a first change"


SCORES = [0.1, 0.2, 0.2, 0.25, 0.22, 0.2, 0.15, 0.3, 0.32, 0.3, 0.3, 0.31, 0.3, 0.35, 0.3]


@pytest.mark.parametrize("patience", [0, 1, 2])
@pytest.mark.parametrize("threshold", [0.0, 0.03])
@pytest.mark.parametrize("monitor", ["score", "accuracy", "loss"])
def test_a_plateau_counts_as_torch_does(
    monitor: Literal["score", "accuracy", "loss"], threshold: float, patience: int
) -> None:
    schedule = Plateau(factor=0.5, patience=patience, threshold=threshold, monitor=monitor, min_lr=0.02)
    rate = learning_rate(schedule, len(SCORES), len(SCORES))
    theirs = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    mode: Literal["min", "max"] = "min" if monitor == "loss" else "max"
    reference = lr_scheduler.ReduceLROnPlateau(
        theirs, mode, 0.5, patience, threshold=threshold, threshold_mode="abs", min_lr=0.02
    )
    worse = {"score": 0.0, "accuracy": 0.0, "loss": 0.0}
    for epoch, score in enumerate(SCORES):
        assert rate.before_step(epoch, epoch) == pytest.approx(theirs.param_groups[0]["lr"])
        rate.after_look(worse | {monitor: -score if monitor == "loss" else score})
        reference.step(-score if monitor == "loss" else score)
    assert rate.factor < 1


def test_a_plateau_goes_on_from_its_state_and_keeps_its_floor() -> None:
    schedule = Plateau(factor=0.1, patience=0, min_lr=0.01)
    rate, other = (learning_rate(schedule, 10, 10) for _ in range(2))
    for _ in range(5):
        rate.after_look({"score": 0.1, "loss": 1.0})
    other.restore(rate.state())
    assert other.before_step(0, 0) == rate.before_step(0, 0) == 0.01
    assert math.isfinite(rate.state()["best"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 3, "schedule": Constant(warmup_epochs=4)}, "the warm-up of 4 epochs is longer than its stage"),
        (
            {"stages": (Stage(epochs=9), Stage(epochs=1)), "schedule": Cosine(warmup_epochs=2)},
            "longer than its stage, which has 1",
        ),
        ({"optimizer": SGD(lr=0.01), "schedule": Plateau(min_lr=0.1)}, r"min_lr \(0.1\) is above the learning rate"),
        ({"val_every": 1.5}, "neither a whole number of epochs nor one part"),
        ({"val_every": 0.3}, "neither a whole number of epochs nor one part"),
        ({"selection": "last", "stages": (Stage(epochs=1, start="best"),)}, 'selection = "last" keeps none'),
    ],
)
def test_settings_that_contradict_each_other_are_named_at_once(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Recipe.model_validate(settings)


def test_nesterov_without_momentum_is_refused() -> None:
    with pytest.raises(ValidationError, match="nesterov needs a momentum"):
        SGD(momentum=0, nesterov=True)
