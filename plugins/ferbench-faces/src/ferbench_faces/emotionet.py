"""EmotioNet: lists of addresses with action units, and the pictures that could be fetched from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import numpy as np

from ferbench import DataError, Parsed, ReadContext, View
from ferbench_faces.lab_files import walk_files
from ferbench_faces.listing import Listing, all_pictures, no_twins, streamed, text_lines
from ferbench_faces.pictures import decode_picture, printable
from ferbench_faces.wild import EMOTIONET_UNITS

UNITS = tuple(int(name.removeprefix("AU")) for name in EMOTIONET_UNITS)

SIZE = (224, 224)
_COLUMNS = 62


def read(path: Path | None, context: ReadContext) -> Parsed:
    """List the pictures that every unit is known of: ``*.txt`` with address, first address and 60 units in tabs.

    A picture is looked for as the last two parts of its address (``N_0000001/N_0000001_00001.jpg``), or as its name
    alone.
    """
    assert path is not None
    if not path.is_dir():
        raise DataError(f"{path.name} is no folder. Add the folder that holds EmotioNet's lists and its pictures.")
    lists = [path / file for file in walk_files(path) if file.endswith(".txt")]
    rows = [row for file in lists for row in _rows(file, path)]
    if not rows:
        raise DataError(
            f"{path} holds no list of EmotioNet: a text file whose lines are two addresses and 60 action units."
        )
    known = [row for row in rows if set(row[1]) <= {0, 1}]
    if not known:
        raise DataError(f"Of none of the {len(rows):,} pictures in the lists all {len(UNITS)} units are known.")
    names = [name for name, _ in known]
    no_twins(names, "The lists")
    places = _places(path)
    listing = Listing(
        files=[places.get(name) or places.get(name.rpartition("/")[2]) or name for name in names],
        ids=[f"emotionet-{printable(PurePosixPath(name).stem)}" for name in names],
        targets=np.array([units for _, units in known], dtype=np.float32),
    )
    parsed = streamed(path, listing, path, context, [])
    left = len(rows) - len(known)
    note = f"{left:,} pictures were left out: not every one of their {len(UNITS)} units is known."
    return replace(parsed, notes=(*parsed.notes, note)) if left else parsed


def decode(path: Path, view: View, _: np.random.Generator) -> Mapping[str, np.ndarray]:
    """Read a picture, uint8 [224, 224, 3]."""
    return {"image": decode_picture(path, SIZE, True, view.box)}


def _rows(file: Path, root: Path) -> list[tuple[str, tuple[int, ...]]]:
    """Name and units of the pictures in a list; nothing of a text file that is none."""
    label = file.relative_to(root).as_posix()
    found = []
    for number, line in enumerate(text_lines(file, label) if file.stat().st_size else [], 1):
        cells = line.rstrip("\r").split("\t")
        if number == 1 and (len(cells) != _COLUMNS or "://" not in cells[0]):
            if len(cells) == _COLUMNS:
                continue  # names of the columns
            return []
        if len(cells) != _COLUMNS:
            raise DataError(f"{printable(label)}, line {number}: {len(cells)} columns instead of {_COLUMNS}.")
        try:
            units = tuple(int(cells[1 + unit]) for unit in UNITS)
        except ValueError:
            raise DataError(f"{printable(label)}, line {number}: an action unit is no whole number.") from None
        try:
            place = PurePosixPath(urlsplit(cells[0].strip("'\" ")).path)
        except ValueError:
            raise DataError(f"{printable(label)}, line {number}: {printable(cells[0])[:60]!r} is no address.") from None
        found.append(("/".join(place.parts[-2:]), units))
    return found


def _places(root: Path) -> dict[str, str]:
    """Where the pictures lie, by the last two parts of their paths and by their names."""
    files = all_pictures(root)
    return {file.rpartition("/")[2]: file for file in files} | {"/".join(file.split("/")[-2:]): file for file in files}
