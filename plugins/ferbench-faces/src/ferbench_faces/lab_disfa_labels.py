"""DISFA's action units: intensities as coders gave them for each frame, and emotions by rules over them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ferbench import DataError
from ferbench_faces.lab_files import Found
from ferbench_faces.pictures import inside, printable

UNITS = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)
"""Action units that are coded, 0 (absent) to 5."""

EMOTIONS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger")
"""In the order of the LMU report's labels 1 to 6."""

PRESENT = 2
"""Intensity from which a unit counts as present, as is usual on this set."""

LABEL = re.compile(r"(SN\d{3})_au(\d{1,2})\.txt", re.ASCII)

_MOST_BYTES = 1_000_000


def read_intensities(root: Path, files: Mapping[int, str]) -> np.ndarray:
    """Read a subject's files by action unit, lines of a frame's number and an intensity: uint8 [frames, 12].

    Raises DataError that names file and line of what is no such line, or files that differ in length.
    """
    columns = [_column(root, files[unit]) for unit in UNITS]
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        short, long = (
            next(files[u] for u, c in zip(UNITS, columns, strict=True) if len(c) == n)
            for n in (min(lengths), max(lengths))
        )
        raise DataError(
            f"{printable(short)} has {min(lengths):,} frames, {printable(long)} {max(lengths):,}: all action units of "
            "a subject are coded for the same frames. Download the labels again."
        )
    return np.stack(columns, axis=1)


def by_subject(files: Sequence[Found]) -> dict[str, dict[int, str]]:
    """Label files of each subject by action unit. Raises DataError for a unit that DISFA does not code."""
    found: dict[str, dict[int, str]] = {}
    for item in files:
        subject, unit = item.match[1], int(item.match[2])
        if unit not in UNITS:
            raise DataError(
                f"{printable(item.file)} is of action unit {unit}; DISFA has {', '.join(map(str, UNITS))}. Remove it."
            )
        found.setdefault(subject, {})[unit] = item.file
    return found


def emotions_of(intensities: np.ndarray) -> np.ndarray:
    """The emotion of each frame, int64 [n], an index into EMOTIONS; -1 where none or more than one fits.

    The criteria are those by which CK+ checked its labels (Lucey et al. 2010, table 1), as far as DISFA codes their
    units: disgust 9; fear 1+2+4, without 4 where 5 is 5; happiness 12; sadness 1+4+15 or 6+15; surprise 1+2, or 5,
    with 5 at most 2. Anger is 23 and 24 there, which DISFA lacks: here it is 4+5 without 1 and 2.
    """
    level = {unit: intensities[:, column] for column, unit in enumerate(UNITS)}
    present = {unit: values >= PRESENT for unit, values in level.items()}
    raised = present[1] & present[2]
    fear = raised & (present[4] | (level[5] == 5))
    fits = {
        "surprise": (raised | present[5]) & (level[5] <= 2) & ~present[4],
        "fear": fear,
        "disgust": present[9],
        "happiness": present[12],
        "sadness": (present[1] & present[4] & present[15] & ~present[2]) | (present[6] & present[15]),
        "anger": present[4] & present[5] & ~present[1] & ~present[2],
    }
    table = np.stack([fits[name] for name in EMOTIONS], axis=1)
    return np.where(table.sum(axis=1) == 1, table.argmax(axis=1), -1).astype(np.int64)


def _column(root: Path, file: str) -> np.ndarray:
    path = inside(root, file)
    if path.stat().st_size > _MOST_BYTES:
        raise DataError(f"{printable(file)} is too large for the labels of a video.")
    values: list[int] = []
    for number, line in enumerate(path.read_text(encoding="ascii", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in line.split(",")]
        frame = str(len(values) + 1)
        if len(cells) != 2 or cells[0] != frame or cells[1] not in ("0", "1", "2", "3", "4", "5"):
            raise DataError(
                f"{printable(file)}, line {number}: {line.strip()[:40]!r} instead of frame {frame} and an intensity "
                "from 0 to 5. The file is damaged or altered; download it again."
            )
        values.append(int(cells[1]))
    if not values:
        raise DataError(f"{printable(file)} holds no frames.")
    return np.array(values, dtype=np.uint8)
