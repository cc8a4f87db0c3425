"""Timing a row for a moment, with the loop and the data path that will train it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.evaluating.scoring import NetworkScorer, build_network, make_preparer
from ferbench.evaluating.setup import Setup, rebuild
from ferbench.nouns.sampler import Sample
from ferbench.nouns.split import Split
from ferbench.nouns.suite import RunSettings
from ferbench.running.environment import adopt, describe
from ferbench.store.store import CellFolder
from ferbench.training.feed import open_feed
from ferbench.training.job import Job, Part
from ferbench.training.loop import train
from ferbench.training.memory import keep_freed_memory

SECONDS = 4.0
STEPS = 12


class EnoughTimedError(Exception):
    """The probe has what it needs."""


class Stopwatch:
    """A watch that keeps nothing but the time of each step."""

    def __init__(self) -> None:
        self.times = [time.perf_counter()]

    def resume(self) -> None:
        """There is nothing to go on from."""

    def epoch_ended(self, history: list[dict[str, Any]], state: Callable[[], dict[str, Any]]) -> None:
        """One epoch is enough."""
        raise EnoughTimedError

    def step_ended(self, epoch: int, step: int, steps: int) -> None:
        """Note the time; stop after a few seconds, but not before the third step."""
        self.times.append(time.perf_counter())
        if step >= 3 and self.times[-1] - self.times[0] > SECONDS:
            raise EnoughTimedError


def probe_cell(path: Path) -> dict[str, float]:
    """Return seconds of training on one sample and of scoring one of test; the cell must be a network's."""
    setup = rebuild(CellFolder(path).record)
    run = RunSettings.model_validate(setup.record["run"])
    keep_freed_memory()
    numerics = adopt(describe(run, setup.recipe, samples=0))
    net, spec = build_network(setup, numerics.device)
    stages = setup.recipe.planned_stages()
    batch = stages[0].batch_size or setup.recipe.batch_size
    few = _first(setup.splits.train, batch * STEPS)
    part = Part(
        open_feed(few, setup.recipe.input, numerics.device, 0), np.asarray(few.targets), Sample(), few.label_kind
    )
    one = _first(setup.splits.val, 2)
    val = Part(open_feed(one, setup.recipe.input, numerics.device, 0), np.asarray(one.targets), Sample())
    watch = Stopwatch()
    job = Job(
        recipe=setup.recipe,
        seed=0,
        task=setup.dataset.task,
        classes=setup.classes,
        numerics=numerics,
        preparer=make_preparer(setup),
        size=spec.size,
        parts=dict.fromkeys({stage.sides for stage in stages}, part),
        val=val,
        watch=watch,
        allow_microbatch=run.allow_microbatch,
    )
    try:
        train(net, job)
    except EnoughTimedError:
        pass
    steps = np.diff(watch.times)
    step = statistics.median(steps[1:] if len(steps) > 1 else steps)
    return {"train": step / min(batch, len(few)), "test": _test_seconds(setup, net, job)}


def _test_seconds(setup: Setup, net: Any, job: Job) -> float:
    few = _first(setup.splits.test, 32)
    scorer = NetworkScorer(setup, net, job.numerics, job.preparer, job.size)
    scorer.scores(few)
    started = time.perf_counter()
    scorer.scores(few)
    return (time.perf_counter() - started) / len(few)


def _first(split: Split, count: int) -> Split:
    return split.take(np.arange(min(count, len(split))))
