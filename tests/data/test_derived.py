"""Data sets that are made from other installed data sets."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ferbench
from ferbench import Dataset, MissingDataError, Parsed, PluginError, ReadContext, Samples
from ferbench.data.folds import make_sides
from ferbench.data.registry import add, load
from tests.data.conftest import read_toys, toy_dataset


def read_double(path: Path | None, context: ReadContext) -> Parsed:
    """Every toy, once as it is and once upside down."""
    base = context.registered("toys")
    assert base.inputs is not None and base.samples.origin is not None
    pictures = np.asarray(base.inputs["image"])
    samples = replace(
        base.samples,
        ids=np.concatenate([base.samples.ids, np.char.add(base.samples.ids.astype(str), "-flipped")]),
        targets=np.tile(base.samples.targets, 2),
        origin=np.tile(base.samples.origin, 2),
        columns={},
        hashes=None,
    )
    return Parsed(samples, {"image": np.concatenate([pictures, pictures[:, ::-1]])})


@pytest.fixture
def toys() -> Dataset:
    """The base."""
    return toy_dataset(read_toys)


def double_of(*bases: Dataset) -> Dataset:
    """The data set that is made from the toys."""
    return toy_dataset(read_double, name="double:toys", embedded=True, bases=bases)


def register(toys: Dataset, folder: Path, words: str, allow_partial: bool = False) -> None:
    """Add a copy of the base."""
    file = folder / "toys.txt"
    file.write_text(words)
    add(toys, file, allow_partial)


def test_a_derived_set_is_made_when_it_is_first_used(toys: Dataset, tmp_path: Path) -> None:
    """Nothing is added for it; its base must be there."""
    with pytest.raises(MissingDataError, match="data set 'toys' is not on this machine"):
        load(double_of(toys))
    register(toys, tmp_path, "toys")
    assert len(load(double_of(toys)).samples.ids) == 120


def test_a_derived_set_follows_its_base(toys: Dataset, tmp_path: Path) -> None:
    """Other pixels in the base are other pixels in what is made from it; the same are not read again."""
    register(toys, tmp_path, "toys")
    first = load(double_of(toys))
    unread = replace(double_of(toys), read=lambda path, context: pytest.fail("read again"))
    assert load(unread).fingerprint == first.fingerprint
    register(toys, tmp_path, "toys, other")
    assert load(double_of(toys)).fingerprint != first.fingerprint


def test_what_is_made_from_a_partial_copy_is_marked(toys: Dataset, tmp_path: Path) -> None:
    """The mark of the base is handed on, with its name."""
    register(toys, tmp_path, "toys, half", allow_partial=True)
    assert load(double_of(toys)).partial == f"toys: {load(toys).partial}"


def test_a_derived_set_reads_its_bases_alone(toys: Dataset, tmp_path: Path) -> None:
    """A base that is not declared would not be followed when it changes."""
    register(toys, tmp_path, "toys")
    with pytest.raises(PluginError, match="'double:toys' reads 'toys', which its `bases` do not name"):
        load(double_of())


def test_what_the_reader_of_a_derived_set_says_stands_at_its_rows(toys: Dataset, tmp_path: Path) -> None:
    """Nobody adds it, so nobody would read it otherwise. What was said of a download was read when it was added."""
    register(toys, tmp_path, "toys")
    said = replace(
        double_of(toys), read=lambda path, context: replace(read_double(path, context), notes=("twice as many",))
    )
    assert "twice as many" in make_sides(load(said), said.protocols[0], 0).notes
    loud = replace(load(toys), notes=("three sizes",))
    assert "three sizes" not in make_sides(loud, toys.protocols[0], 0).notes


def test_pictures_made_of_others_are_dealt_to_the_same_sides(toys: Dataset, tmp_path: Path) -> None:
    """Scores on both are of the same test samples; but what is one picture now stays on one side."""
    register(toys, tmp_path, "toys")
    ends = {"black": 0, "same": 0}

    def read(path: Path | None, context: ReadContext, keep: bool) -> Parsed:
        base = context.registered("toys")
        assert base.inputs is not None and base.samples.hashes is not None
        columns = {"dealt_as": base.samples.hashes} if keep else {}
        pictures = 255 - np.asarray(base.inputs["image"])
        pictures[list(ends.values())] = 0
        return Parsed(replace(base.samples, columns=columns, hashes=None), {"image": pictures})

    def sides(dataset: Dataset) -> list[list[int]]:
        loaded = load(dataset)
        return [make_sides(loaded, dataset.protocols[1], 0).rows[side].tolist() for side in ("train", "val", "test")]

    def made(keep: bool, name: str) -> Dataset:
        return toy_dataset(lambda p, c: read(p, c, keep), name=name, embedded=True, bases=(toys,))

    assert sides(made(True, "kept")) == sides(toys) != sides(made(False, "dealt-anew"))
    train, _, test = sides(toys)
    ends["black"], ends["same"] = train[0], test[0]
    assert any({train[0], test[0]} <= set(side) for side in sides(made(True, "collapsed")))


def test_files_of_a_streamed_base_are_given_with_their_whole_paths(tmp_path: Path) -> None:
    """What is made from them lies elsewhere."""
    folder = tmp_path / "numbers"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.txt").write_text(str(number))
    files = tuple(f"{number}.txt" for number in range(4))
    samples = Samples(ids=np.array(files), targets=np.arange(4) % 2, origin=np.repeat(["train", "test"], 2))
    streamed = toy_dataset(
        lambda path, context: Parsed(samples, files=files),
        name="numbers",
        decode=lambda path, view, rng: {"image": np.full((4, 4), int(path.read_text()), dtype=np.uint8)},
    )

    def read(path: Path | None, context: ReadContext) -> Parsed:
        base = context.registered("numbers")
        assert base.files is not None
        pixels = np.array([int(Path(file).read_text()) for file in base.files], dtype=np.uint8)
        return Parsed(base.samples, {"image": np.tile(pixels[:, None, None], (1, 4, 4))})

    add(streamed, folder)
    made = load(toy_dataset(read, name="read:numbers", embedded=True, bases=(streamed,)))
    assert made.inputs is not None and made.inputs["image"][:, 0, 0].tolist() == [0, 1, 2, 3]


def test_a_family_may_derive_from_what_is_installed(tmp_path: Path) -> None:
    """A run on a derived set loads the plugins of both, and the copy is as synthetic as its base."""
    plugin = tmp_path / "upside.py"
    plugin.write_text(
        textwrap.dedent(
            """
            from dataclasses import replace
            from ferbench import Family, Parsed, hookimpl

            def read(path, context):
                base = context.registered("demo")
                return Parsed(base.samples, {"image": base.inputs["image"][:, ::-1]})

            def make(name, find):
                base = find(name)
                return replace(base, name="upside:" + name, read=read, bases=(base,), embedded=True)

            @hookimpl
            def ferbench_datasets():
                yield Family("upside", make, derives=True)
            """
        )
    )
    result = ferbench.run(
        suite="demo", datasets=["upside:demo"], models=["majority"], out=tmp_path / "out", plugins=[plugin]
    )
    assert not result.failed
    assert (tmp_path / "out" / "leaderboard.csv").read_text().count("upside:demo") == 1
