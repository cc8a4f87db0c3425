"""A table of pictures: paths and labels, and a split and groups where there are columns of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ferbench import DataError, canonical, csv_lines
from ferbench_faces.listing import Listing, no_twins, text_of
from ferbench_faces.own import Own
from ferbench_faces.own_folder import SPLITS
from ferbench_faces.pictures import listed, printable

PATHS = ("path", "file", "filename", "image")
LABELS = ("label", "emotion", "class", "expression")
SPLIT = ("split", "usage")
GROUPS = ("subject", "clip", "trial")


def find(place: Path) -> Own:
    """Read the table; its paths are below its own folder. Raises DataError with the line of the first fault."""
    if not place.is_file():
        raise DataError(f"{place} is no file. csv:PATH names a table; a folder of pictures is folder:PATH.")
    (_, names), *body = csv_lines(text_of(place, place.name), place.name)
    head = [name.strip().lower() for name in names]
    columns = _columns(place, head)
    for number, row in body:
        if len(row) != len(head):
            raise DataError(f"{place.name}, line {number}: {len(row)} columns instead of the {len(head)} of line 1.")
    if not body:
        raise DataError(f"{place.name} has a line of names, and no picture.")
    values = {name: [row[column].strip() for _, row in body] for name, column in columns.items()}
    files = [_below(place, text, number) for text, (number, _) in zip(values["path"], body, strict=True)]
    no_twins(files, place.name)
    unlabelled = [number for label, (number, _) in zip(values["label"], body, strict=True) if not label]
    if unlabelled:
        raise DataError(f"{place.name}, line {unlabelled[0]}: there is no label ({len(unlabelled):,} such lines).")
    labels = [canonical(printable(label)) for label in values["label"]]
    classes = tuple(sorted(set(labels)))
    listing = Listing(
        files=files,
        ids=[printable(file) for file in files],
        targets=np.array([classes.index(name) for name in labels], dtype=np.int64),
        origin=_splits(place, values, body),
        groups={name: np.array([printable(each) for each in values[name]]) for name in GROUPS if name in values},
    )
    unused = [name for index, name in enumerate(head) if index not in columns.values()]
    notes = (f"Columns that were not used: {listed(unused)}.",) if unused else ()
    return Own(place.parent, listing, classes, notes)


def _columns(place: Path, head: Sequence[str]) -> Mapping[str, int]:
    """Where the columns stand that have a meaning."""
    found: dict[str, int] = {}
    for role, names in {"path": PATHS, "label": LABELS, "split": SPLIT, **{name: (name,) for name in GROUPS}}.items():
        places = [index for index, name in enumerate(head) if name in names]
        if len(places) > 1:
            raise DataError(f"{place.name}, line 1: {listed([head[i] for i in places])} both say the {role}. Keep one.")
        if places:
            found[role] = places[0]
    for role, names in (("path", PATHS), ("label", LABELS)):
        if role not in found:
            raise DataError(
                f"{place.name}, line 1: no column names the {role}; call it {' or '.join(names)}. "
                f"The columns are: {listed(head)}."
            )
    return found


def _below(place: Path, text: str, number: int) -> str:
    """A path below the table's folder, with slashes."""
    plain = text.replace("\\", "/")
    path = Path(plain)
    if path.is_absolute() and path.is_relative_to(place.parent):
        path = path.relative_to(place.parent)
    if not plain or path.is_absolute() or ".." in path.parts:
        raise DataError(
            f"{place.name}, line {number}: {printable(text)!r} is no path below {place.parent}, the table's folder. "
            "Put the table above its pictures."
        )
    return path.as_posix()


def _splits(
    place: Path, values: Mapping[str, Sequence[str]], body: Sequence[tuple[int, Sequence[str]]]
) -> np.ndarray | None:
    if "split" not in values:
        return None
    for text, (number, _) in zip(values["split"], body, strict=True):
        if text.lower() not in SPLITS:
            raise DataError(f"{place.name}, line {number}: the split {printable(text)!r} is not train, val or test.")
    return np.array([SPLITS[text.lower()] for text in values["split"]])
