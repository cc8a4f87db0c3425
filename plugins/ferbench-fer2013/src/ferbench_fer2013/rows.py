"""Rows of fer2013.csv and icml_face_data.csv."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np

from ferbench import DataError
from ferbench_fer2013.digits import parse_bytes
from ferbench_fer2013.official import NAMES, PRIVATE, PUBLIC, TRAINING

PIXELS = 48 * 48
_BLOCK = 1 << 20
_LONGEST_LINE = 1 << 16
_MOST_ROWS = 500_000
_LABELS = {str(label).encode(): label for label in range(len(NAMES))}
_USAGES = {usage.encode(): usage for usage in (TRAINING, PUBLIC, PRIVATE)}


class HeaderError(DataError):
    """A CSV file that is not FER2013, by its first line."""


@dataclass(frozen=True)
class Rows:
    """``pixels``: uint8 [n, 2304]; ``labels``: int64 [n], 0 to 6; ``usage``: str [n], the name of the split."""

    pixels: np.ndarray
    labels: np.ndarray
    usage: np.ndarray


@dataclass(frozen=True)
class _Columns:
    """Where a row holds what, and how many cells it has."""

    emotion: int
    pixels: int
    usage: int
    count: int


def read_rows(stream: IO[bytes], label: str) -> Rows:
    """Read a CSV file with the columns emotion, pixels and Usage, in any order.

    Raises HeaderError when a column is missing, and DataError that names ``label`` and the line when a row has another
    number of pixels, a value is no number or above 255, or a label or usage is unknown.
    """
    pixels: list[np.ndarray] = []
    labels: list[int] = []
    usage: list[str] = []
    columns: _Columns | None = None
    number = 1
    for lines in _blocks(stream, label):
        if columns is None:
            columns = _header(lines[0], label)
            lines, number = lines[1:], 2
        cells = [line.split(b",") for line in lines if line]
        try:
            block = _parsed(cells, columns)
        except KeyError:
            block = None
        if block is None:
            raise DataError(_first_fault(lines, columns, label, number))
        pixels.append(block[0])
        labels += block[1]
        usage += block[2]
        number += len(lines)
        if number > _MOST_ROWS:
            raise DataError(f"{label} has more than {_MOST_ROWS:,} rows; FER2013 has 35,887.")
    if not labels:
        raise DataError(f"{label} has no rows{' below its header' if columns else ': it is empty'}.")
    return Rows(np.concatenate(pixels), np.array(labels, dtype=np.int64), np.array(usage))


def _blocks(stream: IO[bytes], label: str) -> Iterator[list[bytes]]:
    """Yield the lines of a file, many at a time, without line ends and quotation marks."""
    rest = b""
    while block := stream.read(_BLOCK):
        end = block.rfind(b"\n") + 1
        if end:
            yield _plain(rest + block[:end]).split(b"\n")[:-1]
            rest = b""
        rest += block[end:]
        if len(rest) > _LONGEST_LINE:
            raise DataError(f"{label} has a line of more than {_LONGEST_LINE:,} bytes; it is not FER2013.")
    if rest:
        yield _plain(rest).split(b"\n")


def _plain(text: bytes) -> bytes:
    for unwanted in (b'"', b"\r"):
        if unwanted in text:
            text = text.replace(unwanted, b"")
    return text


def _header(line: bytes, label: str) -> _Columns:
    names = [name.strip() for name in line.decode("utf-8-sig", "replace").split(",")]
    missing = [name for name in ("emotion", "pixels", "Usage") if name not in names]
    if not missing:
        return _Columns(names.index("emotion"), names.index("pixels"), names.index("Usage"), len(names))
    if "Image name" in names and "NF" in names:
        advice = "This is fer2013new.csv, the votes of FER+, which come without pixels"
    elif missing == ["Usage"]:
        advice = "This is train.csv of the challenge, a part of the data only"
    elif names == ["pixels"]:
        advice = "This is test.csv of the challenge, which has no labels"
    else:
        advice = f"The first line is {', '.join(names)[:100]!r}"
    raise HeaderError(
        f"{label}, line 1: there is no column {' nor '.join(missing)}. {advice}; add fer2013.csv or icml_face_data.csv."
    )


def _parsed(cells: list[list[bytes]], columns: _Columns) -> tuple[np.ndarray, list[int], list[str]] | None:
    """Pixels, labels and usages of some rows. None or KeyError where one of them is not as it should be."""
    if any(len(row) != columns.count for row in cells):
        return None
    pixels = parse_bytes([row[columns.pixels] for row in cells], PIXELS)
    if pixels is None:
        return None
    labels = [_LABELS[row[columns.emotion].strip()] for row in cells]
    return pixels, labels, [_USAGES[row[columns.usage].strip()] for row in cells]


def _first_fault(lines: Sequence[bytes], columns: _Columns, label: str, number: int) -> str:
    """Say what is wrong with the first bad row; ``number`` is that of the first line."""
    for line, text in enumerate(lines, number):
        fault = _fault(text.split(b","), columns) if text else ""
        if fault:
            return f"{label}, line {line}: {fault}. The file is damaged or altered; download it again."
    raise AssertionError("every row is sound, one by one")


def _fault(row: Sequence[bytes], columns: _Columns) -> str:
    if len(row) != columns.count:
        return f"{len(row)} columns instead of {columns.count}"
    values = [value for value in row[columns.pixels].split(b" ") if value]
    for place, value in enumerate(values, 1):
        if not value.isdigit():
            return f"pixel {place} is {_shown(value)}, not a number"
        if len(value) > 3 or int(value) > 255:
            return f"pixel {place} is {_shown(value)}, above 255"
    if len(values) != PIXELS:
        return f"{len(values):,} pixels instead of {PIXELS:,} (48×48)"
    return _unknown("label", row[columns.emotion], _LABELS) or _unknown("usage", row[columns.usage], _USAGES)


def _unknown(what: str, value: bytes, known: Mapping[bytes, object]) -> str:
    if value.strip() in known:
        return ""
    return f"the {what} {_shown(value)} is unknown (known: {', '.join(name.decode() for name in known)})"


def _shown(value: bytes) -> str:
    return repr(value[:40].decode("utf-8", "replace"))
