"""ExpW: photographs of several people, and a list of faces in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ferbench import DataError, Parsed, ReadContext, View
from ferbench_faces.counts import split_faults
from ferbench_faces.listing import Listing, find_root, no_twins, streamed, text_lines
from ferbench_faces.pictures import decode_picture, is_box, printable
from ferbench_faces.wild import EXPW_CLASSES as CLASSES

COUNTS = (3671, 3995, 1088, 30537, 10559, 7060, 34883)
LIST = "label/label.lst"
IMAGES = ("data/image/origin", "image/origin", "image", "origin")
SIZE = (224, 224)


def read(path: Path | None, context: ReadContext) -> Parsed:
    """List the faces; several may lie in one picture, which is their group."""
    assert path is not None
    root = find_root(path, (LIST,), "ExpW")
    images = next((place for place in IMAGES if (root / place).is_dir()), None)
    if images is None:
        raise DataError(f"{root} has {LIST}, but none of the folders {', '.join(IMAGES)}: where are the pictures?")
    listing, repeated = _listing(root, images)
    there = {file: (root / file).is_file() for file in set(listing.files)}
    labels = listing.targets[[there[file] for file in listing.files]]
    counts = {"the copy": np.bincount(labels, minlength=len(CLASSES)).tolist()}
    parsed = streamed(root, listing, path, context, split_faults(counts, {"the copy": COUNTS}, CLASSES))
    if not repeated:
        return parsed
    return replace(parsed, notes=(*parsed.notes, f"{repeated:,} lines of {LIST} come twice, and were taken once."))


def decode(path: Path, view: View, _: np.random.Generator) -> Mapping[str, np.ndarray]:
    """Read a face, uint8 [224, 224, 3]."""
    return {"image": decode_picture(path, SIZE, True, view.box)}


def _listing(root: Path, images: str) -> tuple[Listing, int]:
    """The faces, and how many lines were repeated."""
    lines = [tuple(line.split()) for line in text_lines(root / LIST, LIST)]
    first: dict[tuple[str, ...], int] = {}
    for number, cells in enumerate(lines, 1):
        if cells:
            first.setdefault(cells, number)
    faces = [_face(cells, number) for cells, number in first.items()]
    names, places, boxes, labels, confidence = zip(*faces, strict=True)
    ids = [f"expw-{printable(Path(name).stem)}-{place}" for name, place in zip(names, places, strict=True)]
    no_twins(ids, LIST)
    listing = Listing(
        files=[f"{images}/{name}" for name in names],
        ids=ids,
        targets=np.array(labels, dtype=np.int64),
        groups={"picture": np.array([printable(name) for name in names])},
        columns={"box": np.array(boxes, dtype=np.int64), "confidence": np.array(confidence, dtype=np.float32)},
    )
    return listing, sum(map(bool, lines)) - len(faces)


def _face(cells: tuple[str, ...], number: int) -> tuple[str, int, tuple[int, int, int, int], int, float]:
    """File, number within it, box (left, top, right, bottom), label and the detector's confidence of a face."""
    shown = f"{LIST}, line {number}: {printable(' '.join(cells))[:60]!r}"
    try:
        name, *rest = cells
        place, top, left, right, bottom, confidence, label = rest
        box = (int(left), int(top), int(right), int(bottom))
        face = (name, int(place), box, int(label), float(confidence))
    except ValueError:
        raise DataError(f"{shown} is no face: name, number, top, left, right, bottom, confidence and label.") from None
    if not 0 <= face[3] < len(CLASSES):
        raise DataError(f"{shown} has the label {face[3]}, which is not 0 to 6.")
    if not is_box(*box):
        raise DataError(f"{shown} has an empty box, or one that no picture can hold.")
    return face
