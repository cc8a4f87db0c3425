"""RAF-DB: a list of names and numbers of emotions, and pictures that are aligned or as they were found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ferbench import DataError, Parsed, ReadContext, View
from ferbench_faces.counts import Counts, counted, split_faults
from ferbench_faces.listing import (
    Listing,
    find_root,
    in_memory,
    no_twins,
    streamed,
    text_lines,
)
from ferbench_faces.pictures import decode_picture, is_box, printable
from ferbench_faces.raf_attributes import attributes
from ferbench_faces.wild import RAF_CLASSES

LIST = "EmoLabel/list_patition_label.txt"
"""The authors' spelling."""

ALIGNED = (100, 100)
ORIGINAL = (224, 224)
"""Height and width that faces of the original pictures are given."""

BASIC = {"train": (1290, 281, 717, 4772, 1982, 705, 2524), "test": (329, 74, 160, 1185, 478, 162, 680)}
COMPOUND = {"train": (3162,), "test": (792,)}
"""Of which no count by class is known here."""

_NAME = re.compile(r"(train|test)_\d+\.jpg")


def read_basic(path: Path | None, context: ReadContext) -> Parsed:
    """Read the aligned pictures of the seven basic emotions, 100×100."""
    return _aligned(path, context, 7, BASIC)


def read_compound(path: Path | None, context: ReadContext) -> Parsed:
    """Read the aligned pictures of the eleven compound emotions, 100×100."""
    return _aligned(path, context, 11, COMPOUND)


def read_original(path: Path | None, context: ReadContext) -> Parsed:
    """List the original pictures of the basic emotions; the face is the box in ``Annotation/boundingbox``."""
    assert path is not None
    root = _root(path, "original", 7)
    listing = _listing(root, 7, "Image/original/{name}.jpg")
    boxes = np.stack([_box(root / f"Annotation/boundingbox/{name}_boundingbox.txt") for name in _stems(listing)])
    known, notes = attributes(root, _stems(listing))
    found = streamed(
        root, replace(listing, columns={"box": boxes, **known}), path, context, _faults(root, listing, BASIC, 7)
    )
    return replace(found, notes=(*found.notes, *notes))


def decode(path: Path, view: View, _: np.random.Generator) -> Mapping[str, np.ndarray]:
    """Read a face out of an original picture, uint8 [224, 224, 3]."""
    return {"image": decode_picture(path, ORIGINAL, True, view.box)}


def _aligned(path: Path | None, context: ReadContext, classes: int, expected: Counts) -> Parsed:
    assert path is not None
    root = _root(path, "aligned", classes)
    listing = _listing(root, classes, "Image/aligned/{name}_aligned.jpg")
    known, notes = attributes(root, [stem.removesuffix("_aligned") for stem in _stems(listing)])
    faults = _faults(root, listing, expected, classes)
    return replace(in_memory(root, replace(listing, columns=known), ALIGNED, True, context, faults), notes=notes)


def _root(path: Path, kind: str, classes: int) -> Path:
    part = "basic" if classes == 7 else "compound"
    # The whole of RAF-DB holds a folder for each part; one of them alone may be added too.
    parts = [path / part, *sorted(path.glob(f"*/{part}"))]
    start = next((folder for folder in parts if folder.is_dir()), path)
    root = find_root(start, (LIST,), f"RAF-DB ({part})")
    if not (root / "Image" / kind).is_dir():
        packed = f"; unpack {kind}.zip" if (root / "Image" / f"{kind}.zip").exists() else ""
        raise DataError(f"{root} has no folder Image/{kind}, which holds the pictures{packed}.")
    return root


def _listing(root: Path, classes: int, place: str) -> Listing:
    names, labels = [], []
    for number, line in enumerate(text_lines(root / LIST, LIST), 1):
        if not line.strip():
            continue
        name, _, label = line.strip().partition(" ")
        if not _NAME.fullmatch(name) or not label.strip().isascii() or not label.strip().isdigit():
            raise DataError(
                f"{LIST}, line {number}: {printable(line)[:60]!r} is no name and label such as 'train_00001.jpg 5'."
            )
        if not 1 <= int(label) <= classes:
            raise DataError(
                f"{LIST}, line {number}: the label {label.strip()} is not 1 to {classes}. {_wrong(classes)}"
            )
        names.append(name.removesuffix(".jpg"))
        labels.append(int(label) - 1)
    no_twins(names, LIST)
    part = "raf-db" if classes == 7 else "raf-db-compound"
    return Listing(
        files=[place.format(name=name) for name in names],
        ids=[f"{part}-{name}" for name in names],
        targets=np.array(labels, dtype=np.int64),
        origin=np.array([name.partition("_")[0] for name in names]),
    )


def _wrong(classes: int) -> str:
    other = "raf-db-compound" if classes == 7 else "raf-db"
    return f"Is this the list of {other}?"


def _stems(listing: Listing) -> list[str]:
    return [Path(file).stem for file in listing.files]


def _box(path: Path) -> np.ndarray:
    """Left, top, right, bottom as int64 [4]. Raises DataError where the file is missing or no box."""
    label = f"Annotation/boundingbox/{path.name}"
    if not path.is_file():
        raise DataError(f"{label} is missing: the box of a face in its original picture. Get the annotations too.")
    try:
        box = [round(float(value)) for value in path.read_text(encoding="utf-8").split()]
        sound = len(box) == 4 and is_box(*box)
    except (ValueError, OverflowError):
        sound = False
    if not sound:
        raise DataError(f"{label} is no box: four numbers, left, top, right and bottom. Get it again.")
    return np.array(box, dtype=np.int64)


def _faults(root: Path, listing: Listing, expected: Counts, classes: int) -> list[str]:
    """What the pictures that are there come to, against what RAF-DB has."""
    assert listing.origin is not None
    there = np.array([(root / file).is_file() for file in listing.files])
    found = counted(listing.origin[there], listing.targets[there], classes)
    if classes == 7:
        return split_faults(found, expected, RAF_CLASSES)
    return split_faults({split: [sum(each)] for split, each in found.items()}, expected, ["all classes"])
