"""``ferbench run``: what it trains, says, writes and answers to its caller."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ferbench.store.store import Store
from tests.cli.conftest import Command, Finished, Outcome
from tests.contract import PLUGIN, Contract

Run = Callable[..., Outcome]


@pytest.fixture
def run(ferbench: Command, contract: Contract, tmp_path: Path) -> Run:
    """The suite ``contract`` on one thread, into ``tmp_path / "out"``."""

    def call(*arguments: object) -> Outcome:
        fixed = ["--plugin", PLUGIN, "--device", "cpu", "--set", "run.threads=1", "--set", "run.probe=false"]
        return ferbench("run", "--suite", "contract", "--out", tmp_path / "out", *fixed, *arguments)

    return call


def test_a_run_prints_the_leaderboard_and_writes_it(run: Run, tmp_path: Path) -> None:
    done = run("-m", "nearest")
    assert done.code == 0
    assert "nearest" in done.out
    assert "Written to" in done.out
    assert "[1/1] done" in done.err, "what happens goes to stderr, facts to stdout"
    for name in ("leaderboard.csv", "leaderboard.md"):
        assert "nearest" in (tmp_path / "out" / name).read_text()
    again = run("-m", "nearest")
    assert (again.code, "1 cell, 1 already done" in again.err) == (0, True)


def test_a_run_as_json_is_the_leaderboard(run: Run) -> None:
    facts = run("-m", "nearest", "-m", "raising", "--seeds", "1", "--json")
    assert facts.code == 1, "some cells failed"
    assert set(facts.json) == {"schema", "title", "metrics", "columns", "rows", "failures", "datasets", "captions"}
    assert [row["model"] for row in facts.json["rows"]] == ["nearest"]
    assert [failure["cause"] for failure in facts.json["failures"]] == ["ValueError: this method is broken"]


def test_lists_seeds_epochs_limit_and_settings_reach_the_cells(run: Run, tmp_path: Path) -> None:
    done = run(
        *("-d", "squares@two-classes", "-m", "tiny", "-s", "halve", "--seeds", "0,7", "--epochs", "1"),
        *("--limit", "20", "--set", "recipe.optimizer.lr=0.5", "--set", "tiny:model.options.width=4"),
    )
    assert done.code == 0
    store = Store(tmp_path / "out")
    records = [cell.record for cell in store.cells]
    assert sorted(record["seed"] for record in records) == [0, 7]
    row = records[0]["row"]
    assert (row["protocol"], row["sampler"], row["limit"]) == ("two-classes", "halve", 20)
    assert (row["recipe"]["epochs"], row["recipe"]["optimizer"]["lr"], row["model_options"]["width"]) == (1, 0.5, 4)
    assert records[0]["run"]["threads"] == 1
    assert "--limit" in store.run()["command"]


def test_fresh_trains_again_what_is_done(run: Run, finished: Finished) -> None:
    cell = finished.cell("nearest")
    (cell.path / "old.txt").write_text("from before")
    assert "1 already done" in run("-m", "nearest").err
    assert (cell.path / "old.txt").exists()
    assert "0 already done" in run("-m", "nearest", "--fresh").err
    assert not (cell.path / "old.txt").exists()
    assert cell.state == "done"


def test_a_dry_run_says_what_would_be_done_and_does_nothing(run: Run, finished: Finished, tmp_path: Path) -> None:
    before = sorted(path for path in tmp_path.rglob("*"))
    shown = run("-m", "student", "-m", "nearest", "-m", "centred", "--seeds", "1", "--dry-run")
    assert shown.code == 0
    lines = shown.out.splitlines()
    states = [line.split()[1:3] for line in lines[:-1]]
    assert states == [["done", "student"], ["done", "└─"], ["done", "nearest"], ["to", "do"]]
    assert lines[1].startswith(finished.cell("tiny").id[:8])
    assert "└─ teacher: tiny · squares@official" in lines[1], "what is required stands below what requires it"
    assert "4 cells, 1 to do" in lines[-1]
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_a_dry_run_as_json(run: Run) -> None:
    facts = run("-m", "nearest", "-m", "tiny", "-d", "squares", "-d", "clips", "--seeds", "1", "--dry-run", "--json")
    assert set(facts.json) == {"cells", "skipped", "estimated_hours", "cells_not_estimated", "warnings"}
    assert all(set(cell) == {"id", "label", "done", "requires", "roles"} for cell in facts.json["cells"])
    assert len(facts.json["cells"]) == 3
    assert facts.json["cells_not_estimated"] == 3, "run.probe is off"
    assert [item["what"] for item in facts.json["skipped"]] == ["nearest on clips@official"]


def test_networks_are_timed_beforehand(run: Run) -> None:
    facts = run("-m", "tiny", "-m", "nearest", "--dry-run", "--json", "--set", "run.probe=true").json
    assert facts["estimated_hours"] > 0
    assert facts["cells_not_estimated"] == 1, "an estimator"


def test_a_suite_may_be_a_file(ferbench: Command, contract: Contract, tmp_path: Path) -> None:
    suite = tmp_path / "own.toml"
    text = 'name = "own"\ndatasets = ["squares"]\nmodels = ["nearest"]\nmetrics = ["worst-class"]\n'
    suite.write_text(text + '[set]\n"run.probe" = false\n')
    done = ferbench("run", "--suite", suite, "--plugin", PLUGIN, "--device", "cpu", "--out", tmp_path / "out")
    assert done.code == 0
    assert "Leaderboard: own" in done.out


def test_a_failed_cell_is_told_with_its_cause(run: Run) -> None:
    done = run("-m", "raising", "-m", "nearest", "--seeds", "1")
    assert done.code == 1
    assert "[1/2] failed  raising · squares@official · seed 0  ValueError: this method is broken" in done.err
    assert "1 failed cell" in done.out
    assert "Traceback" not in done.out + done.err


def test_a_run_that_is_stopped_before_its_first_cell_says_how_to_go_on(
    ferbench: Command, contract: Contract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ferbench.running.api.record_run", stopped)
    outcome = ferbench("run", "--suite", "demo", "-m", "majority", "--out", tmp_path)
    assert outcome.code == 130
    assert outcome.err == "Stopped. What is finished is kept; the same command goes on from there.\n"


def test_any_command_that_is_stopped_says_so(ferbench: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ferbench.running.checkup.examine", stopped)
    outcome = ferbench("doctor")
    assert (outcome.code, outcome.err) == (130, "Stopped.\n")
