"""Learning-rate schedules: a value for every step, from the step's number alone but for plateaus."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from ferbench.nouns.schedules import Constant, Cosine, OneCycle, Plateau, Schedule, Step


class LearningRate:
    """Sets an optimizer's learning rate before every step; only plateaus remember anything.

    ``base`` is the optimizer's learning rate, ``steps`` the number of steps of the stage, ``epochs`` its number of
    epochs. Every parameter group gets the schedule's value times its own ``lr_factor``.
    """

    def __init__(
        self, schedule: Schedule, optimizer: torch.optim.Optimizer, base: float, steps: int, epochs: int
    ) -> None:
        self.schedule, self.optimizer, self.base = schedule, optimizer, base
        self.per_epoch = max(1, steps) / epochs
        self.warmup = round(schedule.warmup_epochs * self.per_epoch)
        self.steps = max(1, steps - self.warmup)
        self.factors = [float(group["lr_factor"]) for group in optimizer.param_groups]
        self.factor = 1.0
        self.best = -math.inf
        self.stale = 0

    def before_step(self, step: int, epoch: int) -> float:
        """Set the learning rate of ``step`` (of the stage, from 0) in ``epoch`` (of the stage, from 0); return it."""
        value = self._value(step, epoch)
        for group, factor in zip(self.optimizer.param_groups, self.factors, strict=True):
            group["lr"] = value * factor
        return value

    def after_look(self, seen: Mapping[str, float]) -> None:
        """Tell a plateau how a look at val went: ``score``, ``loss``, and ``accuracy`` where it goes by that."""
        if not isinstance(self.schedule, Plateau):
            return
        value = seen[self.schedule.monitor] * (-1 if self.schedule.monitor == "loss" else 1)
        if value > self.best + self.schedule.threshold:
            self.best, self.stale = value, 0
            return
        self.stale += 1
        if self.stale > self.schedule.patience:
            self.factor, self.stale = self.factor * self.schedule.factor, 0

    def state(self) -> dict[str, Any]:
        """What a plateau remembers, as plain data."""
        return {"factor": self.factor, "best": self.best, "stale": self.stale}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state`."""
        self.factor, self.best, self.stale = state["factor"], state["best"], state["stale"]

    def _value(self, step: int, epoch: int) -> float:
        schedule, length = self.schedule, self.warmup + self.steps
        if isinstance(schedule, Cosine) and schedule.warm_restarts:
            step, length = self._period(schedule, step)
        if step < self.warmup:
            start = schedule.warmup_start
            return self._begin() * (start + (1 - start) * step / self.warmup)
        return self._scheduled(step - self.warmup, epoch, length - self.warmup)

    def _begin(self) -> float:
        schedule = self.schedule
        if isinstance(schedule, OneCycle) and schedule.warmup:
            return max(self.base * schedule.start, schedule.min_lr)
        return self.base

    def _scheduled(self, step: int, epoch: int, length: int) -> float:
        """The value ``step`` steps after the warm-up, ``length`` being left then, in ``epoch`` of the stage."""
        schedule, base = self.schedule, self.base
        if isinstance(schedule, Constant):
            return base
        if isinstance(schedule, Cosine):
            if schedule.restart_every and not schedule.warm_restarts:
                step, length = self._period(schedule, step)
            return schedule.min_lr + (base - schedule.min_lr) * (1 + math.cos(math.pi * (step / length))) / 2
        if isinstance(schedule, Step):
            value = base * _product(schedule.factor, changes(schedule, epoch))
        elif isinstance(schedule, OneCycle):
            value = base * _one_cycle(schedule, step / self.steps)
        else:
            value = base * self.factor
        return max(value, schedule.min_lr)

    def _period(self, schedule: Cosine, step: int) -> tuple[int, int]:
        """How many steps of its period are over at ``step``, and how many it has."""
        length = (schedule.restart_every or 0.0) * self.per_epoch
        while step >= max(1, round(length)):
            step -= max(1, round(length))
            length *= schedule.growth
        return step, max(1, round(length))


def changes(schedule: Step, epoch: int) -> int:
    """How often a step schedule has multiplied when ``epoch`` (of the stage, from 0) begins."""
    if schedule.every is None:
        return sum(epoch >= milestone for milestone in schedule.milestones)
    first = schedule.after or schedule.every
    return 0 if epoch < first else 1 + (epoch - first) // schedule.every


def _product(factors: float | tuple[float, ...], count: int) -> float:
    """One factor ``count`` times, or the first ``count`` of several."""
    return math.prod(factors[:count]) if isinstance(factors, tuple) else factors**count


def _one_cycle(schedule: OneCycle, progress: float) -> float:
    if progress < schedule.warmup:
        return schedule.start + (1 - schedule.start) * progress / schedule.warmup
    return (1 - progress) / max(1 - schedule.warmup, 1e-12)
