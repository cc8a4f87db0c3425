"""Epochs of two trainings in turn, so that other load on the machine meets both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from ferbench.running.keeping import Keeper


class Turns:
    """A watch that lets another training go on by an epoch after each of ours, and times both.

    ``inner`` is the watch that ours has anyway; what it does counts as ours. ``ours`` and ``others`` are seconds.
    """

    def __init__(self, other: Callable[[], object], inner: Keeper | None = None) -> None:
        self.other, self.inner = other, inner
        self.ours: list[float] = []
        self.others: list[float] = []
        self.started = time.perf_counter()

    def goes_on(self) -> bool:
        """Whether the inner watch has a state to go on from."""
        return self.inner is not None and self.inner.goes_on()

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


class Apart:
    """A training in a process of its own, started anew, that goes on by an epoch when it is told to.

    ``make(*arguments)`` is called there, and returns the function that trains an epoch.
    """

    def __init__(self, make: Callable[..., Callable[[], object]], *arguments: object) -> None:
        context = get_context("spawn")
        self.connection, other_end = context.Pipe()
        self.process = context.Process(target=serve, args=(other_end, make, arguments))
        self.process.start()
        other_end.close()
        self.connection.recv()

    def epoch(self) -> None:
        """Train an epoch. Raises EOFError when the process has died."""
        self.connection.send(True)
        self.connection.recv()

    def close(self) -> None:
        """End the process."""
        self.connection.send(False)
        self.process.join()


def serve(connection: Connection, make: Callable[..., Callable[[], object]], arguments: tuple[object, ...]) -> None:
    """Train an epoch for each True that arrives."""
    epoch = make(*arguments)
    connection.send(None)
    while connection.recv():
        epoch()
        connection.send(None)
