"""RAF-DB's annotations by hand: of each picture five landmarks, and gender, race and age of who is shown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ferbench import DataError
from ferbench_faces.listing import text_lines

FOLDER = "Annotation/manual"

VALUES = {
    "gender": ("male", "female", "unsure"),
    "race": ("Caucasian", "African-American", "Asian"),
    # Written so that the alphabet sorts them as slices of a table.
    "age": ("00-03", "04-19", "20-39", "40-69", "70 and more"),
}
"""What the numbers of the last three lines mean, in the order of these lines."""

_LANDMARKS = 5


def attributes(root: Path, names: Sequence[str]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Gender, race and age of each picture (str [n], empty where its file is missing), and what to tell.

    Nothing where the copy has no folder of them. Raises DataError that names a file of another form.
    """
    if not (root / FOLDER).is_dir():
        return {}, ()
    files = [f"{FOLDER}/{name}_manu_attri.txt" for name in names]
    rows = [_read(root, file) for file in files]
    without = sum(not any(row) for row in rows)
    columns = {name: np.array([row[place] for row in rows]) for place, name in enumerate(VALUES)}
    if without == len(rows):
        return {}, (f"{FOLDER} holds no file of these pictures: gender, race and age are not known.",)
    return columns, (f"{without:,} pictures have no file in {FOLDER}.",) if without else ()


def _read(root: Path, file: str) -> tuple[str, ...]:
    path = root / file
    if not path.is_file():
        return ("",) * len(VALUES)
    lines = [line.strip() for line in text_lines(path, file) if line.strip()]
    try:
        points = [[float(number) for number in line.split()] for line in lines[:_LANDMARKS]]
        codes = [int(line) for line in lines[_LANDMARKS:]]
    except ValueError:
        points, codes = [], []
    paired = len(points) == _LANDMARKS and all(len(point) == 2 for point in points)
    sizes = [len(known) for known in VALUES.values()]
    if (
        not paired
        or len(codes) != len(sizes)
        or not all(0 <= code < size for code, size in zip(codes, sizes, strict=True))
    ):
        raise DataError(
            f"{file} does not hold {_LANDMARKS} landmarks and the numbers of gender (0 to 2), race (0 to 2) and age "
            "(0 to 4), each on its line. Get it again."
        )
    return tuple(known[code] for code, known in zip(codes, VALUES.values(), strict=True))
