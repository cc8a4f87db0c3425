"""``ferbench data attributes`` and ``ferbench leaderboard --by``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Command

TOYS = """
from ferbench import Parsed, ProtocolRule, Samples, given_split

def read(path, context):
    import numpy as np
    index = np.arange(240)
    ids = np.array([f"toy-{i:03d}" for i in index])
    pixels = np.tile(index[:, None, None], (1, 8, 8)).astype(np.uint8)
    groups = {"subject": np.array([f"p{i % 12:02d}" for i in index])}
    origin = np.array(["train", "val", "test", "test"])[index % 4]
    return Parsed(Samples(ids, index // 4 % 2, origin, groups), {"image": pixels})

@hookimpl
def ferbench_datasets():
    rule = ProtocolRule("official", given_split("train", "val", "test"), allow_leak=True)
    yield Dataset("toys", "toys", ("red", "blue"), (rule,), read, embedded=True)
"""


@pytest.fixture
def toys(install: Callable[..., Path], data_root: Path, tmp_path: Path) -> Path:
    """Ages of the samples of a data set that a plugin brings: 10 to 69, those of the first 200 alone."""
    install("toys", TOYS)
    path = tmp_path / "people.csv"
    lines = [f"toy-{i:03d},{10 + i % 60}" for i in range(200)]
    path.write_text("\n".join(["id,age", *lines, "ghost,3"]), encoding="utf-8")
    return path


@pytest.fixture
def results(ferbench: Command, toys: Path, tmp_path: Path) -> Path:
    """A folder with one row: predictions that are right but for the young."""
    tested = [i for i in range(240) if i % 4 > 1]
    lines = [f"toy-{i:03d},{'red' if (i // 4 % 2 == 0) != (10 + i % 60 < 30) else 'blue'}" for i in tested]
    path = tmp_path / "predictions.csv"
    path.write_text("\n".join(["id,prediction", *lines]), encoding="utf-8")
    out = tmp_path / "out"
    done = ferbench("import", path, "-d", "toys@official", "--name", "theirs", "--selection", "best-val", "--out", out)
    assert done.code == 0, done.err
    return out


def test_a_side_car_is_registered_and_its_ids_are_told(ferbench: Command, toys: Path) -> None:
    done = ferbench("data", "attributes", "toys", toys, "--bins", "age=30,50")
    assert done.code == 0
    assert "1 id is in the file, but not in the data set; left out: ghost." in done.out
    assert "40 ids are in the data set, but not in the file" in done.out
    again = ferbench("data", "attributes", "toys", "--json").json
    age = again["attributes"]["age"]
    assert list(age["slices"]) == ["below 30", "30 to 50", "from 50"]
    assert sum(age["slices"].values()) == 200 and age["not_known"] == 40


def test_the_data_sets_own_facts_can_be_attributes(ferbench: Command, toys: Path) -> None:
    shown = ferbench("data", "attributes", "toys").out
    assert "toys has no attributes. Of its own, for --own: subject, origin, brightness." in shown
    done = ferbench("data", "attributes", "toys", "--own", "brightness", "--own", "subject", "--json").json
    assert list(done["attributes"]["brightness"]["slices"].values()) == [60, 60, 59, 61]
    assert done["attributes"]["subject"]["slices"]["p00"] == 20


def test_results_that_exist_get_them_and_lose_them_again(ferbench: Command, toys: Path, results: Path) -> None:
    where = ("--out", results)
    assert "Worst group" not in ferbench("leaderboard", *where).out
    assert "known: subject" in ferbench("leaderboard", *where, "--by", "age").err.lower()
    done = ferbench("data", "attributes", "toys", toys, "--bins", "age=30,50", *where)
    assert f"{results} has them too." in done.out
    (row,) = ferbench("leaderboard", *where, "--json").json["rows"]
    assert (row["worst_group"], row["worst_group_mean"]) == ("age: below 30", 0)
    cut = ferbench("leaderboard", *where, "--by", "age", "--json").json["rows"]
    assert {row["slice"]: row["accuracy_mean"] for row in cut if row["slice"] != "all"} == {
        "below 30": 0,
        "30 to 50": 1,
        "from 50": 1,
        "not known": 1,
    }
    gone = ferbench("data", "attributes", "toys", "--remove", "all", *where)
    assert "Removed: age." in gone.out
    assert "Worst group" not in ferbench("leaderboard", *where).out


def test_brightness_and_groups_cut_results_without_being_registered(ferbench: Command, results: Path) -> None:
    shown = ferbench("leaderboard", "--out", results, "--by", "brightness").out
    assert "below 59.8" in shown and "by brightness" in shown
    assert "p11" in ferbench("leaderboard", "--out", results, "--by", "subject", "--format", "csv").out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.csv"], "There is no file nowhere.csv"),
        (["--own", "brightnes"], "Did you mean 'brightness'"),
        (["--own", "subject", "--bins", "age=3"], "--bins: 'age' is not among what is added"),
        (["--own", "brightness", "--bins", "brightness"], "--bins: 'brightness' is not like age=18,30,60"),
        (["--own", "brightness", "--bins", "brightness=9,a"], "--bins: 'brightness=9,a' is not like age=18,30,60"),
        (["--own", "subject", "--bins", "subject=9"], "'p00' is no number"),
        (["--remove", "age"], "toys has no attribute 'age'. Known: none"),
        (["--remove", "age", "--own", "subject"], "it stands alone"),
        (["--own", "subject", "--out", "nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_registered_is_named(ferbench: Command, toys: Path, arguments: list[str], words: str) -> None:
    refused = ferbench("data", "attributes", "toys", *arguments)
    assert refused.code == 2
    assert words in refused.err
    assert "Traceback" not in refused.err


def test_a_column_may_not_take_the_name_of_what_the_data_set_knows(ferbench: Command, toys: Path) -> None:
    toys.write_text("id,subject\ntoy-001,me\n", encoding="utf-8")
    refused = ferbench("data", "attributes", "toys", toys)
    assert refused.code == 2
    assert "toys has 'subject' of its own: take it by --own subject" in refused.err
