"""The suites that ship inside: valid, and all that they name is there."""

from __future__ import annotations

import pytest

from ferbench import Dataset, Model, builtin
from ferbench.nouns.suite import Suite

SUITES: dict[str, Suite] = {suite.name: suite for suite in builtin.ferbench_suites()}
METRICS = {metric.name for metric in builtin.ferbench_metrics()}


def test_the_suites_of_demo_and_fer2013_ship_inside() -> None:
    assert list(SUITES) == ["demo", "fer2013", "fer2013-paper", "fer2013-smoke"]


@pytest.mark.parametrize("name", list(SUITES))
def test_every_metric_sampler_and_seed_count_of_a_suite_is_usable(name: str) -> None:
    suite = SUITES[name]
    assert set(suite.metrics) <= METRICS
    assert set(suite.samplers) <= {sampler.name for sampler in builtin.ferbench_samplers()}
    assert len(set(suite.seeds)) == (1 if suite.small else 3)


def test_everything_that_the_demo_names_ships_inside() -> None:
    suite = SUITES["demo"]
    models = {model.name: model for model in builtin.ferbench_models() if isinstance(model, Model)}
    named = {name for name in suite.models if not name.startswith("tag:")}
    assert named == set(models)
    assert {name for name in suite.models if name.startswith("tag:")} == {"tag:demo"}
    assert suite.datasets == ("demo",)
    assert [item.name for item in builtin.ferbench_datasets() if isinstance(item, Dataset)] == ["demo"]


def test_the_fer2013_suite_asks_for_the_official_split_and_is_joined_by_tag() -> None:
    suite = SUITES["fer2013"]
    assert suite.datasets == ("fer2013@official",)
    assert suite.models == ("tag:fer2013",)
    assert suite.epochs is None
    assert suite.metrics[0] == "accuracy"


def test_the_smoke_suite_runs_what_the_paper_suite_trains_in_small_and_ranks_nothing() -> None:
    paper, smoke = SUITES["fer2013-paper"], SUITES["fer2013-smoke"]
    assert smoke.models == paper.models == ("tag:fer2013", "tag:fer2013-paper")
    assert smoke.small and smoke.epochs == 1 and smoke.limit == 500
    assert not paper.small and paper.epochs is None and paper.limit is None
