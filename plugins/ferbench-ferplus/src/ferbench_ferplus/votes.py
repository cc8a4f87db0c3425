"""Rows of fer2013new.csv, the votes of FER+."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np
from ferbench_fer2013.official import PRIVATE, PUBLIC, TRAINING

from ferbench import DataError

EMOTIONS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
VOTES = (*EMOTIONS, "unknown", "NF")
COLUMNS = ("Usage", "Image name", *VOTES)
PEOPLE = 10
NINE_VOTES = "fer0010406.png"
"""The one picture of the published file that has nine votes."""

_USAGES = (TRAINING, PUBLIC, PRIVATE)
_NUMBERS = [str(number) for number in range(100)]
_MOST_ROWS = 500_000
_AGAIN = "The file is damaged or altered; download it again."


class NoVotesError(DataError):
    """A CSV file that holds no votes of FER+, by its first line."""


@dataclass(frozen=True)
class Votes:
    """``usage`` and ``names``: str [n], the name empty where FER+ has no picture; ``counts``: float32 [n, 10]."""

    usage: np.ndarray
    names: np.ndarray
    counts: np.ndarray


def read_votes(stream: IO[bytes], label: str) -> Votes:
    """Read a CSV file with the columns Usage, Image name, eight emotions, unknown and NF, in any order.

    Raises NoVotesError when a column is missing, and DataError that names ``label`` and the line when a usage is
    unknown, a vote is no whole number or below zero, a picture has not ten of them, or names are not in their order.
    """
    rows = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""))
    table: list[list[str]] = []
    try:
        header = next(rows, None)
        order = _order(header, label)
        for number, row in enumerate(rows, 2):
            if not row:
                continue
            if len(table) == _MOST_ROWS:
                raise DataError(f"{label} has more than {_MOST_ROWS:,} rows; FER+ has 35,887.")
            if len(row) != len(header or ()):
                raise DataError(f"{label}, line {number}: {len(row)} columns instead of {len(header or ())}. {_AGAIN}")
            table.append([row[column].strip() for column in order])
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{label} is no CSV file that can be read ({error}). {_AGAIN}") from None
    if not table:
        raise DataError(f"{label} has no rows below its header. {_AGAIN}")
    cells = np.array(table)
    votes = Votes(cells[:, 0], cells[:, 1], _counts(cells[:, 2:], label))
    _check(votes, label)
    return votes


def _order(header: Sequence[str] | None, label: str) -> list[int]:
    names = [name.strip() for name in header or ()]
    missing = [name for name in COLUMNS if name not in names]
    if not missing:
        return [names.index(name) for name in COLUMNS]
    if missing == ["Image name"]:
        advice = "This is the first edition of the votes, which does not say which pictures are faces"
    elif "pixels" in names:
        advice = "These are pictures of FER2013, not votes"
    else:
        advice = f"The first line is {', '.join(names)[:100]!r}"
    raise NoVotesError(
        f"{label}, line 1: there is no column {' nor '.join(missing)}. {advice}. Add fer2013new.csv as it stands in "
        "https://github.com/microsoft/FERPlus."
    )


def _counts(cells: np.ndarray, label: str) -> np.ndarray:
    whole = np.isin(cells, _NUMBERS)
    if not whole.all():
        row, column = np.argwhere(~whole)[0].tolist()
        value = str(cells[row, column])[:40]
        fault = "is below zero" if re.fullmatch(r"-\d+", value) else "is no number of votes"
        raise DataError(f"{label}, line {row + 2}: {VOTES[column]} is {value!r}, which {fault}. {_AGAIN}")
    return cells.astype(np.float32)


def _check(votes: Votes, label: str) -> None:
    unknown = np.flatnonzero(~np.isin(votes.usage, _USAGES))
    if len(unknown):
        usage = str(votes.usage[unknown[0]])[:40]
        known = ", ".join(_USAGES)
        raise DataError(f"{label}, line {unknown[0] + 2}: the usage {usage!r} is unknown (known: {known}). {_AGAIN}")
    totals = votes.counts.sum(axis=1)
    wanted = np.where(votes.names == NINE_VOTES, PEOPLE - 1, PEOPLE)
    wrong = np.flatnonzero(totals != wanted)
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{label}, line {row + 2}: {int(totals[row])} votes instead of the {wanted[row]} that people gave. {_AGAIN}"
        )
    _check_order(votes.names, label)


def _check_order(names: np.ndarray, label: str) -> None:
    """Names count up with the rows, and may lag behind by as many as have no picture; one in a hundred may not."""
    strange = names[(names != "") & ~np.array([bool(re.fullmatch(r"fer\d{7}\.png", name)) for name in names])]
    if len(strange):
        raise DataError(f"{label}: the picture {str(strange[0])[:40]!r} is not named as FER+ does (fer0000000.png).")
    rows = np.flatnonzero(names != "")
    numbers = np.array([int(name[3:10]) for name in names[rows]], dtype=np.int64)
    lag = rows - numbers
    displaced = np.flatnonzero((lag < 0) | (lag > len(names) - len(rows)))
    if len(displaced) > len(names) // 100:
        row = int(rows[displaced[0]])
        raise DataError(
            f"{label}, line {row + 2}: {names[row]} does not belong here: the rows are shuffled, and votes belong to "
            "the pictures of FER2013 by their order. Use the file as it was downloaded."
        )
