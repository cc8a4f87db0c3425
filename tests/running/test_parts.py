"""Suites whose rows have names: ablations in one table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import ferbench
from ferbench import SettingsError
from ferbench.plugins import discover
from ferbench.running.plan import make_plan
from ferbench.running.planned import Plan
from ferbench.running.request import Request
from ferbench.running.small import under_small_settings
from ferbench.suites import parse_limit, parse_override
from tests.contract import PLUGIN, Contract

ABLATION = """
name = "ablation"
datasets = ["squares"]
models = ["tiny"]
seeds = [0]
[set]
"run.threads" = 1
"run.probe" = false
[[rows]]
name = "as it is"
[[rows]]
name = "sgd"
set = { "recipe.optimizer" = { name = "sgd", lr = 0.01 } }
[[rows]]
name = "6 epochs"
epochs = 6
[[rows]]
name = "a tenth"
limit = 0.1
[[rows]]
name = "soft labels"
datasets = ["squares@soft-training"]
models = ["tiny", "tiny@wide"]
seeds = [3]
"""


@pytest.fixture
def suite(tmp_path: Path, contract: Contract) -> Path:
    path = tmp_path / "ablation.toml"
    path.write_text(ABLATION)
    return path


def planned(suite: Path, **arguments: Any) -> Plan:
    request = Request(str(suite), plugins=(PLUGIN,), device="cpu", **arguments)
    return make_plan(request, discover(files=[PLUGIN]))


def by_name(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for cell in plan.cells:
        found.setdefault(plan.names[cell.record["row_id"]], []).append(cell.record)
    return found


def test_each_row_changes_what_it_names_and_keeps_the_rest(suite: Path) -> None:
    rows = by_name(planned(suite))
    assert list(rows) == ["as it is", "sgd", "6 epochs", "a tenth", "soft labels"]
    (base,), (sgd,), (longer,), (part,), soft = rows.values()
    assert base["row"]["recipe"]["optimizer"]["name"] == "adam"
    assert sgd["row"]["recipe"] == base["row"]["recipe"] | {"optimizer": sgd["row"]["recipe"]["optimizer"]}
    assert sgd["row"]["recipe"]["optimizer"]["lr"] == 0.01
    assert longer["row"]["recipe"]["epochs"] == 6
    assert (part["row"]["limit"], part["facts"]["n_train"]) == (0.1, 16)
    assert [(cell["row"]["protocol"], cell["row"]["variant"], cell["seed"]) for cell in soft] == [
        ("soft-training", "", 3),
        ("soft-training", "wide", 3),
    ]


def test_a_row_that_changes_nothing_is_the_plain_suites_own_cell(suite: Path) -> None:
    plain = make_plan(
        Request("contract", models=("tiny",), datasets=("squares",), seeds=(0,), plugins=(PLUGIN,)),
        discover(files=[PLUGIN]),
    )
    assert plain.cells[0].id in {cell.id for cell in planned(suite).cells}
    assert plain.names == {}


def test_the_command_line_narrows_rows_that_name_things_and_replaces_in_the_others(suite: Path) -> None:
    narrowed = by_name(planned(suite, models=("tiny@wide",), seeds=(7,), epochs=1))
    assert {name: {(c["row"]["variant"], c["seed"]) for c in cells} for name, cells in narrowed.items()} == {
        "as it is, 6 epochs": {("wide", 7)},
        "sgd": {("wide", 7)},
        "a tenth": {("wide", 7)},
        "soft labels": {("wide", 7)},
    }
    only = by_name(planned(suite, models=("tiny@wide",), datasets=("squares@soft-training",), limit=20))
    assert {c["row"]["protocol"] for cells in only.values() for c in cells} == {"soft-training"}


@pytest.mark.parametrize(
    ("addition", "message"),
    [
        ('[[rows]]\nname = "sgd"\n', "several are called sgd"),
        ('[[rows]]\nname = "x"\nset = {"recipe.optimizer.lrr" = 1}\n', "matches nothing in the row 'x'"),
        ('[[rows]]\nname = "x"\nset = {"run.threads" = 1}\n', "run settings hold for the whole suite"),
        ('[[rows]]\nname = "x"\nmodel = ["tiny"]\n', "Did you mean 'models'"),
        ('[[rows]]\nname = "x"\nlimit = 1.5\n', "limit"),
        ('[[rows]]\nname = "x"\nlimit = 1.0\n', "limit"),
    ],
)
def test_mistakes_in_rows_are_named(suite: Path, addition: str, message: str) -> None:
    suite.write_text(ABLATION + addition)
    with pytest.raises(SettingsError, match=message):
        planned(suite)


SMALL = """
name = "smoke"
datasets = ["squares"]
models = ["tiny", "tiny@wide"]
seeds = [0]
epochs = 1
small = true
"""


def test_a_small_suite_trains_each_model_under_its_own_small_settings_and_ranks_none(contract: Contract) -> None:
    path = contract.out.parent / "smoke.toml"
    path.write_text(SMALL)
    result = ferbench.run(str(path), out=contract.out, plugins=[PLUGIN], device="cpu", set={"run.probe": False})
    assert not result.failed
    cells = {cell.record["row"]["variant"]: cell.record for cell in contract.cells(result)}
    assert {name: cell["row"]["model_options"]["width"] for name, cell in cells.items()} == {"": 8, "wide": 2}
    assert cells["wide"]["facts"]["modified"] == ["options.width", "epochs"]
    rows = [row for row in result.leaderboard.rows if row["kind"] == "measured"]
    assert [row["rank"] for row in rows] == [None, None]
    assert all("small settings" in row["notes"] and "not ranked" in row["notes"] for row in rows)
    whole = planned(path, overrides=()).cells[0]
    path.write_text(SMALL.replace("small = true", ""))
    assert planned(path).cells[0].id != whole.id


def test_small_settings_that_a_model_does_not_have_are_named() -> None:
    model = replace(discover(files=[PLUGIN]).model("tiny"), small={"model.options.depth": 1})
    with pytest.raises(SettingsError, match=r"tiny: small.*depth"):
        under_small_settings(model, small=True)


def test_asking_for_what_no_row_has_names_the_rows(suite: Path) -> None:
    suite.write_text(ABLATION[: ABLATION.index("[[rows]]")] + ABLATION[ABLATION.index('[[rows]]\nname = "soft') :])
    with pytest.raises(
        SettingsError, match=r"none of the suite's rows \(soft labels\) has what was asked for: nearest"
    ):
        planned(suite, models=("nearest",))


def test_an_override_of_the_command_line_comes_last_and_must_match_somewhere(suite: Path) -> None:
    rows = by_name(planned(suite, overrides=(parse_override("recipe.optimizer.lr=0.3"),)))
    assert {cell["row"]["recipe"]["optimizer"]["lr"] for cells in rows.values() for cell in cells} == {0.3}
    with pytest.raises(SettingsError, match="matches nothing in this run"):
        planned(suite, overrides=(parse_override("recipe.optimizer.lrr=0.3"),))


def test_the_table_names_the_rows(contract: Contract, suite: Path, tmp_path: Path) -> None:
    result = ferbench.run(str(suite), out=tmp_path / "out", plugins=[PLUGIN], device="cpu")
    assert not result.failed
    rows = {row["row"] for row in result.leaderboard.rows if row["kind"] == "measured"}
    assert rows == {"as it is", "sgd", "6 epochs", "a tenth", "soft labels"}
    text = (tmp_path / "out" / "leaderboard.md").read_text()
    assert "| row |" in text and "10 % of the training samples" in text


@pytest.mark.parametrize(("text", "wanted"), [("2000", 2000), ("0.25", 0.25), ("10%", 0.1), ("1", 1)])
def test_a_limit_is_a_number_or_a_share(text: str, wanted: float) -> None:
    assert parse_limit(text) == wanted and isinstance(parse_limit(text), type(wanted))


@pytest.mark.parametrize("text", ["many", "inf", "nan"])
def test_a_limit_that_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="is no number"):
        parse_limit(text)


@pytest.mark.parametrize("text", ["0", "-3", "1.5", "0%", "100%", "200%", "1.0", "2000.0"])
def test_a_limit_that_is_neither_a_count_nor_a_share_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="neither a number of samples nor a share"):
        Request("demo", limit=parse_limit(text))
