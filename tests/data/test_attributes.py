"""Attributes of samples: cut into slices, read from a side-car CSV, kept beside the data set."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from ferbench import DataError, Dataset, UnknownNameError
from ferbench.data import attributes
from ferbench.data.attribute_file import read_attributes
from ferbench.data.places import dataset_root
from ferbench.data.registry import add, load
from ferbench.data.slicing import sliced
from ferbench.data.stored import Loaded
from ferbench.data.table import write_table

from .conftest import COUNT, toy_samples

IDS = np.array([f"toy-{i:03d}" for i in range(COUNT)])


def test_few_values_are_categories_in_their_order() -> None:
    found = sliced("pose", np.array(["right", "left", "", "Middle"]))
    assert found.slices == ("left", "Middle", "right")
    assert found.codes.tolist() == [2, 0, -1, 1]
    assert found.names.tolist() == ["right", "left", "", "Middle"]
    assert sliced("units", np.array([10, 9, 9, 2])).slices == ("2", "9", "10")


def test_many_numbers_are_cut_into_quarters_with_round_bounds() -> None:
    ages = np.array([*range(1, 101)], dtype=np.float32) + np.float32(0.123)
    found = sliced("age", ages)
    assert found.slices == ("below 25.9", "25.9 to 50.6", "50.6 to 75.4", "from 75.4")
    assert np.bincount(found.codes).tolist() == [25, 25, 25, 25]
    assert "quarters" in found.rule
    fine = sliced("year", 2000 + np.arange(100) / 1e4)
    assert len(fine.slices) == 4 and np.bincount(fine.codes).min() >= 20, "rounding leaves slices alike"


def test_a_lower_bound_belongs_to_its_slice() -> None:
    found = sliced("age", np.array(["17.9", "18", "59", "60", ""]), [18, 60])
    assert found.slices == ("below 18", "18 to 60", "from 60")
    assert found.codes.tolist() == [0, 1, 1, 2, -1]


def test_numbers_of_which_most_are_equal_still_have_two_slices() -> None:
    found = sliced("hits", np.array([0] * 90 + [*range(1, 13)], dtype=float))
    assert found.slices == ("below 1", "from 1")


@pytest.mark.parametrize(
    ("values", "bounds", "words"),
    [
        (["", ""], None, "has no value for any sample"),
        ([f"name {i}" for i in range(101)], None, "101 different values, such as 'name 0'"),
        ([*map(str, range(200)), "old"], None, "would be cut as numbers, but 'old' is none"),
        (["1", "old"], [1], "cannot be cut at bounds: 'old' is no number"),
        (["1", "2"], [2, 1], "must be numbers that rise: 2, 1"),
        (["1", "2"], [float("nan")], "must be numbers that rise"),
        (["1"] * 3, list(range(100)), "101 slices"),
    ],
)
def test_what_cannot_be_cut_is_refused(values: list[str], bounds: list[float] | None, words: str) -> None:
    with pytest.raises(DataError, match=words):
        sliced("age", np.array(values), bounds)


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "side.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_file_is_matched_by_ids_and_what_does_not_match_is_told(tmp_path: Path, delimiter: str) -> None:
    lines = ["id,age,pose", "toy-001,30,left", "toy-000,4,", "ghost,1,left", "", "toy-001,30,left"]
    path = write(tmp_path, "\ufeff" + "\r\n".join(lines).replace(",", delimiter))
    found = read_attributes(path, IDS)
    assert found.columns["age"][:3].tolist() == ["4", "30", ""]
    assert found.columns["pose"][:3].tolist() == ["", "left", ""]
    assert found.rows == 4
    told = " ".join(found.remarks())
    assert "1 id is in the file, but not in the data set; left out: ghost." in told
    assert "1 id is more than once in the file, with the same values: toy-001." in told
    assert "58 ids are in the data set, but not in the file: toy-002, toy-003, toy-004, …." in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("name,age\ntoy-000,3\n", "`id` first and then attributes; it begins with 'name'"),
        ("id\ntoy-000\n", "names 1 column"),
        ("id,age,Age\ntoy-000,1,2\n", "'age' stands there more than once"),
        ("id,../x\ntoy-000,1\n", "'../x' is no name for an attribute"),
        ("id,all\ntoy-000,1\n", "'all' is no name for an attribute"),
        ("id," + ",".join(f"a{i}" for i in range(51)) + "\n", "51 attributes; at most 50"),
        ("id,age\ntoy-000,1,2\n", "line 2: 3 cells, the header has 2"),
        ("id,age\ntoy-000,1\ntoy-000,2\n", "line 3: the id 'toy-000' stood there before with other values"),
        ("id,age\ntoy-000,\x1b[31m\n", "line 2: age is '.*none of them a control character"),
        ("id,age\ntoy-000," + "x" * 61 + "\n", "at most 60 characters"),
        ("id,age\nfer-1,3\n", "no id of the data set: its first is fer-1, those of the data set look like toy-000"),
        ("id,age\n", "has no id of the data set"),
        ('id,age\ntoy-000,"1\n', "line 2: unexpected end of data"),
        ("id,age\ntoy-000," + "x" * 200_000, "field larger than field limit"),
        (b"id,age\ntoy-000,\xff\n", "no text in UTF-8"),
        (b"PK\x03\x04\0\0", "zero bytes"),
    ],
)
def test_a_file_that_is_no_such_table_is_refused(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        read_attributes(write(tmp_path, text), IDS)


def test_attributes_are_kept_replaced_and_removed(loaded: Loaded) -> None:
    age, pose = sliced("age", np.arange(COUNT) % 3), sliced("pose", np.array(["", "left"] * 30))
    attributes.register(loaded, {"age": age, "pose": pose})
    attributes.register(loaded, {"age": sliced("age", np.arange(COUNT), [30])})
    found = attributes.registered(loaded)
    assert found["age"].slices == ("below 30", "from 30") and "given" in found["age"].rule
    assert found["pose"].codes.tolist() == pose.codes.tolist()
    with pytest.raises(UnknownNameError, match=r"no attribute 'pos'\. Did you mean 'pose'"):
        attributes.remove(loaded.dataset, ["pos"])
    assert attributes.remove(loaded.dataset, ["pose"]) == ("pose",)
    assert attributes.remove(loaded.dataset, ["all"]) == ("age",)
    assert not attributes.registered(loaded)
    assert load(loaded.dataset).fingerprint == loaded.fingerprint, "the data set itself is as it was"


def test_attributes_that_are_added_at_the_same_time_are_all_kept(loaded: Loaded) -> None:
    names = [f"attribute {number}" for number in range(12)]
    together = threading.Barrier(len(names))

    def add_one(name: str) -> None:
        together.wait()
        attributes.register(loaded, {name: sliced(name, np.arange(COUNT) % 3)})

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(add_one, names))
    assert sorted(attributes.registered(loaded)) == sorted(names)


def test_attributes_of_another_copy_are_not_used_and_that_is_told(
    toys: Dataset, loaded: Loaded, toys_file: Path
) -> None:
    attributes.register(loaded, {"age": sliced("age", np.arange(COUNT) % 3)})
    assert not attributes.outdated(loaded)
    toys_file.write_text("toys, other", encoding="utf-8")
    add(toys, toys_file)
    other = load(toys)
    assert not attributes.registered(other)
    assert "toys (age) were added for another copy" in attributes.outdated(other)


def test_a_damaged_file_of_attributes_is_named(loaded: Loaded) -> None:
    (dataset_root(loaded.dataset) / attributes.FILE).write_bytes(b"PAR1 and nothing")
    with pytest.raises(DataError, match=r"attributes\.parquet is damaged"):
        attributes.registered(loaded)


def test_a_run_copies_them_and_again_when_they_change(loaded: Loaded, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(loaded, path)
    before = path.stat().st_mtime_ns
    write_table(loaded, path)
    assert path.stat().st_mtime_ns == before, "nothing changed"
    attributes.register(loaded, {"age": sliced("age", np.arange(COUNT), [30])})
    write_table(loaded, path)
    assert pq.read_table(path)["attribute_age"].to_pylist() == ["below 30"] * 30 + ["from 30"] * 30
    attributes.remove(loaded.dataset, ["all"])
    write_table(loaded, path)
    assert "attribute_age" not in pq.read_schema(path).names


def test_a_data_set_knows_groups_columns_and_brightness_of_its_own(load_made: Callable[..., Loaded]) -> None:
    samples, pictures = toy_samples()
    subjects = np.array([f"p{i % 10}" for i in range(COUNT)])
    loaded = load_made(replace(samples, groups={"subject": subjects}), pictures)
    assert attributes.own_names(loaded) == ("subject", "origin", "brightness")
    assert attributes.own_values(loaded, "subject").tolist() == subjects.tolist()
    expected = pictures.reshape(COUNT, -1).mean(axis=1)
    assert attributes.own_values(loaded, "brightness") == pytest.approx(expected)
    with pytest.raises(UnknownNameError, match=r"no 'brightnes' of its own\. Did you mean 'brightness'"):
        attributes.own_values(loaded, "brightnes")
