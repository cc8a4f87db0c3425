"""fer2013new.csv: read in any order of columns, and every fault is named with its line."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ferbench_ferplus.votes import COLUMNS, NoVotesError, Votes, read_votes

from ferbench import DataError


def read(text: str | bytes) -> Votes:
    return read_votes(io.BytesIO(text.encode() if isinstance(text, str) else text), "fer2013new.csv")


@pytest.mark.parametrize("columns", [COLUMNS, tuple(reversed(COLUMNS)), tuple(f" {name}" for name in COLUMNS)])
def test_columns_may_stand_in_any_order(copy: Any, columns: tuple[str, ...]) -> None:
    found = read(copy.votes(columns))
    np.testing.assert_array_equal(found.counts, copy.counts)
    np.testing.assert_array_equal(found.usage, copy.usage)
    np.testing.assert_array_equal(found.names, copy.names)
    assert found.counts.dtype == np.float32


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.rstrip("\n"),
        lambda text: text.replace(",", ", "),
        lambda text: text + "\n\n",
    ],
    ids=["windows", "byte order mark", "no last line end", "blanks about cells", "empty lines"],
)
def test_other_ways_to_write_the_same_are_read_alike(copy: Any, change: Callable[[str], str]) -> None:
    np.testing.assert_array_equal(read(change(copy.votes())).counts, copy.counts)


def with_cell(copy: Any, line: int, column: str, value: str) -> str:
    lines = copy.votes().splitlines()
    cells = lines[line - 1].split(",")
    cells[COLUMNS.index(column)] = value
    lines[line - 1] = ",".join(cells)
    return "\n".join(lines) + "\n"


FAULTS = {
    "below zero": ("NF", "-1", "NF is '-1', which is below zero"),
    "a fraction": ("NF", "0.5", "NF is '0.5', which is no number of votes"),
    "a word": ("fear", "many", "fear is 'many', which is no number of votes"),
    "nothing": ("unknown", "", "unknown is '', which is no number of votes"),
    "more than ten": ("contempt", "7", "1[0-9] votes instead of the 10 that people gave"),
    "unknown usage": ("Usage", "Test", r"the usage 'Test' is unknown \(known: Training, PublicTest, PrivateTest\)"),
    "a column too many": ("NF", "0,0", "13 columns instead of 12"),
}


@pytest.mark.parametrize("fault", list(FAULTS))
@pytest.mark.parametrize("line", [2, 73])
def test_a_fault_is_named_with_its_line(copy: Any, fault: str, line: int) -> None:
    column, value, message = FAULTS[fault]
    with pytest.raises(DataError, match=rf"^fer2013new\.csv, line {line}: {message}.*download it again"):
        read(with_cell(copy, line, column, value))


def test_the_one_picture_of_the_published_file_with_nine_votes_passes(copy: Any) -> None:
    lines = copy.votes().splitlines()
    filler = [f"Training,fer{number:07d}.png,10,0,0,0,0,0,0,0,0,0" for number in range(10_406)]
    nine = "Training,fer0010406.png,4,0,0,4,0,0,0,0,1,0"
    rows = [lines[0], *filler, *["Training,,0,0,0,0,0,0,0,0,0,10"] * 29, nine]
    assert read("\n".join(rows)).counts[-1].sum() == 9
    with pytest.raises(DataError, match="9 votes instead of the 10"):
        read("\n".join([*rows, nine.replace("0010406", "0010407")]))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (",".join(name for name in COLUMNS if name != "Image name"), "no column Image name. This is the first edition"),
        ("emotion,pixels,Usage", "no column Image name nor neutral .*These are pictures of FER2013, not votes"),
        (",".join(COLUMNS).replace("NF", "NotFace"), "no column NF. The first line is 'Usage, Image name"),
        ("", "no column Usage nor Image name"),
    ],
)
def test_a_missing_column_is_named(header: str, message: str) -> None:
    with pytest.raises(NoVotesError, match=rf"fer2013new\.csv, line 1: there is {message}"):
        read(header + "\n1,2\n")


def test_shuffled_rows_are_named(copy: Any) -> None:
    training = np.flatnonzero(copy.usage == "Training")
    order = np.concatenate([np.random.default_rng(0).permutation(training), np.arange(len(training), len(copy.usage))])
    message = r"line \d+: fer\d{7}\.png does not belong here: the rows are shuffled"
    with pytest.raises(DataError, match=message):
        read(copy.take(order).votes())


def test_pictures_with_names_of_another_kind_are_named(copy: Any) -> None:
    with pytest.raises(DataError, match=r"the picture 'face_12\.jpg' is not named as FER\+ does"):
        read(copy.votes().replace("fer0000012.png", "face_12.jpg"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "there is no column Usage"),
        ((",".join(COLUMNS) + "\n").encode(), "has no rows below its header"),
        ((",".join(COLUMNS) + "\n").encode() + b"\xff\xfe\xff", "is no CSV file that can be read"),
        ((",".join(COLUMNS) + "\n").encode() + b'"' + b"1" * 200_000, "is no CSV file that can be read"),
    ],
    ids=["empty", "a header alone", "no text", "a cell without end"],
)
def test_files_that_are_no_table_are_named(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=rf"fer2013new\.csv.*{message}"):
        read(content)
