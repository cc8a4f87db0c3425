"""Optimizers and learning-rate schedules."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from ferbench.nouns.optimizers import SGD, Adam, Optimizer
from ferbench.nouns.schedules import Constant, Cosine, OneCycle, Plateau, Schedule, Step


def make_optimizer(settings: Optimizer, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """Return torch's optimizer of these settings over ``parameters``."""
    values = settings.model_dump(exclude={"name", "decay_norm_and_bias", "groups", "clip_value", "clip_norm", "sam"})
    if isinstance(settings, SGD):
        return torch.optim.SGD(parameters, **values)
    if isinstance(settings, Adam):
        return torch.optim.Adam(parameters, **values)
    return torch.optim.AdamW(parameters, **values)


class LearningRate:
    """Sets an optimizer's learning rate before every step; only plateaus remember anything.

    ``steps`` is the number of steps of the stage, ``epochs`` its number of epochs.
    """

    def __init__(self, schedule: Schedule, optimizer: torch.optim.Optimizer, steps: int, epochs: int) -> None:
        self.schedule = schedule
        self.optimizer = optimizer
        self.steps = max(1, steps)
        self.epochs = epochs
        self.base = [float(group["lr"]) for group in optimizer.param_groups]
        self.factor = 1.0
        self.best = -math.inf
        self.stale = 0

    def before_step(self, step: int, epoch: int) -> float:
        """Set the learning rate of ``step`` (of the stage, from 0) in ``epoch`` (of the stage, from 0); return it."""
        for group, base in zip(self.optimizer.param_groups, self.base, strict=True):
            group["lr"] = self._value(base, step, epoch)
        return float(self.optimizer.param_groups[0]["lr"])

    def after_epoch(self, score: float, loss: float) -> None:
        """Tell a plateau how the epoch went: val score (higher is better) and val loss."""
        if not isinstance(self.schedule, Plateau):
            return
        value = score if self.schedule.monitor == "score" else -loss
        if value > self.best:
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

    def _value(self, base: float, step: int, epoch: int) -> float:
        schedule = self.schedule
        progress = step / self.steps
        if isinstance(schedule, Constant):
            return base
        if isinstance(schedule, Step):
            reached = [epoch >= milestone for milestone in schedule.milestones]
            if isinstance(schedule.factor, tuple):
                return base * math.prod(itertools.compress(schedule.factor, reached))
            return base * schedule.factor ** sum(reached)
        if isinstance(schedule, Cosine):
            return schedule.min_lr + (base - schedule.min_lr) * (1 + math.cos(math.pi * progress)) / 2
        if isinstance(schedule, OneCycle):
            if progress < schedule.warmup:
                return base * (schedule.start + (1 - schedule.start) * progress / schedule.warmup)
            return base * (1 - progress) / max(1 - schedule.warmup, 1e-12)
        return max(base * self.factor, min(schedule.min_lr, base))
