"""AffectNet in its two layouts: pictures with annotations in .npy files, or with tables of the manual annotations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ferbench import DataError, Parsed, ReadContext, View, csv_lines
from ferbench_faces.counts import counted, split_faults
from ferbench_faces.listing import (
    Listing,
    find_root,
    no_twins,
    streamed,
    text_of,
)
from ferbench_faces.pictures import decode_picture, is_box, printable
from ferbench_faces.wild import AFFECTNET_CLASSES as CLASSES

SIZE = (224, 224)
COUNTS = {"train": (74874, 134415, 25459, 14090, 6378, 3803, 24882, 3750), "val": (500,) * 8}

TABLES = {"train": "training.csv", "val": "validation.csv"}
LISTS, IMAGES = "Manually_Annotated_file_lists", "Manually_Annotated_Images"
COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)

_FACES = range(8)
_LABELS = range(11)
"""8 is none, 9 uncertain, 10 no face."""


@dataclass(frozen=True)
class Annotated:
    """A picture: its file below the root, its split, label, valence and arousal, and the face's box, if it has one."""

    file: str
    split: str
    label: int
    values: tuple[float, float] = (0.0, 0.0)
    box: tuple[int, int, int, int] | None = None


def read_expressions(path: Path | None, context: ReadContext) -> Parsed:
    """List the pictures of the eight expressions."""
    assert path is not None
    root, found = _annotated(path, values=False)
    kept = [each for each in found if each.label in _FACES]
    listing = _listing(kept, np.array([each.label for each in kept], dtype=np.int64))
    return streamed(root, listing, path, context, _faults(root, kept))


def read_values(path: Path | None, context: ReadContext) -> Parsed:
    """List the pictures of the eight expressions with their valence and arousal, -1 to 1."""
    assert path is not None
    root, found = _annotated(path, values=True)
    kept = [each for each in found if each.label in _FACES]
    listing = _listing(kept, np.array([each.values for each in kept], dtype=np.float32))
    wrong = np.flatnonzero(~(np.abs(listing.targets) <= 1).all(axis=1))  # not a number is wrong too
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{printable(listing.files[row])} has valence and arousal {listing.targets[row].tolist()}, not -1 to 1 "
            f"({len(wrong):,} such pictures)."
        )
    return streamed(root, listing, path, context, _faults(root, kept))


def decode(path: Path, view: View, _: np.random.Generator) -> Mapping[str, np.ndarray]:
    """Read a face, uint8 [224, 224, 3]."""
    return {"image": decode_picture(path, SIZE, True, view.box)}


def _annotated(path: Path, values: bool) -> tuple[Path, list[Annotated]]:
    """The copy's root and its pictures; valence and arousal only where they are wanted, for reading them is slow."""
    if not path.is_dir():
        raise DataError(f"{path.name} is no folder. Unpack AffectNet, and add the folder that holds train_set.")
    for folder in (path, *sorted(inner for inner in path.iterdir() if inner.is_dir())):
        if (folder / LISTS).is_dir():
            return folder, _from_tables(folder)
    root = find_root(path, ("train_set/annotations", "val_set/annotations"), f"AffectNet (neither is there {LISTS})")
    return root, [*_from_arrays(root, "train", values), *_from_arrays(root, "val", values)]


def _from_arrays(root: Path, split: str, values: bool) -> list[Annotated]:
    folder = root / f"{split}_set" / "annotations"
    names = sorted(file.name.removesuffix("_exp.npy") for file in folder.glob("*_exp.npy"))
    if not names:
        raise DataError(f"{folder} holds no file *_exp.npy: the expressions are missing.")

    def read(name: str) -> Annotated:
        label = _number(folder / f"{name}_exp.npy")
        if label not in _LABELS:
            raise DataError(f"{split}_set/annotations/{printable(name)}_exp.npy holds {label:g}, not a label 0 to 10.")
        dimensions = [_number(folder / f"{name}_{kind}.npy") for kind in ("val", "aro")] if values else (0.0, 0.0)
        return Annotated(f"{split}_set/images/{name}.jpg", split, int(label), (dimensions[0], dimensions[1]))

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(read, names, chunksize=64))


def _number(path: Path) -> float:
    """The one number in a .npy file, stored as number or text."""
    try:
        return float(np.load(path, allow_pickle=False).item())
    except FileNotFoundError:
        raise DataError(f"{path} is missing. Get the annotations again.") from None
    except Exception:  # a damaged header, or one that claims terabytes, makes numpy raise almost anything
        raise DataError(f"{path} is damaged, or holds no single number. Get it again.") from None


def _from_tables(root: Path) -> list[Annotated]:
    found = []
    places = (IMAGES, f"Manually_Annotated/{IMAGES}", f"Manually_Annotated_compressed/{IMAGES}")
    images = next((place for place in places if (root / place).is_dir()), None)
    if images is None:
        raise DataError(f"{root} has {LISTS}, but no folder {IMAGES}, which holds the pictures. Unpack them beside it.")
    for split, name in TABLES.items():
        table = root / LISTS / name
        if not table.is_file():
            raise DataError(f"{LISTS}/{name} is missing: the labels of {split}.")
        for number, cells in csv_lines(text_of(table, f"{LISTS}/{name}"), f"{LISTS}/{name}", ","):
            if cells[0] != COLUMNS[0]:
                found.append(_row(cells, split, images, f"{LISTS}/{name}, line {number}"))
    return found


def _row(cells: Sequence[str], split: str, images: str, place: str) -> Annotated:
    if len(cells) != len(COLUMNS):
        raise DataError(f"{place}: {len(cells)} columns instead of {len(COLUMNS)} ({', '.join(COLUMNS)}).")
    row = dict(zip(COLUMNS, cells, strict=True))
    try:
        label, values = int(row["expression"]), (float(row["valence"]), float(row["arousal"]))
        # Where no face was found these are no numbers.
        left, top, width, height = (int(row[f"face_{side}"]) for side in ("x", "y", "width", "height"))
    except ValueError:
        if row["expression"] in ("8", "9", "10"):
            return Annotated(f"{images}/{cells[0]}", split, int(row["expression"]))
        raise DataError(f"{place}: the box, the expression, valence or arousal is no number.") from None
    if label not in _LABELS:
        raise DataError(f"{place}: the expression {label} is not 0 to 10.")
    box = (left, top, left + width, top + height) if width > 0 and height > 0 else None
    if box is not None and not is_box(*box):
        raise DataError(f"{place}: no picture can hold the face's box, {width}×{height} at {left}, {top}.")
    return Annotated(f"{images}/{cells[0]}", split, label, values, box)


def _listing(found: Sequence[Annotated], targets: np.ndarray) -> Listing:
    files = [each.file for each in found]
    no_twins(files, "The copy")
    columns: dict[str, np.ndarray] = {}
    if any(each.box for each in found):
        lacking = next((each.file for each in found if each.box is None), None)
        if lacking:
            raise DataError(f"{printable(lacking)} has an expression, but no box of a face.")
        columns["box"] = np.array([each.box for each in found], dtype=np.int64)
    return Listing(
        files=files,
        ids=[f"affectnet-{each.split}-{_stem(each.file)}" for each in found],
        targets=targets,
        origin=np.array([each.split for each in found]),
        columns=columns,
    )


def _stem(file: str) -> str:
    """What names a picture within its split: its file below the folder of pictures, without a suffix."""
    inside = file.partition(f"{IMAGES}/")[2] or file.rpartition("/")[2]
    return printable(inside.rpartition(".")[0])


def _faults(root: Path, found: Sequence[Annotated]) -> list[str]:
    there = [each for each in found if (root / each.file).is_file()]
    origin = np.array([each.split for each in there])
    counts = counted(origin, np.array([each.label for each in there], dtype=np.int64), len(CLASSES))
    val = counts.get("val", [])
    # The copy that is given out in .npy files lacks one picture of val.
    whole = sum(val) == 3999 and set(val) == {499, 500}
    return split_faults(counts, {"train": COUNTS["train"]} if whole else COUNTS, CLASSES)
