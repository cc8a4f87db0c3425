"""The hooks of ferbench: everything that a plugin can add, on one screen."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from ferbench.nouns.dataset import Dataset
from ferbench.nouns.event import CellEvent, RunEvent
from ferbench.nouns.family import Family
from ferbench.nouns.metric import Metric
from ferbench.nouns.model import Model
from ferbench.nouns.paper import Reported
from ferbench.nouns.sampler import Sampler
from ferbench.nouns.suite import Suite

hookspec = pluggy.HookspecMarker("ferbench")


@hookspec
def ferbench_datasets() -> Iterable[Dataset | Family]:
    """Yield data sets."""
    return ()


@hookspec
def ferbench_models() -> Iterable[Model | Family]:
    """Yield models, each variant as a model of its own."""
    return ()


@hookspec
def ferbench_samplers() -> Iterable[Sampler | Family]:
    """Yield samplers."""
    return ()


@hookspec
def ferbench_metrics() -> Iterable[Metric | Family]:
    """Yield metrics."""
    return ()


@hookspec
def ferbench_suites() -> Iterable[Suite | Family]:
    """Yield suites."""
    return ()


@hookspec
def ferbench_reported() -> Iterable[Reported]:
    """Yield published numbers that have no model here; ``method`` and ``paper`` filled in."""
    return ()


@hookspec
def ferbench_run_started(event: RunEvent) -> None:
    """A run was planned and begins. Called in the parent process."""


@hookspec
def ferbench_cell_finished(event: CellEvent) -> None:
    """A cell is done, failed or skipped; its files are complete. Called in the parent process."""


@hookspec
def ferbench_run_finished(event: RunEvent) -> None:
    """All cells of a run have ended and its leaderboard is written. Called in the parent process."""
