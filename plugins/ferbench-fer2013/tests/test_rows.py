"""CSV files: every layout is read alike, and every fault is named with its line."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ferbench_fer2013 import rows
from ferbench_fer2013.digits import parse_bytes
from ferbench_fer2013.rows import HeaderError, read_rows

from ferbench import DataError


def read(text: str | bytes) -> rows.Rows:
    return read_rows(io.BytesIO(text.encode() if isinstance(text, str) else text), "fer2013.csv")


@pytest.mark.parametrize(
    "columns",
    [
        ("emotion", "pixels", "Usage"),
        ("emotion", " Usage", " pixels"),
        ("pixels", "Usage", "emotion"),
    ],
)
def test_columns_may_stand_in_any_order(copy: Any, columns: tuple[str, ...]) -> None:
    found = read(copy.csv(columns))
    np.testing.assert_array_equal(found.pixels, copy.pixels)
    np.testing.assert_array_equal(found.labels, copy.labels)
    np.testing.assert_array_equal(found.usage, copy.usage)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.rstrip("\n"),
        lambda text: "\n".join(",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines()),
        lambda text: text.replace(",", ", ").replace("Training", "Training "),
        lambda text: text.replace(" ", "  "),
        lambda text: text.replace("\n", "\n\n") + "\n",
    ],
    ids=[
        "windows",
        "byte order mark",
        "no last line end",
        "quoted",
        "blanks about cells",
        "double blanks",
        "empty lines",
    ],
)
def test_other_ways_to_write_the_same_are_read_alike(copy: Any, change: Callable[[str], str]) -> None:
    found = read(change(copy.csv()))
    np.testing.assert_array_equal(found.pixels, copy.pixels)
    np.testing.assert_array_equal(found.labels, copy.labels)
    np.testing.assert_array_equal(found.usage, copy.usage)


@pytest.mark.parametrize("block", [100, 9_000, 50_000])
def test_blocks_may_end_anywhere(copy: Any, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_BLOCK", block)
    np.testing.assert_array_equal(read(copy.csv()).pixels, copy.pixels)


def with_cell(copy: Any, line: int, column: int, change: Callable[[str], str]) -> str:
    lines = copy.csv().splitlines()
    cells = lines[line - 1].split(",")
    cells[column] = change(cells[column])
    lines[line - 1] = ",".join(cells)
    return "\n".join(lines) + "\n"


FAULTS = {
    "a pixel too few": (1, lambda t: t.rpartition(" ")[0], r"2,303 pixels instead of 2,304 \(48×48\)"),
    "a pixel too many": (1, lambda t: t + " 7", r"2,305 pixels instead of 2,304"),
    "no pixels": (1, lambda t: "", "0 pixels instead of 2,304"),
    "above 255": (1, lambda t: "256 " + t.partition(" ")[2], "pixel 1 is '256', above 255"),
    "far above 255": (1, lambda t: t.rpartition(" ")[0] + " 1000", "pixel 2304 is '1000', above 255"),
    "below 0": (1, lambda t: "-1 " + t.partition(" ")[2], "pixel 1 is '-1', not a number"),
    "a fraction": (1, lambda t: "0.5 " + t.partition(" ")[2], "pixel 1 is '0.5', not a number"),
    "a word": (1, lambda t: "nan " + t.partition(" ")[2], "pixel 1 is 'nan', not a number"),
    "a tab": (1, lambda t: t.replace(" ", "\t", 1), "pixel 1 is .*, not a number"),
    "unknown label": (0, lambda t: "7", r"the label '7' is unknown \(known: 0, 1, 2, 3, 4, 5, 6\)"),
    "label that is a name": (0, lambda t: "happy", "the label 'happy' is unknown"),
    "no label": (0, lambda t: "", "the label '' is unknown"),
    "unknown usage": (
        2,
        lambda t: "Validation",
        r"the usage 'Validation' is unknown \(known: Training, PublicTest, PrivateTest\)",
    ),
    "a column too many": (2, lambda t: "Training,", "4 columns instead of 3"),
}


@pytest.mark.parametrize("fault", list(FAULTS))
@pytest.mark.parametrize("line", [2, 40])
def test_a_fault_is_named_with_its_line(copy: Any, fault: str, line: int) -> None:
    column, change, message = FAULTS[fault]
    with pytest.raises(DataError, match=rf"^fer2013\.csv, line {line}: {message}.*download it again"):
        read(with_cell(copy, line, column, change))


def test_the_first_of_several_faults_is_named(copy: Any) -> None:
    text = with_cell(copy, 30, 0, lambda _: "9")
    lines = text.splitlines()
    lines[19] = "0,1 2 3,Training"
    with pytest.raises(DataError, match="line 20: 3 pixels instead of"):
        read("\n".join(lines))


def test_a_line_that_breaks_off_is_named(copy: Any) -> None:
    text = copy.csv()
    with pytest.raises(DataError, match=r"line \d+: (\d columns|[\d,]+ pixels|the usage)"):
        read(text[: len(text) // 2])


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("emotion,pixels", "no column Usage. This is train.csv of the challenge"),
        ("pixels", "no column emotion nor Usage. This is test.csv of the challenge"),
        (
            "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF",
            "no column emotion nor pixels. This is fer2013new.csv, the votes of FER",
        ),
        ("label,image", "no column emotion nor pixels nor Usage. The first line is 'label, image'"),
        ("0,70 80 82,Training", "no column emotion nor pixels nor Usage. The first line is '0, 70 80 82, Training'"),
    ],
)
def test_a_missing_column_is_named(header: str, message: str) -> None:
    with pytest.raises(HeaderError, match=rf"fer2013\.csv, line 1: there is {message.replace('.', '[.]')}"):
        read(header + "\n1,2\n")


def test_empty_files_are_named() -> None:
    with pytest.raises(DataError, match=r"fer2013\.csv has no rows: it is empty"):
        read("")
    with pytest.raises(DataError, match=r"fer2013\.csv has no rows below its header"):
        read("emotion,pixels,Usage\n\n")


def test_a_line_without_end_is_refused() -> None:
    with pytest.raises(DataError, match="a line of more than 65,536 bytes"):
        read("emotion,pixels,Usage\n0," + "1 " * 2_000_000)
    with pytest.raises(DataError, match="a line of more than 65,536 bytes"):
        read(b"\0" * 3_000_000)


def test_far_too_many_rows_are_refused(copy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_MOST_ROWS", 50)
    with pytest.raises(DataError, match="more than 50 rows"):
        read(copy.csv())


def test_every_byte_is_read() -> None:
    numbers = parse_bytes([" ".join(map(str, range(256))).encode(), b" ".join([b"007"] * 256)], 256)
    assert numbers is not None
    assert numbers[0].tolist() == list(range(256))
    assert numbers[1].tolist() == [7] * 256


@pytest.mark.parametrize("number", [*range(256, 1000, 7), 1000, 65536, "00255", "1e1", "+1", "١"])
def test_what_is_no_byte_is_refused(number: object) -> None:
    assert parse_bytes([f"1 {number} 2".encode()], 3) is None


def test_a_number_may_not_move_from_one_row_to_the_next() -> None:
    assert parse_bytes([b"1 2", b"3 4"], 2) is not None
    assert parse_bytes([b"1 2 3", b"4"], 2) is None
    assert parse_bytes([b"", b"1 2 3 4"], 2) is None
