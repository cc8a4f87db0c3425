"""``ferbench list``, ``show`` and ``doctor``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ferbench.plugins.discovery import plugin_names
from tests.cli.conftest import Command, Finished

KINDS = ("datasets", "models", "samplers", "metrics", "suites", "plugins")
PROMISED = {
    "datasets": {"demo", "fer2013"},
    "models": {"small-cnn", "logistic-regression", "knn", "majority", "timm:NAME"},
    "samplers": {"plain"},
    "metrics": {"accuracy", "macro-f1"},
    "suites": {"demo", "fer2013"},
    "plugins": {"builtin", "fer2013", "mlflow", "secnn"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_listed_for_people_and_for_programs(ferbench: Command, kind: str) -> None:
    rows = ferbench("list", kind, "--json").json
    assert {row["name"] for row in rows} >= PROMISED[kind]
    assert {row["kind"] for row in rows} == {kind}
    shown = ferbench("list", kind)
    assert shown.code == 0
    assert all(row["name"] in shown.out for row in rows)


def test_a_list_of_everything_has_every_kind(ferbench: Command) -> None:
    rows = ferbench("list", "--json").json
    assert [kind for kind in KINDS if kind in {row["kind"] for row in rows}] == list(KINDS)
    assert all({"name", "kind"} <= set(row) for row in rows)
    variants = {row["name"]: row["variant"] for row in rows if row["kind"] == "models" and "variant" in row}
    assert variants["lmu-cnn@se"] == "se"
    assert variants["small-cnn"] == ""


def test_a_family_is_listed_by_the_form_of_its_names_and_asked_about_one_that_it_lacks(ferbench: Command) -> None:
    (row,) = (row for row in ferbench("list", "models", "--json").json if row["name"] == "timm:NAME")
    assert "timm:resnet18" in row["examples"]
    assert all(example in row["description"] for example in row["examples"])
    families = [row for row in ferbench("list", "datasets", "--json").json if row.get("examples")]
    assert all(". For example " in row["description"] for row in families)
    shown = ferbench("show", "timm:resnet81")
    assert shown.code == 2
    assert "Did you mean 'resnet18'" in shown.err


def test_a_broken_plugin_is_listed_with_its_cause(ferbench: Command, install: Callable[..., Path]) -> None:
    install("awry", "raise ValueError('not today')")
    shown = ferbench("list", "plugins")
    assert shown.code == 0
    line = next(line for line in shown.out.splitlines() if "awry" in line)
    assert "broken" in line
    assert "not today" in line


def test_a_model_is_shown_in_full(ferbench: Command) -> None:
    facts = ferbench("show", "lmu-cnn", "--json").json
    stable = ("name", "kind", "plugin", "inputs", "params", "flops", "recipe", "options", "reported", "requires")
    assert set(stable) <= set(facts)
    assert (facts["params"], facts["inputs"]["classes"]) in {(2_606_086, 6), (2_606_599, 7)}
    assert facts["flops"] > 0
    assert {"dataset", "protocol", "split", "metric", "value", "locator"} <= set(facts["reported"][0])
    shown = ferbench("show", "lmu-cnn")
    assert shown.code == 0
    assert f"params: {facts['params']:,}" in shown.out


def test_an_estimator_has_no_parameters_to_count(ferbench: Command) -> None:
    facts = ferbench("show", "knn", "--json").json
    assert (facts["params"], facts["flops"]) == (None, None)
    assert set(facts["recipe"]) == {"input"}


def test_a_data_set_is_shown_with_the_sizes_of_its_sides(ferbench: Command) -> None:
    facts = ferbench("show", "demo", "--json").json
    official = facts["protocols"]["official"]
    assert {side: official[side]["n"] for side in ("train", "val", "test")} == {"train": 2000, "val": 500, "test": 500}
    assert sum(official["train"]["classes"].values()) == 2000
    assert len(facts["registered"]) >= 16
    assert facts["synthetic"] is True


def test_classes_are_shown_beside_their_canonical_names(ferbench: Command, tmp_path: Path) -> None:
    plugin = tmp_path / "two_moods.py"
    plugin.write_text(
        "from ferbench import Dataset, ProtocolRule, hookimpl, k_fold\n@hookimpl\ndef ferbench_datasets():\n"
        "    yield Dataset('two-moods', 'Moods', ('happy', 'sadness', 'afraid'), (ProtocolRule('folds', k_fold(2)),),\n"
        "                  read='nowhere:read')\n"
    )
    facts = ferbench("show", "two-moods", "--plugin", plugin, "--json").json
    assert facts["canonical"] == {"happy": "happiness", "afraid": "fear"}
    assert "happy: happiness" in ferbench("show", "two-moods", "--plugin", plugin).out
    assert ferbench("show", "demo", "--json").json["canonical"] == {}
    made = ferbench("show", "compose:demo+two-moods", "--plugin", plugin, "--json").json
    assert made["classes"] == ["fear", "happiness", "sadness"] and set(made["made_of"]) == {"demo", "two-moods"}
    fault = ferbench("run", "--suite", "demo", "-d", "compose:demo+two-moods", "--plugin", plugin, "--dry-run")
    assert fault.code == 2
    assert "The data set 'two-moods' is not on this machine" in fault.err


def test_a_data_set_that_is_not_registered_says_how_to_get_it(ferbench: Command, data_root: Path) -> None:
    facts = ferbench("show", "fer2013", "--json").json
    assert facts["registered"] == ""
    assert set(facts["protocols"]) == {"official", "public-test", "merged-test", "paper-80-20", "6-class"}
    assert "n" not in facts["protocols"]["official"]
    assert "kaggle" in ferbench("show", "fer2013").out


@pytest.mark.parametrize(("name", "kind"), [("plain", "sampler"), ("accuracy", "metric"), ("demo", "suite")])
def test_everything_else_is_shown(ferbench: Command, name: str, kind: str) -> None:
    shown = ferbench("show", name)
    assert shown.code == 0
    assert f"{name}  ({kind}, plugin builtin)" in shown.out


def test_a_sampler_is_shown_with_the_data_sets_that_it_reads(ferbench: Command) -> None:
    plugin = ("--plugin", Path(__file__).parents[1] / "reads_plugin.py")
    assert ferbench("show", "voted", *plugin, "--json").json["reads"] == [{"dataset": "votes", "optional": False}]
    assert "- dataset votes, optional True" in ferbench("show", "voted-if-there", *plugin).out


def test_a_name_that_nothing_has_is_refused_with_the_nearest(ferbench: Command) -> None:
    refused = ferbench("show", "smal-cnn")
    assert refused.code == 2
    assert "Did you mean 'small-cnn'" in refused.err


@pytest.mark.usefixtures("quick_doctor")
def test_the_doctor_looks_at_everything_that_could_stop_a_run(
    ferbench: Command, finished: Finished, data_root: Path
) -> None:
    found = ferbench("doctor", "--out", finished.out, "--json")
    assert found.code == 0
    assert all(set(finding) == {"what", "state", "detail", "mend"} for finding in found.json)
    states = {finding["what"]: finding["state"] for finding in found.json}
    assert states["data set fer2013"] == "warn"
    assert {"Python", "torch", "data folder", "results folder", "results"} <= set(states)
    assert {f"plugin {name}" for name in plugin_names()} <= set(states)
    mend = next(finding["mend"] for finding in found.json if finding["what"] == "data set fer2013")
    assert mend == "ferbench data add fer2013 PATH"


@pytest.mark.usefixtures("quick_doctor")
def test_the_doctor_fails_with_the_mend_where_something_is_broken(
    ferbench: Command, finished: Finished, install: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    install("awry", "raise ValueError('not today')")
    (finished.out / "store.json").write_text('{"schema": 99}')
    found = ferbench("doctor", "--out", finished.out)
    assert found.code == 1
    assert "✗ plugin awry" in found.out
    assert "not today" in found.out
    assert "✗ results" in found.out
    assert "schema 99" in found.out
