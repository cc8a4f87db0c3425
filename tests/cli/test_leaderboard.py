"""``ferbench leaderboard``: its forms, its options, several folders."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from ferbench.store.store import Store
from tests.cli.conftest import Command, Finished
from tests.contract import Contract

ERRORS = """
from ferbench import Metric, hookimpl

def share(scored):
    return float((scored.scores.argmax(axis=1) != scored.targets).mean())

@hookimpl
def ferbench_metrics():
    yield Metric("errors", share, percent=True, higher_is_better=False)
"""


def test_every_form_shows_the_same_rows(ferbench: Command, finished: Finished) -> None:
    table = ferbench("leaderboard", "--out", finished.out)
    markdown = ferbench("leaderboard", "--out", finished.out, "--format", "md")
    rows = list(csv.DictReader(io.StringIO(ferbench("leaderboard", "--out", finished.out, "--format", "csv").out)))
    facts = ferbench("leaderboard", "--out", finished.out, "--json").json
    assert facts == ferbench("leaderboard", "--out", finished.out, "--format", "json").json
    assert set(facts) == {"schema", "title", "metrics", "columns", "rows", "failures", "datasets", "captions"}
    assert [row["model"] for row in rows] == [row["model"] for row in facts["rows"]]
    assert {row["model"] for row in rows} == {"tiny", "student", "nearest"}
    assert list(rows[0]) == facts["columns"]
    for shown in (table, markdown):
        assert shown.code == 0
        assert all(row["model"] in shown.out for row in rows)
        assert "raising" in shown.out
        assert "ValueError: this method is broken" in shown.out


def test_another_metric_sorts(ferbench: Command, finished: Finished) -> None:
    facts = ferbench("leaderboard", "--out", finished.out, "--sort", "log-loss", "--json").json
    assert facts["metrics"][0] == "log-loss"
    means = [row["log-loss_mean"] for row in facts["rows"]]
    assert means == sorted(means), "less is better"


def test_a_metric_of_a_file_sorts_what_was_run_before(ferbench: Command, finished: Finished, tmp_path: Path) -> None:
    file = tmp_path / "fakeerrors.py"
    file.write_text(ERRORS, encoding="utf-8")
    facts = ferbench("leaderboard", "--out", finished.out, "--sort", "errors", "--plugin", file, "--json").json
    assert facts["metrics"][0] == "errors"
    for row in facts["rows"]:
        assert row["errors_mean"] == pytest.approx(1 - row["accuracy_mean"])


def test_an_earlier_run_is_shown_by_its_id(ferbench: Command, contract: Contract, finished: Finished) -> None:
    contract.run(finished.out, models=["nearest"])
    latest = ferbench("leaderboard", "--out", finished.out, "--json").json
    assert [row["model"] for row in latest["rows"]] == ["nearest"]
    earlier = ferbench("leaderboard", "--out", finished.out, "--run", finished.run_id, "--json").json
    assert len(earlier["rows"]) == 3


def test_two_folders_are_merged(ferbench: Command, contract: Contract, finished: Finished, tmp_path: Path) -> None:
    other = tmp_path / "other"
    contract.run(other, models=["centred"], seeds=1)
    merged = ferbench("leaderboard", "--out", finished.out, "--out", other, "--json").json
    assert {row["model"] for row in merged["rows"]} == {"tiny", "student", "nearest", "centred"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--sort", "acuracy"], "There is no metric 'acuracy'. Did you mean 'accuracy'"),
        (["--run", "9"], "There is no run '9'"),
        (["--out", "nowhere"], "There are no results in nowhere"),
    ],
)
def test_mistakes_are_named(ferbench: Command, finished: Finished, arguments: list[str], words: str) -> None:
    where = [] if "--out" in arguments else ["--out", finished.out]
    refused = ferbench("leaderboard", *where, *arguments)
    assert refused.code == 2
    assert words in refused.err


def test_a_damaged_cell_is_listed_and_hides_no_other(ferbench: Command, finished: Finished) -> None:
    damaged = finished.cell("student", 0)
    damaged.path.joinpath("predictions.parquet").write_bytes(b"PAR1")
    facts = ferbench("leaderboard", "--out", finished.out, "--json").json
    assert {row["model"]: row["seeds"] for row in facts["rows"]} == {"tiny": 2, "student": 1, "nearest": 1}
    cause = next(failure["cause"] for failure in facts["failures"] if failure["cell"] == damaged.id)
    assert "predictions.parquet is damaged" in cause
    assert len(Store(finished.out).run()["cells"]) == 7
