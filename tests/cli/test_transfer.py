"""Trained here, tested there: a suite's `evaluate_on` and ``ferbench transfer``."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from ferbench.store.store import Store
from tests.cli.conftest import Command
from tests.contract import PLUGIN, Contract

RUN = ("run", "--device", "cpu", "--plugin", PLUGIN, "--suite")
SUITE = """
name = "elsewhere"
datasets = ["squares", "demo"]
models = ["logistic-regression"]
metrics = ["accuracy"]
evaluate_on = [{others}]

[set]
"run.probe" = false
"run.track" = "never"
"""

STRANGERS = """
from dataclasses import replace
from ferbench import Family, Parsed, hookimpl

def read(path, context):
    base = context.registered("demo")
    return Parsed(base.samples, base.inputs)

def make(name, find):
    base = find("demo")
    names = tuple(f"{name}-{place}" for place in base.classes)
    return replace(base, name="made:" + name, classes=names, read=read, bases=(base,), embedded=True)

@hookimpl
def ferbench_datasets():
    yield Family("made", make, derives=True)
"""


@pytest.fixture
def suite(contract: Contract, tmp_path: Path) -> Path:
    """The file of a suite that scores elsewhere."""
    return write_suite(tmp_path, "squares", "demo", "squares@two-classes")


def write_suite(folder: Path, *others: str) -> Path:
    """A suite whose cells are scored on ``others`` too."""
    path = folder / "elsewhere.toml"
    path.write_text(SUITE.format(others=", ".join(f'"{name}"' for name in others)))
    return path


def test_a_suite_scores_its_cells_on_other_data_sets(ferbench: Command, suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert ferbench(*RUN, suite, "--out", out).code == 0
    found = ferbench("transfer", "--out", out, "--json").json
    fields = {(field["trained"], field["tested"]): field for field in found}
    assert set(fields) == {
        (trained, tested)
        for trained in ("squares@official", "demo@official")
        for tested in ("squares@official", "demo@official", "squares@two-classes")
    }
    there = fields["squares@official", "demo@official"]
    assert (there["classes"], there["left_out"]) == (["anger", "fear", "happiness", "sadness"], 8 + 58 + 87)
    assert fields["demo@official", "squares@official"]["left_out"] == 0
    assert fields["demo@official", "demo@official"]["n"] == there["n"] + there["left_out"]
    assert all(field["ci_low"] <= field["mean"] <= field["ci_high"] for field in found)


def test_a_field_is_the_accuracy_of_the_stored_predictions(ferbench: Command, suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ferbench(*RUN, suite, "--out", out, "-d", "squares")
    (cell,) = Store(out).cells
    by_hand = {}
    for key in cell.evaluations():
        test = cell.predictions(key).side("test")
        by_hand[test.classes] = float(np.mean(test.scores.argmax(axis=1) == test.targets))
    shown = {tuple(field["classes"]): field["mean"] for field in ferbench("transfer", "--out", out, "--json").json[1:]}
    assert shown == pytest.approx(by_hand)


def test_the_same_run_again_scores_nothing_anew(ferbench: Command, suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ferbench(*RUN, suite, "--out", out, "-d", "squares")
    (cell,) = Store(out).cells
    written = {key: (cell.path / "evaluations" / key / "metrics.json").stat().st_mtime_ns for key in cell.evaluations()}
    assert len(written) == 2
    ferbench(*RUN, suite, "--out", out, "-d", "squares")
    again = {key: (cell.path / "evaluations" / key / "metrics.json").stat().st_mtime_ns for key in cell.evaluations()}
    assert again == written


def test_the_matrix_is_drawn_and_printed(ferbench: Command, suite: Path, tmp_path: Path) -> None:
    out, figure = tmp_path / "out", tmp_path / "figure.svg"
    ferbench(*RUN, suite, "--out", out)
    table = ferbench("transfer", "--out", out, "--figure", figure).out
    assert "153 of classes it does not know left out" in table
    assert "own test side" in table
    texts = [node.text or "" for node in ElementTree.parse(figure).iter() if node.tag.endswith("}text")]
    assert "logistic-regression: accuracy %, trained on the row, tested on the column" in texts
    assert sum("classes, n" in text for text in texts) == 6
    markdown = ferbench("transfer", "--out", out, "--format", "md").out.splitlines()
    assert len({line.count("|") for line in markdown}) == 1
    csv = ferbench("transfer", "--out", out, "--format", "csv").out.splitlines()
    assert csv[0].startswith("method,trained,tested,metric,mean,") and len(csv) == 7


def test_an_unknown_data_set_is_named_before_anything_is_trained(
    ferbench: Command, contract: Contract, tmp_path: Path
) -> None:
    refused = ferbench(*RUN, write_suite(tmp_path, "squars"), "--out", tmp_path / "out")
    assert refused.code == 2
    assert "Did you mean 'squares'?" in refused.err
    assert not (tmp_path / "out").exists()


def test_a_data_set_of_another_task_is_left_out_and_told(ferbench: Command, contract: Contract, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = ferbench(*RUN, write_suite(tmp_path, "flags", "demo"), "--out", out, "-d", "squares")
    assert done.code == 0
    assert "flags: another task or kind of data than that of 1 cell." in done.err
    assert len(ferbench("transfer", "--out", out, "--json").json) == 2


def test_what_cannot_be_scored_there_is_told_and_the_rest_kept(
    ferbench: Command, contract: Contract, tmp_path: Path
) -> None:
    plugin, out = tmp_path / "strangers.py", tmp_path / "out"
    plugin.write_text(STRANGERS)
    suite = write_suite(tmp_path, "made:strangers", "demo")
    done = ferbench(*RUN[:-1], "--plugin", plugin, RUN[-1], suite, "--out", out, "-d", "squares")
    assert done.code == 1
    assert "seed 0 on made:strangers: squares and made:strangers cannot be compared: they share no class" in done.err
    assert len(ferbench("transfer", "--out", out, "--json").json) == 2


def test_without_further_evaluations_the_way_to_them_is_told(
    ferbench: Command, contract: Contract, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ferbench(*RUN, write_suite(tmp_path), "--out", out, "-d", "squares")
    refused = ferbench("transfer", "--out", out)
    assert refused.code == 2
    assert "ferbench evaluate -d NAME" in refused.err
