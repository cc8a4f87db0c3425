"""A side-car CSV of attributes, read as hostile until checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ferbench.data.csv_text import csv_lines
from ferbench.errors import DataError

NAME = re.compile(r"[A-Za-z][A-Za-z0-9 _.+-]{0,39}")
RESERVED = {"id", "all", "target"}
MOST_BYTES = 1 << 28
MOST_ATTRIBUTES = 50
LONGEST = 60
_SHOWN = 3


@dataclass(frozen=True)
class Matched:
    """The columns of a file, aligned with a data set's samples (str [n], empty where the file says nothing).

    ``rows``: how many lines it has. ``unknown``: ids in it that the data set does not have, ``repeated``: those that
    stand in it again with the same values, ``missing``: ids of the data set that it does not name.
    """

    columns: dict[str, np.ndarray]
    rows: int
    unknown: tuple[str, ...]
    repeated: tuple[str, ...]
    missing: tuple[str, ...]

    def remarks(self) -> list[str]:
        """What its user should know of its ids."""
        told = [
            (self.unknown, "in the file, but not in the data set; left out"),
            (self.repeated, "more than once in the file, with the same values"),
            (self.missing, "in the data set, but not in the file"),
        ]
        return [
            f"{'1 id is' if len(ids) == 1 else f'{len(ids):,} ids are'} {what}: {_some(ids)}."
            for ids, what in told
            if ids
        ]


def read_attributes(path: Path, ids: np.ndarray) -> Matched:
    """Read ``path`` (first column ``id``, the others attributes) for the samples ``ids`` (str [n]).

    Raises DataError that names the line for a file that is no such table, or says two things of one sample.
    """
    lines = _lines(path)
    header = [cell.strip() for cell in next(lines)[1]]
    _check_header(path, header)
    place = {name: row for row, name in enumerate(ids.tolist())}
    found: dict[str, list[str]] = {}
    unknown: dict[str, None] = {}
    repeated: dict[str, None] = {}
    rows = 0
    for number, cells in lines:
        if len(cells) != len(header):
            raise DataError(f"{path}, line {number}: {len(cells)} cells, the header has {len(header)}.")
        rows += 1
        sample, *values = [cell.strip() for cell in cells]
        for name, value in zip(header[1:], values, strict=True):
            if len(value) > LONGEST or not value.isprintable():
                raise DataError(
                    f"{path}, line {number}: {name} is {value[:LONGEST]!r}; a value has at most {LONGEST} characters, "
                    "none of them a control character."
                )
        if sample not in place:
            unknown[sample] = None
        elif found.setdefault(sample, values) is not values:
            if found[sample] != values:
                raise DataError(f"{path}, line {number}: the id {sample!r} stood there before with other values.")
            repeated[sample] = None
    if not found:
        first = f": its first is {_some([*unknown][:1])}, those of the data set look like {ids[0]}" if unknown else ""
        raise DataError(f"{path} has no id of the data set{first}.")
    columns = {name: np.full(len(ids), "", dtype=f"<U{LONGEST}") for name in header[1:]}
    for sample, values in found.items():
        for name, value in zip(header[1:], values, strict=True):
            columns[name][place[sample]] = value
    missing = tuple(name for name in place if name not in found)
    return Matched(columns, rows, tuple(unknown), tuple(repeated), missing)


def check_name(name: str, where: str) -> None:
    """Raise DataError unless an attribute can have that name."""
    if not NAME.fullmatch(name) or name.lower() in RESERVED:
        raise DataError(
            f"{where}: {name[:LONGEST]!r} is no name for an attribute: a letter, then up to 39 letters, digits, spaces "
            f"or _ . + -; not {', '.join(sorted(RESERVED))}."
        )


def _check_header(path: Path, header: Sequence[str]) -> None:
    if header[0] != "id" or len(header) < 2:
        raise DataError(
            f"{path}: the first line must name the columns, `id` first and then attributes; it begins with "
            f"{header[0][:LONGEST]!r} and names {len(header)} column{'s' * (len(header) > 1)}."
        )
    if len(header) - 1 > MOST_ATTRIBUTES:
        raise DataError(f"{path} has {len(header) - 1:,} attributes; at most {MOST_ATTRIBUTES} can be kept.")
    for name in header[1:]:
        check_name(name, str(path))
    lower = [name.lower() for name in header]
    twice = next((name for name in header if lower.count(name.lower()) > 1), None)
    if twice:
        raise DataError(f"{path}: the column {twice!r} stands there more than once.")


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Lines that are not blank, with their numbers."""
    if not path.is_file():
        raise DataError(f"There is no file {path}. Check the path.")
    if path.stat().st_size > MOST_BYTES:
        raise DataError(f"{path} is larger than {MOST_BYTES >> 20} MiB: it is no table of attributes.")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8 (byte {error.start:,}). Save it again as CSV in UTF-8.") from None
    if "\0" in text:
        raise DataError(f"{path} is no text: it holds zero bytes.")
    return csv_lines(text, str(path))


def _some(ids: Sequence[str]) -> str:
    shown = ", ".join(name if len(name) <= LONGEST else f"{name[:LONGEST]}…" for name in map(_plain, ids[:_SHOWN]))
    return f"{shown}, …" if len(ids) > _SHOWN else shown


def _plain(name: str) -> str:
    return name if name.isprintable() and name else repr(name)
