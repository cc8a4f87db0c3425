"""Trained here, tested there: a suite's `evaluate_on` and ``ferbench transfer``."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import ferbench as ferbench_api
from ferbench.store.files import read_object, write_json
from ferbench.store.predictions import Predictions, write_predictions
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


@pytest.fixture(scope="module")
def scored_once(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a run on two data sets, whose cells were scored on three."""
    folder = tmp_path_factory.mktemp("elsewhere")
    suite = write_suite(folder, "squares", "demo", "squares@two-classes")
    result = ferbench_api.run(str(suite), out=folder / "out", device="cpu", plugins=[PLUGIN])
    assert not result.failed and not result.faults
    return folder / "out"


@pytest.fixture
def scored(scored_once: Path, tmp_path: Path) -> Path:
    """A copy of them."""
    shutil.copytree(scored_once, tmp_path / "out")
    return tmp_path / "out"


def write_suite(folder: Path, *others: str) -> Path:
    """A suite whose cells are scored on ``others`` too."""
    path = folder / "elsewhere.toml"
    path.write_text(SUITE.format(others=", ".join(f'"{name}"' for name in others)))
    return path


def test_a_suite_scores_its_cells_on_other_data_sets(ferbench: Command, scored: Path) -> None:
    found = ferbench("transfer", "--out", scored, "--json").json
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


def test_a_field_is_the_accuracy_of_the_stored_predictions(ferbench: Command, scored: Path) -> None:
    cell = next(cell for cell in Store(scored).cells if cell.record["row"]["dataset"] == "squares")
    by_hand = {}
    for key in cell.evaluations():
        test = cell.predictions(key).side("test")
        by_hand[test.classes] = float(np.mean(test.scores.argmax(axis=1) == test.targets))
    fields = ferbench("transfer", "--out", scored, "--json").json
    there = [field for field in fields if field["trained"] == "squares@official" != field["tested"]]
    shown = {tuple(field["classes"]): field["mean"] for field in there}
    assert shown == pytest.approx(by_hand)


def test_two_copies_of_a_data_set_are_two_columns(ferbench: Command, scored: Path) -> None:
    cell = next(cell for cell in Store(scored).cells if cell.record["row"]["dataset"] == "squares")
    (there,) = (path for path in cell.path.glob("evaluations/*") if "demo" in (path / "evaluation.json").read_text())
    other = there.with_name("another-copy")
    shutil.copytree(there, other)
    facts = read_object(other / "evaluation.json")
    write_json(other / "evaluation.json", facts | {"fingerprint": "0123456789abcdef"})
    found = cell.predictions(there.name).side("test")
    rows = np.arange(40)
    part = Predictions(np.full(40, "test"), found.ids[rows], found.targets[rows], found.scores[rows], found.classes)
    write_predictions(other / "predictions.parquet", part)
    shown = ferbench("transfer", "--out", scored, "--json").json
    sizes = {field["tested"]: field["n"] for field in shown if field["trained"] == "squares@official"}
    demo = f"demo@official (copy {facts['fingerprint'][:8]})"
    assert set(sizes) == {"squares@official", "squares@two-classes", demo, "demo@official (copy 01234567)"}
    assert (sizes[demo], sizes["demo@official (copy 01234567)"]) == (len(found.ids), 40)
    assert {field["trained"] for field in shown} == {"squares@official", demo}


def test_the_same_run_again_scores_nothing_anew(scored: Path) -> None:
    def written() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in scored.glob("cells/*/evaluations/*/metrics.json")}

    before = written()
    assert len(before) == 4
    suite = write_suite(scored.parent, "squares", "demo", "squares@two-classes")
    ferbench_api.run(str(suite), out=scored, device="cpu", plugins=[PLUGIN])
    assert written() == before


def test_the_matrix_is_drawn_and_printed(ferbench: Command, scored: Path, tmp_path: Path) -> None:
    out, figure = scored, tmp_path / "figure.svg"
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
