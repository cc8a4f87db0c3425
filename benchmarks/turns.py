"""Epochs of two trainings in turn, within one process, so that other load on the machine meets both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from ferbench.training.job import Watch


class Turns:
    """A watch that lets another training go on by an epoch after each of ours, and times both.

    ``inner`` is the watch that ours has anyway; what it does counts as ours. ``ours`` and ``others`` are seconds.
    """

    def __init__(self, other: Callable[[], object], inner: Watch | None = None) -> None:
        self.other, self.inner = other, inner
        self.ours: list[float] = []
        self.others: list[float] = []
        self.started = time.perf_counter()

    def resume(self) -> dict[str, Any] | None:
        """What the inner watch kept; the first turn starts."""
        state = self.inner.resume() if self.inner else None
        self.started = time.perf_counter()
        return state

    def epoch_ended(self, history: list[dict[str, Any]], state: Callable[[], dict[str, Any]]) -> None:
        """End our turn, and have the other one."""
        if self.inner:
            self.inner.epoch_ended(history, state)
        ended = time.perf_counter()
        self.ours.append(ended - self.started)
        self.other()
        self.started = time.perf_counter()
        self.others.append(self.started - ended)

    def step_ended(self, epoch: int, step: int, steps: int) -> None:
        """Tell the inner watch."""
        if self.inner:
            self.inner.step_ended(epoch, step, steps)

    def ratio(self, skipped: int = 0) -> float:
        """Median over the turns, the first ones aside, of the other's time by ours."""
        pairs = zip(self.others[skipped:], self.ours[skipped:], strict=True)
        return statistics.median(other / own for other, own in pairs)
