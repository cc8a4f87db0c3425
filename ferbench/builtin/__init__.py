"""What ships with ferbench, through the same hooks as every plugin."""

from __future__ import annotations

from collections.abc import Iterator

from ferbench.nouns.dataset import Dataset
from ferbench.nouns.family import Family, hookimpl
from ferbench.nouns.metric import Metric
from ferbench.nouns.model import Model
from ferbench.nouns.sampler import Sampler
from ferbench.nouns.suite import Suite


@hookimpl
def ferbench_datasets() -> Iterator[Dataset | Family]:
    """The demo faces, and data sets that are composed of others."""
    from ferbench.builtin.composed import composed_family
    from ferbench.builtin.demo import demo_dataset

    yield demo_dataset()
    yield composed_family()


@hookimpl
def ferbench_models() -> Iterator[Model | Family]:
    """A small network, two classic methods, and the floor; finished models that a user has as a file."""
    from ferbench.builtin.finished import families
    from ferbench.builtin.models import models

    yield from models()
    yield from families()


@hookimpl
def ferbench_samplers() -> Iterator[Sampler]:
    """The training split as it is."""
    from ferbench.builtin.samplers import samplers

    yield from samplers()


@hookimpl
def ferbench_metrics() -> Iterator[Metric]:
    """The metrics of every task."""
    from ferbench.builtin.metrics import metrics

    yield from metrics()


@hookimpl
def ferbench_suites() -> Iterator[Suite]:
    """The suites that need no plugin, or that plugins join by tag."""
    from ferbench.builtin.suites import suites

    yield from suites()
