"""The files label.csv of FER+: an edition of the votes that names pictures, one file for each split."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

import numpy as np
from ferbench_fer2013.official import PRIVATE, PUBLIC, TRAINING

from ferbench import DataError
from ferbench_ferplus.numbering import TWINS, numbered_rows
from ferbench_ferplus.official import LABELS
from ferbench_ferplus.votes import PEOPLE, VOTES, Votes

FOLDERS = {TRAINING: "FER2013Train", PUBLIC: "FER2013Valid", PRIVATE: "FER2013Test"}


_COLUMNS = 2 + len(VOTES)
_NUMBERS = [str(number) for number in range(PEOPLE + 1)]
_MOST_ROWS = 500_000
_AGAIN = "The file is damaged or altered; download it again."


@dataclass(frozen=True)
class Labels:
    """One label.csv. ``numbers``: int64 [n], of the pictures' names; ``lines``: int64 [n]; ``counts``: float32 [n, 10].

    ``label`` names the file to people.
    """

    label: str
    numbers: np.ndarray
    lines: np.ndarray
    counts: np.ndarray


def split_of(label: str) -> str | None:
    """The split whose label.csv a file is by its folder's name; None for another file.

    Raises DataError for a label.csv in a folder of another name.
    """
    path = PurePosixPath(label)
    if path.name != LABELS:
        return None
    for split, folder in FOLDERS.items():
        if path.parent.name == folder:
            return split
    raise DataError(
        f"{label} does not say of which split it is: its folder must be {', '.join(FOLDERS.values())}, as in "
        "https://github.com/microsoft/FERPlus. Add the clone, or its folder data."
    )


def read_labels(stream: IO[bytes], label: str) -> Labels:
    """Read rows of a picture's name, a box, eight emotions, unknown and NF; there is no header.

    Raises DataError that names ``label`` and the line of what is no such row, or of a picture without any vote.
    """
    numbers: list[int] = []
    lines: list[int] = []
    counts: list[list[int]] = []
    rows = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""))
    try:
        for row in rows:
            if not row:
                continue
            if len(numbers) == _MOST_ROWS:
                raise DataError(f"{label} has more than {_MOST_ROWS:,} rows; FER+ has 35,887.")
            number, votes = _parsed(row, f"{label}, line {rows.line_num}")
            numbers.append(number)
            lines.append(rows.line_num)
            counts.append(votes)
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{label} is no CSV file that can be read ({error}). {_AGAIN}") from None
    if not numbers:
        raise DataError(f"{label} has no rows. {_AGAIN}")
    return Labels(label, np.array(numbers, np.int64), np.array(lines, np.int64), np.array(counts, np.float32))


def _parsed(row: Sequence[str], place: str) -> tuple[int, list[int]]:
    cells = [cell.strip() for cell in row]
    # The authors' script writes no box.
    if len(cells) not in (_COLUMNS, _COLUMNS - 1):
        raise DataError(f"{place}: {len(cells)} columns instead of {_COLUMNS} (picture, box, ten votes). {_AGAIN}")
    name = re.fullmatch(r"fer(\d{7})\.png", cells[0])
    if not name:
        raise DataError(f"{place}: the picture {cells[0][:40]!r} is not named as FER+ does (fer0000000.png). {_AGAIN}")
    votes = cells[-len(VOTES) :]
    for column, value in zip(VOTES, votes, strict=True):
        if value not in _NUMBERS:
            raise DataError(f"{place}: {column} is {value[:40]!r}, not 0 to {PEOPLE} votes. {_AGAIN}")
    counts = [int(value) for value in votes]
    if not sum(counts):
        raise DataError(f"{place}: nobody voted on {cells[0]}. {_AGAIN}")
    return int(name[1]), counts


def aligned(files: Mapping[str, Labels], usage: np.ndarray) -> Votes:
    """The votes in the order of FER2013's pictures, whose splits ``usage`` (str [n]) names.

    Raises DataError that names file and line of a picture that FER2013 has not, has in another split, or that comes
    twice.
    """
    own = numbered_rows(len(usage))
    names = np.full(len(usage), "", dtype="<U14")
    counts = np.zeros((len(usage), len(VOTES)), np.float32)
    for split, file in files.items():
        beyond = np.flatnonzero(file.numbers >= len(own))
        if len(beyond):
            _refuse(file, int(beyond[0]), f"is not in FER2013, whose last picture is {_name(len(own) - 1)}")
        rows = own[file.numbers]
        rows[_twins(file.numbers)] = [_twin_row(number) for number in file.numbers[_twins(file.numbers)]]
        other = np.flatnonzero(usage[rows] != split)
        if len(other):
            _refuse(file, int(other[0]), f"is one of {usage[rows[other[0]]]}, and this file is of {split}")
        first = np.unique(rows, return_index=True)[1]
        if len(first) < len(rows):
            _refuse(file, int(np.setdiff1d(np.arange(len(rows)), first)[0]), "comes twice")
        names[rows] = [_name(number) for number in file.numbers.tolist()]
        counts[rows] = file.counts
    return Votes(usage, names, counts)


def _twins(numbers: np.ndarray) -> np.ndarray:
    """Which rows name a picture for the second time that stands for two pictures of FER2013: bool [n]."""
    again = np.ones(len(numbers), dtype=bool)
    again[np.unique(numbers, return_index=True)[1]] = False
    seconds = np.zeros(len(numbers), dtype=bool)
    for number in TWINS.values():
        seconds[np.flatnonzero(again & (numbers == number))[:1]] = True
    return seconds


def _twin_row(number: int) -> int:
    return next(row for row, twin in TWINS.items() if twin == number)


def _name(number: int) -> str:
    return f"fer{number:07d}.png"


def _refuse(file: Labels, row: int, fault: str) -> None:
    raise DataError(f"{file.label}, line {file.lines[row]}: {_name(int(file.numbers[row]))} {fault}. {_AGAIN}")
