"""``ferbench data``: status, add, preview."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Command

TOYS = """
from pathlib import Path

from ferbench import Parsed, ProtocolRule, Samples, given_split

def read(path, context):
    import numpy as np
    count, broken, *_ = map(int, [*Path(path).read_text().split(), 0])
    labels = np.arange(count) % 2
    origin = np.array(["train", "train", "val", "val", "test", "test"] * count)[:count]
    ids = np.array([f"toy-{i}" for i in range(count)])
    pixels = np.random.default_rng(count).integers(0, 255, (count, 8, 8)).astype(np.uint8)
    partial = "" if count >= 60 else f"{count} samples instead of 60"
    corrupted = tuple(f"{i}.jpg: the file is empty" for i in range(broken))
    return Parsed(Samples(ids, labels, origin), {"image": pixels}, partial=partial, corrupted=corrupted)

def read_names(path, context):
    toys = context.registered("toys")
    return Parsed(toys.samples, toys.inputs)

@hookimpl
def ferbench_datasets():
    rule = ProtocolRule("official", given_split("train", "val", "test"))
    yield Dataset("toys", "toys", ("red", "blue"), (rule,), read, licence="own", how_to_get="make it")
    yield Dataset("named-toys", "names for toys", ("red", "blue"), (rule,), read_names)
"""


@pytest.fixture
def download(install: Callable[..., Path], data_root: Path, tmp_path: Path) -> Path:
    """A good copy of a data set that a plugin brings; nothing is registered yet."""
    install("toys", TOYS)
    path = tmp_path / "toys.txt"
    path.write_text("60")
    return path


def test_a_data_set_that_builds_on_another_one_needs_it_first(ferbench: Command, download: Path) -> None:
    early = ferbench("data", "add", "named-toys", download)
    assert early.code == 2
    assert "'toys' is not on this machine" in early.err and "ferbench data add toys PATH" in early.err
    ferbench("data", "add", "toys", download)
    assert "named-toys is registered: 60 samples" in ferbench("data", "add", "named-toys", download).out


def test_a_reader_that_has_changed_reads_the_same_download_again(ferbench: Command, data_root: Path) -> None:
    plugin, path = data_root.parent / "own.py", data_root.parent / "own.txt"
    source = "from ferbench import Dataset, hookimpl\n" + TOYS.replace('"toys"', '"own"')
    path.write_text("60")
    command = ("data", "add", "own", path, "--plugin", plugin, "--json")
    plugin.write_text(source)
    before = ferbench(*command).json["fingerprint"]
    assert ferbench(*command).json["already"] is True
    plugin.write_text(source.replace("np.arange(count) % 2", "1 - np.arange(count) % 2"))
    mended = ferbench(*command).json
    assert (mended["already"], mended["fingerprint"] != before) == (False, True)


def test_a_download_is_added_once_and_then_known(ferbench: Command, download: Path) -> None:
    assert [row["state"] for row in ferbench("data", "status", "--json").json if row["name"] == "toys"] == ["missing"]
    added = ferbench("data", "add", "toys", download)
    assert added.code == 0
    assert "toys is registered: 60 samples" in added.out
    assert "toys@official" in added.out
    again = ferbench("data", "add", "toys", download, "--json")
    assert again.json["already"] is True
    assert {"dataset", "fingerprint", "samples", "protocols", "partial", "notes", "root"} <= set(again.json)
    row = next(row for row in ferbench("data", "status", "--json").json if row["name"] == "toys")
    assert set(row) == {"name", "state", "cause", "samples", "fingerprint", "protocols", "partial", "corrupted"}
    assert (row["state"], row["samples"], row["fingerprint"]) == ("registered", 60, again.json["fingerprint"])
    shown = ferbench("data", "status").out
    assert "60 samples" in shown
    assert f"Data folder: {download.parent / 'data-root'}" in shown


def test_a_data_set_of_a_file_is_added_shown_and_drawn(ferbench: Command, data_root: Path, tmp_path: Path) -> None:
    file, download = tmp_path / "faketoys.py", tmp_path / "toys.txt"
    file.write_text("from ferbench import Dataset, hookimpl\n" + TOYS, encoding="utf-8")
    download.write_text("60")
    assert "toys is registered: 60 samples" in ferbench("data", "add", "toys", download, "--plugin", file).out
    assert ferbench("show", "toys", "--plugin", file, "--json").json["plugin"] == "faketoys"
    picture = tmp_path / "toys.png"
    assert ferbench("data", "preview", "toys", "--rows", 2, "--out", picture, "--plugin", file).code == 0
    assert picture.exists()


def test_an_incomplete_copy_needs_a_word_and_is_marked(ferbench: Command, download: Path) -> None:
    download.write_text("30")
    refused = ferbench("data", "add", "toys", download)
    assert refused.code == 2
    assert "30 samples instead of 60" in refused.err
    assert "--allow-partial" in refused.err
    taken = ferbench("data", "add", "toys", download, "--allow-partial")
    assert taken.code == 0
    assert "Every row made from it is marked: 30 samples instead of 60" in taken.out
    assert "30 samples instead of 60" in ferbench("data", "status").out


def test_corrupted_files_are_listed_and_stop_a_run_that_does_not_allow_them(
    ferbench: Command, download: Path, tmp_path: Path
) -> None:
    download.write_text("60 7")
    added = ferbench("data", "add", "toys", download)
    assert added.code == 0
    assert "7 corrupted files left out; a suite must allow them:\n  0.jpg: the file is empty\n" in added.out
    assert "  and 2 more: ferbench data status --json" in added.out
    assert "7 corrupted files left out)" in ferbench("data", "status").out
    row = next(row for row in ferbench("data", "status", "--json").json if row["name"] == "toys")
    assert len(row["corrupted"]) == 7
    suite = tmp_path / "toys.toml"
    text = 'name = "toys"\ndatasets = ["toys"]\nmodels = ["majority"]\n'
    suite.write_text(text)
    refused = ferbench("run", "--suite", suite, "--dry-run")
    assert refused.code == 2
    assert "7 of the 67 files of toys are corrupted, and the suite allows none: 0.jpg: the file" in refused.err
    suite.write_text(text + "allow_corrupted = 7\n")
    assert ferbench("run", "--suite", suite, "--dry-run").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["toys", "nowhere.txt"], "There is no file or folder"),
        (["tois", "x"], "There is no data set 'tois'. Did you mean 'toys'"),
        (["demo", "x"], "'demo' is made on first use; there is nothing to add"),
    ],
)
def test_what_cannot_be_added_is_named(ferbench: Command, download: Path, arguments: list[str], words: str) -> None:
    refused = ferbench("data", "add", *arguments)
    assert refused.code == 2
    assert words in refused.err


def test_a_preview_is_a_picture_with_a_row_for_each_sample(ferbench: Command, tmp_path: Path) -> None:
    target = tmp_path / "sub" / "preview.png"
    done = ferbench("data", "preview", "demo@official", "-m", "small-cnn", "--rows", "3", "--out", target)
    assert done.code == 0
    assert str(target) in done.out
    with Image.open(target) as picture:
        width, height = picture.size
    assert width > 2 * height, "eight pictures across, three down"
    other = tmp_path / "other.png"
    ferbench("data", "preview", "demo@official", "--rows", "3", "--seed", "1", "--out", other)
    assert other.read_bytes() != target.read_bytes()


def test_a_preview_says_where_the_licence_lets_no_picture_be_published(ferbench: Command, download: Path) -> None:
    ferbench("data", "add", "toys", download)
    out = ("--rows", "1", "--out", download.with_name("preview.png"))
    words = "may not be published"
    assert f"Samples of toys {words}" in ferbench("data", "preview", "toys", *out).out
    assert words not in ferbench("data", "preview", "demo", *out).out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fer2013"], "ferbench data add fer2013 PATH"),
        (["demo@oficial"], "demo has no protocol 'oficial'. Did you mean 'official'"),
        (["demo", "-m", "smallcnn"], "There is no model 'smallcnn'. Did you mean 'small-cnn'"),
        (["demo", "--out", "/proc/preview.png"], "/proc/preview.png cannot be written"),
    ],
)
def test_what_cannot_be_previewed_is_named(ferbench: Command, arguments: list[str], words: str) -> None:
    refused = ferbench("data", "preview", *arguments)
    assert refused.code == 2
    assert words in refused.err
