"""``ferbench data add``, ``data status`` and ``show`` for weights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Command, Finished
from tests.finished_models import NAMES, linear_onnx

NAMING = """
from ferbench import Recipe, Weights

FACES = Weights("faces", "a network for faces", "a million faces", "example.org/faces.pth", sha256="{sha256}",
                licence="own", classes=("anger", "fear"))

@hookimpl
def ferbench_models():
    yield Model("named", build="nowhere:Net", recipe=Recipe(init_from={{"weights": "faces"}}), weights=(FACES,))
"""
BRINGING = """
from ferbench import Weights

BROUGHT = Weights("brought", "a file", "faces", "pip install numpy", packaged="numpy/py.typed")
GONE = Weights("gone", "a file", "faces", "pip install no-such-package", packaged="no_such_package/file")

@hookimpl
def ferbench_models():
    yield Model("tool", predictor="nowhere:Tool", classes=("happy", "sad"), raw=True, weights=(BROUGHT, GONE))
"""
KEYS = {
    *("name", "kind", "state", "cause", "description", "trained_on", "classes", "sha256", "licence", "how_to_get"),
    *("parameters", "tensors", "source", "notes", "models", "format"),
}


@pytest.fixture
def file(data_root: Path, tmp_path: Path, install: Callable[..., Path]) -> Path:
    """The published file of weights that an installed model names; nothing is registered yet."""
    path = tmp_path / "faces.pth"
    torch.save({"net": {"module.conv.weight": torch.ones(2, 1, 3, 3)}, "epoch": 3}, path)
    install("naming", NAMING.format(sha256=hashlib.sha256(path.read_bytes()).hexdigest()))
    return path


def test_weights_that_a_model_names_are_missing_then_added_then_known(ferbench: Command, file: Path) -> None:
    row = next(row for row in ferbench("data", "status", "--json").json if row["name"] == "faces")
    assert set(row) == KEYS
    assert (row["kind"], row["state"], row["models"]) == ("weights", "missing", ["named"])
    shown = ferbench("data", "status").out
    assert "Weights:" in shown
    assert "faces" in shown and "example.org/faces.pth; then `ferbench data add faces PATH`" in shown
    added = ferbench("data", "add", "faces", file)
    assert added.code == 0
    assert "The weights faces are registered: 18 numbers in 1 tensors." in added.out
    assert "Trained on: a million faces." in added.out
    assert "Note: read from its 'net' part." in added.out
    again = ferbench("data", "add", "faces", file, "--json").json
    assert (again["already"], again["classes"]) == (True, ["anger", "fear"])
    row = next(row for row in ferbench("data", "status", "--json").json if row["name"] == "faces")
    assert (row["state"], row["sha256"], row["parameters"]) == ("registered", again["sha256"], 18)
    assert "18 numbers, trained on a million faces" in ferbench("data", "status").out


def test_weights_are_shown_in_full(ferbench: Command, file: Path) -> None:
    before = ferbench("show", "faces", "--json").json
    assert (set(before), before["state"], before["how_to_get"]) == (KEYS, "missing", "example.org/faces.pth")
    ferbench("data", "add", "faces", file)
    shown = ferbench("show", "faces").out
    assert shown.startswith("faces  (weights)\na network for faces\n")
    assert "trained_on: a million faces" in shown and "classes: anger, fear" in shown
    assert "Did you mean 'faces'" in ferbench("show", "fases").err


def test_weights_of_one_s_own_need_a_word_on_what_they_saw(ferbench: Command, file: Path) -> None:
    refused = ferbench("data", "add", "mine", file)
    assert refused.code == 2
    assert "No installed model names weights 'mine'" in refused.err and "--trained-on" in refused.err
    added = ferbench("data", "add", "mine", file, "--trained-on", "my pictures", "--classes", "anger, joy", "--json")
    assert added.json["classes"] == ["anger", "joy"]
    assert ferbench("show", "mine", "--json").json["trained_on"] == "my pictures"


def test_a_finished_cell_s_weights_are_added_under_a_name(
    ferbench: Command, finished: Finished, data_root: Path
) -> None:
    cell = finished.cell("tiny")
    added = ferbench("data", "add", "from-tiny", cell.path / "best.safetensors", "--json")
    assert added.code == 0
    assert added.json["trained_on"] == "squares@official"
    assert added.json["classes"] == cell.record["facts"]["classes"]


def test_a_finished_model_is_added_listed_and_shown(ferbench: Command, data_root: Path, tmp_path: Path) -> None:
    linear_onnx(tmp_path / "net.onnx")
    wanted = ("data", "add", "my-net", tmp_path / "net.onnx", "--trained-on", "AffectNet")
    refused = ferbench(*wanted)
    assert refused.code == 2 and "Name its classes in their order: --classes a,b,c" in refused.err
    added = ferbench(*wanted, "--classes", ",".join(NAMES))
    assert "The weights my-net are registered: a finished model (onnx, 192 numbers) of 3 classes." in added.out
    assert "Evaluate it as the model onnx:my-net." in added.out
    assert "a finished model (onnx, 192 numbers) of 3 classes, trained on AffectNet" in ferbench("data", "status").out
    assert ferbench("show", "my-net", "--json").json["format"] == "onnx"
    shown = ferbench("show", "onnx:my-net", "--json").json
    assert (shown["trained"], shown["classes"]) == ("no: a finished model", list(NAMES))
    assert shown["recipe"]["input"]["size"] == 8 and shown["weights"] == {"my-net": "there"}
    assert shown["trained_on"] == "AffectNet" and "onnxruntime" in shown["packages"]


def test_what_a_package_brings_is_listed_where_it_is(
    ferbench: Command, data_root: Path, install: Callable[..., Path]
) -> None:
    install("brings", BRINGING)
    assert "numpy/py.typed, trained on faces" in ferbench("data", "status").out
    rows = {row["name"]: row for row in ferbench("data", "status", "--json").json}
    assert (rows["brought"]["state"], rows["gone"]["state"]) == ("registered", "missing")
    assert "how_to_get: pip install no-such-package" in ferbench("show", "gone").out
    shown = ferbench("show", "tool", "--json").json
    assert shown["weights"] == {"brought": "there", "gone": "install a file: pip install no-such-package"}
    assert (shown["recipe"], shown["pictures"]) == ({}, "as they are stored")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["faces", "{other}"], "is not the published file of 'faces'"),
        (["faces", "{other}", "--allow-partial"], "is not the published file of 'faces'"),
        (["faces", "{file}", "--trained-on", "x"], "said by the model that names them; leave --trained-on out"),
        (["faces", "nowhere.pth"], "There is no file"),
        (["mine", "{page}", "--trained-on", "x"], "is no file of weights"),
        (["mine", "{page}"], "There is no data set 'mine'"),
        (["demo", "{file}", "--trained-on", "x"], "demo: it is a data set; --trained-on"),
        (["fases", "{file}"], "Did you mean 'faces'?"),
    ],
)
def test_weights_that_cannot_be_added_say_why(
    ferbench: Command, file: Path, tmp_path: Path, arguments: list[str], words: str
) -> None:
    other, page = tmp_path / "other.pth", tmp_path / "page.pth"
    torch.save({"conv.weight": torch.zeros(1)}, other)
    page.write_text("<html>")
    refused = ferbench("data", "add", *(text.format(file=file, other=other, page=page) for text in arguments))
    assert refused.code == 2
    assert words in refused.err
    assert ferbench("show", "faces", "--json").json["state"] == "missing"
