"""The table of samples that a run keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from ferbench import ProtocolRule, StoreError, given_split, k_fold
from ferbench.data.stored import Loaded
from ferbench.data.table import write_table

from .conftest import CLASSES, COUNT, toy_samples


def test_the_table_has_a_row_for_every_sample(loaded: Loaded, tmp_path: Path) -> None:
    path = tmp_path / "datasets" / f"{loaded.fingerprint}.parquet"
    write_table(loaded, path)
    table = pq.read_table(path).to_pydict()
    samples, _ = toy_samples()
    assert list(table) == [
        "id", "target", "split_official", "split_3-fold", "votes", "origin", "source", "brightness", "pixel_hash",
    ]  # fmt: skip
    assert table["id"] == samples.ids.tolist()
    assert table["target"] == samples.targets.tolist()
    assert samples.origin is not None and table["split_official"] == samples.origin.tolist()
    assert table["votes"] == samples.columns["votes"].tolist()
    assert loaded.samples.hashes is not None and table["pixel_hash"] == loaded.samples.hashes.tolist()
    assert set(table["source"]) == {"toys.txt"}
    assert [path.name for path in path.parent.iterdir()] == [path.name]


def test_dropped_samples_have_no_side_and_soft_targets_are_lists(
    load_made: Callable[..., Loaded], tmp_path: Path
) -> None:
    samples, _ = toy_samples()
    given = given_split("train", "val", "test")
    rules = (ProtocolRule("two", given, classes=("anger", "fear")), ProtocolRule("none", given_split("x", "y", "z")))
    write_table(load_made(samples, protocols=rules), tmp_path / "hard.parquet")
    table = pq.read_table(tmp_path / "hard.parquet").to_pydict()
    assert [side == "" for side in table["split_two"]] == (samples.targets == 2).tolist()
    assert table["split_none"] == [None] * COUNT
    soft = np.eye(3, dtype=np.float32)[samples.targets]
    write_table(load_made(replace(samples, targets=soft), name="soft", task="soft-labels"), tmp_path / "soft.parquet")
    assert pq.read_table(tmp_path / "soft.parquet")["target"].to_pylist() == soft.tolist()


def test_groups_stand_in_the_table(load_made: Callable[..., Loaded], tmp_path: Path) -> None:
    samples, _ = toy_samples()
    subjects = np.array([f"p{i % 10}" for i in range(COUNT)])
    write_table(load_made(replace(samples, groups={"subject": subjects})), tmp_path / "t.parquet")
    assert pq.read_table(tmp_path / "t.parquet")["subject"].to_pylist() == subjects.tolist()


def test_a_table_follows_the_protocols_that_are_used(load_made: Callable[..., Loaded], tmp_path: Path) -> None:
    """The fingerprint is of the samples, and stays where the code that divides them changes."""
    samples, _ = toy_samples()
    path = tmp_path / "t.parquet"
    rule, swapped = (ProtocolRule("own", given_split("train", *rest)) for rest in (("val", "test"), ("test", "val")))
    before = load_made(samples, protocols=(rule,))
    write_table(before, path)
    written = path.stat().st_mtime_ns
    write_table(before, path, ["own"])
    assert path.stat().st_mtime_ns == written, "nothing changed"

    after = load_made(samples, protocols=(swapped,))
    assert after.fingerprint == before.fingerprint
    write_table(after, path, ["own"])
    sides = pq.read_table(path)["split_own"].to_pylist()
    assert samples.origin is not None
    assert sides == [{"val": "test", "test": "val"}.get(side, side) for side in samples.origin.tolist()]

    write_table(load_made(samples, protocols=(swapped, ProtocolRule("new", k_fold(3)))), path, ["new"])
    assert "split_new" in pq.read_schema(path).names

    narrow = ProtocolRule("own", given_split("train", "test", "val"), classes=CLASSES[::-1])
    write_table(load_made(samples, protocols=(narrow,)), path, ["own"])
    assert pq.read_table(path)["split_own"].to_pylist() == sides, "the same samples under other numbers"
    counts = json.loads(pq.read_schema(path).metadata[b"counts"])["own"]["test"]
    assert counts == np.bincount(2 - samples.targets[np.array(sides) == "test"], minlength=3).tolist()


def test_a_folder_that_cannot_be_written_is_named(loaded: Loaded, tmp_path: Path) -> None:
    (tmp_path / "datasets").write_text("a file in the way", encoding="utf-8")
    with pytest.raises(StoreError, match="cannot be written"):
        write_table(loaded, tmp_path / "datasets" / "t.parquet")
