"""Finds FER2013 in whatever was downloaded, reads it, and checks it against the official counts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from ferbench import DataError, DownloadLimits, Parsed, ReadContext, Samples, walk_download
from ferbench_fer2013.official import (
    FER2013,
    MERGED,
    NAMES,
    PRIVATE,
    PUBLIC,
    TRAINING,
    Official,
    wrong_content,
    wrong_counts,
)
from ferbench_fer2013.pictures import SIDE, Picture, in_order, is_picture, read_picture
from ferbench_fer2013.rows import HeaderError, Rows, read_rows

LIMITS = DownloadLimits(members=200_000, member_bytes=1 << 30, total_bytes=4 << 30)


def read(path: Path | None, context: ReadContext) -> Parsed:
    """Read FER2013 from fer2013.csv, icml_face_data.csv, an archive of either, or pictures in folders.

    Raises DataError that names the file, and the line, of what cannot be read. A copy that can be read but is not the
    official one is named in ``Parsed.partial``.
    """
    if path is None:
        raise DataError("FER2013 is a download; it cannot be made.")
    return read_checked(path, FER2013)


def read_checked(path: Path, official: Official) -> Parsed:
    """Read a copy, and check it against ``official``."""
    rows, pictures, others = _found(path)
    if rows is not None:
        return from_rows(rows, official)
    if pictures:
        return _from_pictures(pictures, official)
    raise DataError(
        f"{path.name} holds neither fer2013.csv nor icml_face_data.csv nor pictures in train/<emotion>/. "
        f"It holds: {'; '.join(others[:5])}{' …' if len(others) > 5 else ''}"
    )


def _found(path: Path) -> tuple[Rows | None, list[Picture], list[str]]:
    """The rows of the first fitting CSV file, or all pictures; and what else there is."""
    rows: list[Rows] = []
    pictures: list[Picture] = []
    others: list[str] = []
    # Once the rows are there, the walk goes on only for the archive's check sums.
    for entry in walk_download(path, LIMITS, expand=lambda _: not rows):
        if rows or _is_litter(entry.path):
            continue
        if is_picture(entry.path):
            pictures.append(read_picture(entry))
        elif entry.path.suffix.lower() == ".csv" or (path.is_file() and len(entry.path.parts) == 1):
            try:
                with entry.open() as stream:
                    rows.append(read_rows(stream, entry.label))
            except HeaderError as error:
                if len(entry.path.parts) == 1 and entry.label == path.name:
                    raise
                others.append(str(error))
        else:
            others.append(entry.label)
    return rows[0] if rows else None, pictures, others


def _is_litter(path: PurePosixPath) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def from_rows(rows: Rows, official: Official) -> Parsed:
    """The data set of a CSV file's rows, checked against ``official``."""
    faults = wrong_counts(_counts(rows.usage, rows.labels), official) or wrong_content(
        rows.pixels, rows.labels, official
    )
    ids = np.array([f"fer2013-{row:05d}" for row in range(len(rows.labels))])
    return _parsed(ids, rows.pixels.reshape(-1, SIDE, SIDE), rows.labels, rows.usage, faults, ())


def _from_pictures(pictures: Sequence[Picture], official: Official) -> Parsed:
    ordered = in_order(pictures)
    usage = np.array([picture.usage for picture in ordered])
    labels = np.array([picture.label for picture in ordered], dtype=np.int64)
    ids = np.array([f"fer2013-{picture.name}" for picture in ordered])
    notes = ["These are recompressed pictures: results differ a little from those on the pixels of fer2013.csv."]
    if MERGED in usage:
        notes.append("The names PublicTest and PrivateTest are lost in this copy: it offers protocol merged-test only.")
    faults = wrong_counts(_counts(usage, labels), official, "pictures")
    return _parsed(ids, np.stack([picture.pixels for picture in ordered]), labels, usage, faults, notes)


def _counts(usage: np.ndarray, labels: np.ndarray) -> dict[str, list[int]]:
    return {
        split: np.bincount(labels[usage == split], minlength=len(NAMES)).tolist()
        for split in (TRAINING, PUBLIC, PRIVATE, MERGED)
        if split != MERGED or bool((usage == MERGED).any())
    }


def _parsed(
    ids: np.ndarray,
    pixels: np.ndarray,
    labels: np.ndarray,
    usage: np.ndarray,
    faults: Sequence[str],
    notes: Sequence[str],
) -> Parsed:
    return Parsed(
        samples=Samples(ids=ids, targets=labels, origin=usage),
        inputs={"image": pixels},
        protocols=_protocols(set(usage.tolist())),
        partial="; ".join(faults),
        notes=tuple(notes),
    )


def _protocols(splits: set[str]) -> tuple[str, ...] | None:
    """Protocols that a copy with these splits can offer; None for all."""
    if {TRAINING, PUBLIC, PRIVATE} <= splits:
        return None
    if MERGED in splits:
        return ("merged-test",)
    return ("merged-test", "paper-80-20") if TRAINING in splits and len(splits) > 1 else ("paper-80-20",)
