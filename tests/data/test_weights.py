"""Registered weights: added once, checked, and told apart by the hash of their file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ferbench import DataError, Weights
from ferbench.data.adding_weights import add_weights
from ferbench.data.provenance import described
from ferbench.data.weights import (
    class_difference,
    how_to_get,
    load_weights,
    registered_names,
    status_of,
    weights_root,
)

FACES = Weights("faces", "a network for faces", "a million faces", "https://example.org/faces.pth", licence="own")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "faces.pth"
    torch.save({"state_dict": {"module.conv.weight": torch.ones(2, 3)}}, path)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_weights_are_kept_as_safetensors_under_the_hash_of_their_file(file: Path) -> None:
    assert (status_of("faces").state, registered_names()) == ("missing", [])
    meta, already = add_weights(FACES, file)
    assert not already
    assert (meta.sha256, meta.trained_on, meta.parameters, meta.tensors) == (sha256(file), "a million faces", 6, 1)
    assert status_of("faces").state == "registered" and status_of("faces").meta == meta
    assert registered_names() == ["faces"]
    known, tensors = load_weights("faces", meta.sha256)
    assert known == meta and meta.path.suffix == ".safetensors"
    assert torch.equal(tensors["conv.weight"], torch.ones(2, 3))
    assert sorted(path.name for path in weights_root("faces").iterdir()) == [meta.file, "meta.json"]


def test_the_same_again_is_no_error_and_another_file_replaces_it(file: Path) -> None:
    first, _ = add_weights(FACES, file)
    assert add_weights(FACES, file) == (first, True)
    again, already = add_weights(replace(FACES, trained_on="two million faces"), file)
    assert (already, again.trained_on) == (False, "two million faces")
    torch.save({"conv.weight": torch.zeros(2, 3)}, file)
    second, already = add_weights(FACES, file)
    assert not already and second.sha256 != first.sha256
    assert sorted(path.name for path in weights_root("faces").iterdir()) == [second.file, "meta.json"]
    with pytest.raises(DataError, match=r"are of another file .* start a new run"):
        load_weights("faces", first.sha256)


def test_the_published_checksum_is_held_to(file: Path) -> None:
    known = replace(FACES, sha256=sha256(file).upper())
    assert add_weights(known, file)[0].sha256 == sha256(file)
    add_weights(replace(FACES, sha256=sha256(file)[:8]), file)  # as in torchvision's file names
    other = replace(FACES, name="others", sha256="0" * 64)
    with pytest.raises(DataError, match=r"is not the published file of 'others'.*Get it again: https://example.org"):
        add_weights(other, file)
    assert status_of("others").state == "missing"


def test_weights_that_are_gone_cut_or_altered_are_damaged(file: Path) -> None:
    meta, _ = add_weights(FACES, file)
    content = meta.path.read_bytes()
    meta.path.write_bytes(content[:-4] + b"\1\1\1\1")
    with pytest.raises(DataError, match=r"were altered.*Add them again: ferbench data add faces PATH"):
        load_weights("faces", meta.sha256)
    meta.path.write_bytes(content[:-4])
    assert "bytes instead of" in status_of("faces").cause
    meta.path.unlink()
    assert (status_of("faces").state, "is missing" in status_of("faces").cause) == ("damaged", True)
    with pytest.raises(DataError, match="are damaged on this machine"):
        load_weights("faces", meta.sha256)
    again, already = add_weights(FACES, file)
    assert not already and status_of("faces").meta == again
    (weights_root("faces") / "meta.json").write_text("{}")
    assert "is damaged" in status_of("faces").cause
    assert registered_names() == []


def test_weights_that_no_model_names_need_a_word_on_what_they_saw(file: Path) -> None:
    with pytest.raises(DataError, match=r"No installed model names weights 'facs'. Did you mean 'faces'.*--trained-on"):
        described("facs", file, {"faces": FACES})
    with pytest.raises(DataError, match="'My Faces' is no name for weights"):
        described("My Faces", file, {}, "faces")
    mine = described("mine", file, {}, "faces ", ["anger", "fear"])
    assert (mine.name, mine.trained_on, mine.classes) == ("mine", "faces", ("anger", "fear"))


def test_what_a_model_says_of_its_weights_is_not_said_again(file: Path) -> None:
    assert described("faces", file, {"faces": FACES}) == FACES
    assert described("faces", file, {"faces": FACES}, classes=["a"]).classes == ("a",)
    with pytest.raises(DataError, match="leave --trained-on out"):
        described("faces", file, {"faces": FACES}, "nothing")
    with pytest.raises(DataError, match="leave --classes out"):
        described("faces", file, {"faces": replace(FACES, classes=("b",))}, classes=["a"])


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    """A finished cell, as far as its weights are concerned."""
    folder = tmp_path / "3f2a"
    folder.mkdir()
    save_file({"conv.weight": torch.ones(2)}, folder / "best.safetensors")
    facts = {"estimator": False, "extra_data": "ImageNet-1k", "classes": ["anger", "fear"]}
    record = {"row": {"dataset": "toys", "protocol": "official"}, "facts": facts}
    (folder / "cell.json").write_text(json.dumps(record))
    (folder / "status.json").write_text(json.dumps({"state": "done"}))
    return folder


def test_a_finished_cell_says_itself_what_its_weights_have_seen(cell: Path) -> None:
    weights = described("mine", cell / "best.safetensors", {})
    assert weights.trained_on == "toys@official, ImageNet-1k"
    assert weights.classes == ("anger", "fear")
    assert add_weights(weights, cell / "best.safetensors")[0].classes == ("anger", "fear")
    with pytest.raises(DataError, match=r"were trained on is said by the cell in .*; leave --trained-on out"):
        described("mine", cell / "best.safetensors", {}, trained_on="nothing")
    with pytest.raises(DataError, match="leave --classes out"):
        described("mine", cell / "best.safetensors", {}, classes=["a"])


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("status.json", {"state": "failed"}, "no network to begin with: it is failed"),
        ("cell.json", {"row": {}, "facts": {"estimator": True}}, "no network to begin with: it is an estimator"),
        ("cell.json", {}, "cannot be read"),
    ],
)
def test_a_cell_that_has_no_finished_network_is_refused(cell: Path, name: str, change: object, words: str) -> None:
    (cell / name).write_text(json.dumps(change))
    with pytest.raises(DataError, match=words):
        described("mine", cell / "best.safetensors", {})


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no file .*nowhere.pth"):
        add_weights(FACES, tmp_path / "nowhere.pth")


def test_what_to_get_and_where_to_put_it_is_one_line() -> None:
    assert how_to_get("faces", FACES) == (
        "get a network for faces (licence: own): https://example.org/faces.pth; then `ferbench data add faces PATH`"
    )
    assert how_to_get("mine", None) == "add their file: `ferbench data add mine PATH`"
    assert how_to_get("faces", replace(FACES, trained_on="")).endswith(
        "`ferbench data add faces PATH --trained-on TEXT`"
    )


def test_what_weights_have_seen_is_said_by_the_user_where_a_model_leaves_it_open(tmp_path: Path) -> None:
    file, faces = tmp_path / "faces.safetensors", {"faces": replace(FACES, trained_on="")}
    save_file({"head.weight": torch.zeros(2, 3)}, file)
    with pytest.raises(DataError, match=r"does not know what this file was trained on.*--trained-on"):
        described("faces", file, faces)
    assert described("faces", file, faces, "a village") == replace(FACES, trained_on="a village")


def test_classes_must_be_the_same_in_the_same_order() -> None:
    assert class_difference(("a", "b"), ["a", "b"]) == ""
    assert "another order: b, a; here they are a, b" in class_difference(("b", "a"), ("a", "b"))
    assert "other classes: a, c; here they are a, b" in class_difference(("a", "c"), ("a", "b"))
    assert "--classes a,b,c" in class_difference((), ("a", "b"))
