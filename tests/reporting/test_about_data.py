"""What a leaderboard says of its data, and rows that are not of the test side that they name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from ferbench.reporting.formats import to_json
from ferbench.store.files import write_json
from ferbench.store.store import Store
from ferbench.store.uses import Use, note_use
from tests.reporting.boards import board
from tests.reporting.conftest import OutFolder


def captions(out: OutFolder) -> str:
    return " ".join(board(out).blocks[0].captions)


def with_counts(out: OutFolder, counts: Mapping[str, Mapping[str, Sequence[int]]]) -> None:
    """Write class counts of sides into the table of the data set, as a run does."""
    (path,) = (out.out / "datasets").glob("*.parquet")
    pq.write_table(pq.read_table(path).replace_schema_metadata({"counts": json.dumps(counts)}), path)


def test_copies_across_sides_are_counted_below_the_table(out: OutFolder) -> None:
    train = [1000, 1001, 1002, 5, 6]
    out.table(["test"] * out.n + ["train"] * 5 + ["val"] * 2, [*range(out.n), *train, 1000, 7])
    out.row("net", [0.6])
    out.run()
    told = "Copies across sides: 2 of 300 test samples and 1 of 2 val samples have an identical copy in train."
    assert told in captions(out)


def test_without_a_table_nothing_is_said_of_copies(out: OutFolder) -> None:
    out.row("net", [0.6])
    out.run()
    assert "Copies across sides" not in captions(out)


def audited(out: OutFolder, **facts: Any) -> None:
    across = {"test_with_any_copy_in_train": 12, "val_with_any_copy_in_train": 3}
    found = {"division": "", "across": across, "near_pairs": 40, "label_noise": {}} | facts
    write_json(Store(out.out).dataset_audit("f" * 20), {"official": found})


def test_near_duplicates_are_told_where_the_data_were_audited(out: OutFolder) -> None:
    out.row("net", [0.6])
    out.run()
    assert "not looked for: `ferbench data audit fer2013@official`, with this folder as --out, shows" in captions(out)
    audited(out)
    told = "Near-duplicates (audit): 40 pairs; with them 12 test and 3 val samples have an identical or a near copy"
    assert told in captions(out)
    audited(out, near_pairs=None)
    assert "Near-duplicates" not in captions(out)


def test_an_audit_of_another_division_says_nothing_of_this_one(out: OutFolder) -> None:
    out.row("net", [0.6], division="now")
    out.run()
    audited(out, division="before")
    assert "were not looked for" in captions(out)


def test_test_uses_are_counted_below_the_table_and_listed_in_json(out: OutFolder) -> None:
    first, second = out.row("net", [0.6, 0.7])
    out.run()
    for kind in ("training", "training", "evaluation"):
        note_use(out.out, Use(first, kind, "fer2013", "official", "f"))
    note_use(out.out, Use("gone", "training", "fer2013", "6-class", "f", times=30))
    note_use(out.out, Use("other", "training", "demo", "official", "f"))
    told = "Test reuse: test samples of fer2013 were scored 34 times here, by 3 cells"
    assert f"{told} (evaluation 1, training 32, unlisted 1)." in captions(out)
    (facts,) = json.loads(to_json(board(out)))["datasets"]
    assert (facts["dataset"], facts["protocol"], facts["audit"]) == ("fer2013", "official", None)
    assert facts["test_uses"]["cells"] == {first: 3, "gone": 30, second: 1}
    assert facts["test_uses"]["protocols"] == {"6-class": 30, "official": 4}


def test_a_row_on_another_side_is_refused_and_the_side_named(out: OutFolder) -> None:
    out.table(["val"] * out.n + ["test"] * 2, [*range(out.n), 900, 901])
    with_counts(out, {"official": {"val": [100, 100, 100], "test": [1, 1, 0]}, "swapped": {"test": [100, 100, 100]}})
    out.row("net", [0.6])
    out.run()
    found = board(out)
    assert found.rows == []
    (failure,) = found.failures
    assert "its 300 test samples are not the 2 of the test side of fer2013@official" in failure.cause
    assert "300 on val" in failure.cause
    assert "Their class counts are those of the val side of fer2013@official." in failure.cause


def test_a_row_that_lacks_samples_of_the_side_is_refused(out: OutFolder) -> None:
    out.table(["test"] * out.n, list(range(out.n)))
    out.cell("net", part=range(200))
    out.cell("whole")
    out.run()
    assert [row["model"] for row in board(out).rows] == ["whole"]
    assert "its 200 test samples are not the 300" in board(out).failures[0].cause


def test_labels_with_other_class_counts_are_refused(out: OutFolder) -> None:
    out.table(["test"] * out.n, list(range(out.n)))
    with_counts(out, {"official": {"test": [100, 100, 100], "val": [150, 150, 0]}})
    out.row("net", [0.6])
    out.cell("relabelled", targets=np.arange(out.n) % 2)
    out.run()
    found = board(out)
    assert [row["model"] for row in found.rows] == ["net"]
    (failure,) = found.failures
    assert "(150, 150, 0) are not those of the test side of fer2013@official (100, 100, 100)" in failure.cause
    assert "those of the val side of fer2013@official" in failure.cause


@pytest.mark.parametrize("metadata", [b"no json", b"[1]"])
def test_a_table_whose_counts_cannot_be_read_refuses_nothing(out: OutFolder, metadata: bytes) -> None:
    out.table(["test"] * out.n, list(range(out.n)))
    (path,) = (out.out / "datasets").glob("*.parquet")
    pq.write_table(pq.read_table(path).replace_schema_metadata({b"counts": metadata}), path)
    out.row("net", [0.6])
    out.run()
    assert len(board(out).rows) == 1
