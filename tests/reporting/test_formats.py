"""The table in a terminal, CSV, Markdown and JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from ferbench.builtin.metrics import metrics
from ferbench.nouns.paper import Reported
from ferbench.reporting.board import Leaderboard
from ferbench.reporting.formats import to_csv, to_json, to_markdown, write
from ferbench.reporting.html import to_html
from ferbench.reporting.leaderboard import build
from ferbench.reporting.sheet import count, duration
from ferbench.reporting.table import print_table

if TYPE_CHECKING:
    from tests.reporting.conftest import OutFolder

USUAL = [metric for metric in metrics() if metric.name in ("accuracy", "balanced-accuracy", "log-loss")]


@pytest.fixture
def found(out: OutFolder) -> Leaderboard:
    out.row("good-net@paper", [0.9, 0.92], facts={"modified": ["epochs"], "epochs": 2, "recipe_epochs": 9})
    out.row("fair-net", [0.6, 0.61])
    out.row("majority", [1 / 3], facts={"floor": True, "deterministic": True})
    out.cell("lost|net", state="failed", status={"cause": "loss is not finite"})
    out.run()
    return build(
        [out.out], USUAL, reported=[Reported("fer2013", "official", "test", "accuracy", 0.7, "Table 1", method="Pub")]
    )


def printed(found: Leaderboard, width: int = 120) -> str:
    text = io.StringIO()
    print_table(found, Console(file=text, width=width, force_terminal=True, color_system=None))
    return text.getvalue()


def test_csv_holds_unrounded_fractions_and_blanks(found: Leaderboard) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert list(rows[0]) == list(found.columns)
    assert rows[0]["model"] == "good-net" and rows[0]["variant"] == "paper"
    assert float(rows[0]["accuracy_mean"]) == found.rows[0]["accuracy_mean"]
    assert rows[2]["accuracy_std"] == ""
    assert rows[-1]["kind"] == "reported" and rows[-1]["rank"] == ""


def test_json_has_stable_keys_and_null_for_what_is_not_known(found: Leaderboard) -> None:
    content = json.loads(to_json(found))
    assert list(content) == ["schema", "title", "metrics", "columns", "rows", "failures", "datasets", "captions"]
    assert content["rows"] == found.rows
    assert content["rows"][2]["accuracy_std"] is None
    assert content["failures"][0]["cause"] == "loss is not finite"


def test_the_terminal_shows_percent_with_deviation_and_interval(found: Leaderboard) -> None:
    text = printed(found)
    row = found.rows[1]
    low, high = 100 * row["accuracy_ci_low"], 100 * row["accuracy_ci_high"]
    assert f"60.5 ± 0.7 [{low:.1f}, {high:.1f}]" in text
    assert f"{row['log-loss_mean']:.3f}" in text
    assert "majority (floor)" in text
    assert "try-out: 2 epochs instead of the recipe's 9" in text
    assert "† reported by the authors" in text
    assert "loss is not finite" in text


@pytest.mark.parametrize("width", [70, 90, 120])
def test_the_table_fits_the_terminal_and_names_what_it_leaves_out(found: Leaderboard, width: int) -> None:
    text = printed(found, width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "good-net@paper" in text
    assert ("No room for" in text) == (width < 120)


def test_a_long_name_is_folded_before_a_column_is_left_out(out: OutFolder) -> None:
    out.row("net", [0.6, 0.61])
    out.run()
    name = "a network and six others of the same kind, summed (its authors 2020)"
    reported = Reported("fer2013", "official", "test", "accuracy", 0.7, "Table 1", method=name)
    text = printed(build([out.out], USUAL, reported=[reported]), 130)
    assert "No room for" not in text and "a network and six others of the same" in text
    assert name in printed(build([out.out], USUAL, reported=[reported]), 200), "where there is room it is not folded"


def test_reported_rows_look_otherwise_than_measured_ones_in_html(found: Leaderboard) -> None:
    lines = re.findall(r"<tr([^>]*)>(.*?)</tr>", to_html(found))
    assert {"italic" in style: "†" in cells for style, cells in lines} == {True: True, False: False}


def test_a_file_gets_a_wide_table_without_colours(found: Leaderboard) -> None:
    text = io.StringIO()
    print_table(found, Console(file=text, width=40))
    assert "No room for" not in text.getvalue()
    assert "\x1b" not in text.getvalue()


def test_markdown_has_a_table_for_each_block_and_escapes_names(found: Leaderboard) -> None:
    text = to_markdown(found)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(found.rows)
    assert len({line.count("|") for line in lines}) == 1
    assert "lost\\|net" in text


def test_an_empty_table_says_so(out: OutFolder) -> None:
    out.cell("net", state="planned")
    out.run()
    found = build([out.out], USUAL)
    assert "No finished results yet" in printed(found)
    assert "No finished results yet" in to_markdown(found)
    assert to_csv(found).count("\n") == 1


def test_both_files_are_written(found: Leaderboard, out: OutFolder) -> None:
    write(found, out.out)
    assert (out.out / "leaderboard.csv").read_text() == to_csv(found)
    assert (out.out / "leaderboard.md").read_text() == to_markdown(found)
    assert not list(out.out.glob(".leaderboard*"))


def test_counts_and_durations_are_short() -> None:
    assert [count(value) for value in (None, 987, 58423, 2606599, 29.9e6, 3.6e9)] == [
        "",
        "987",
        "58.4k",
        "2.61M",
        "29.9M",
        "3.6G",
    ]
    assert [duration(value) for value in (None, 0.25, 45, 720, 12240)] == ["", "0.25 s", "45 s", "12 min", "3.4 h"]
