"""Schedules equal torch's where torch has them."""

from __future__ import annotations

import math
from typing import Literal

import pytest
import torch
from torch import nn

from ferbench.nouns.optimizers import SGD, Adam, AdamW
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.schedules import Constant, Cosine, OneCycle, Plateau, Schedule, Step
from ferbench.training.optim import LearningRate, make_optimizer


def rates(schedule: Schedule, epochs: int = 6, steps: int = 5) -> list[float]:
    optimizer = make_optimizer(SGD(lr=0.5), [nn.Parameter(torch.zeros(1))])
    rate = LearningRate(schedule, optimizer, steps * epochs, epochs)
    return [rate.before_step(epoch * steps + step, epoch) for epoch in range(epochs) for step in range(steps)]


def torch_rates(make: object, count: int, every: int) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler = make(optimizer)  # type: ignore[operator]
    values = []
    for step in range(count):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if (step + 1) % every == 0:
            scheduler.step()
    return values


def test_step_equals_multistep() -> None:
    expected = torch_rates(lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [2, 4], 0.1), 30, 5)
    assert rates(Step(milestones=(2, 4))) == pytest.approx(expected)


def test_every_milestone_may_have_a_factor_of_its_own() -> None:
    schedule = Step(milestones=(2, 4), factor=(0.5, 0.2))
    assert rates(schedule, steps=1) == pytest.approx([0.5, 0.5, 0.25, 0.25, 0.05, 0.05])
    shortened = Recipe(epochs=6, schedule=schedule).with_epochs(2).schedule
    assert rates(shortened, epochs=2, steps=1) == pytest.approx([0.5, 0.05])


def test_cosine_equals_torch_step_by_step() -> None:
    expected = torch_rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 30, 0.01), 30, 1)
    assert rates(Cosine(min_lr=0.01)) == pytest.approx(expected)


def test_one_cycle_rises_to_the_rate_and_falls_to_nothing() -> None:
    values = rates(OneCycle(warmup=0.2, start=0.1))
    assert values[0] == pytest.approx(0.05)
    assert max(values) == pytest.approx(0.5)
    assert values.index(max(values)) == 6
    assert values[-1] == pytest.approx(0.5 / 24)


def test_constant_stays() -> None:
    assert set(rates(Constant())) == {0.5}


def test_plateau_equals_torch_on_score_and_loss() -> None:
    scores = [0.1, 0.2, 0.2, 0.2, 0.15, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]
    modes: dict[Literal["score", "loss"], Literal["max", "min"]] = {"score": "max", "loss": "min"}
    for monitor, mode in modes.items():
        ours = make_optimizer(SGD(lr=0.5), [nn.Parameter(torch.zeros(1))])
        rate = LearningRate(Plateau(factor=0.5, patience=1, monitor=monitor), ours, 11, 11)
        theirs = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.5)
        reference = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, mode, 0.5, 1, threshold=0.0)
        for epoch, score in enumerate(scores):
            assert rate.before_step(epoch, epoch) == pytest.approx(theirs.param_groups[0]["lr"])
            rate.after_epoch(score, -score)
            reference.step(score if monitor == "score" else -score)
        assert rate.factor < 0.5


def test_a_plateau_goes_on_from_its_state_and_keeps_its_floor() -> None:
    optimizer = make_optimizer(SGD(lr=0.5), [nn.Parameter(torch.zeros(1))])
    rate = LearningRate(Plateau(factor=0.1, patience=0, min_lr=0.01), optimizer, 10, 10)
    for _ in range(5):
        rate.after_epoch(0.1, 1.0)
    other = LearningRate(Plateau(factor=0.1, patience=0, min_lr=0.01), optimizer, 10, 10)
    other.restore(rate.state())
    assert other.before_step(0, 0) == rate.before_step(0, 0) == 0.01
    assert math.isfinite(rate.state()["best"])


def test_optimizers_are_torchs_with_these_values() -> None:
    parameter = nn.Parameter(torch.zeros(1))
    sgd = make_optimizer(SGD(lr=0.1, nesterov=True, weight_decay=5e-4), [parameter])
    assert isinstance(sgd, torch.optim.SGD)
    assert (sgd.defaults["nesterov"], sgd.defaults["weight_decay"], sgd.defaults["momentum"]) == (True, 5e-4, 0.9)
    assert type(make_optimizer(Adam(), [parameter])) is torch.optim.Adam
    assert type(make_optimizer(AdamW(), [parameter])) is torch.optim.AdamW
