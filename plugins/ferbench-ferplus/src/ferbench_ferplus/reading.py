"""Finds the votes of FER+ and the pictures of FER2013, and joins them row by row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ferbench_fer2013 import CLASSES as FER2013_CLASSES
from ferbench_fer2013.official import FER2013
from ferbench_fer2013.official import Official as OfficialPictures
from ferbench_fer2013.reading import from_rows
from ferbench_fer2013.rows import HeaderError, Rows, read_rows

from ferbench import DataError, MissingDataError, Parsed, ReadContext, Samples, walk_download
from ferbench_ferplus import rule
from ferbench_ferplus.finding import LIMITS, Found, find_votes, is_csv, notes_of
from ferbench_ferplus.labels import aligned
from ferbench_ferplus.official import EDITIONS, LABELS, Official, edition_of
from ferbench_ferplus.votes import EMOTIONS, Votes

LEAST_AGREEMENT = 0.4
"""Share of majorities that must be FER2013's own label: 0.68 are in the published files, 0.18 in a wrong order."""


def read(path: Path | None, context: ReadContext) -> Parsed:
    """Read FER+ and, where the same folder or archive holds it, fer2013.csv.

    Votes are those of the files label.csv, where there are any, else of fer2013new.csv. Without fer2013.csv, the
    pictures are those of the data set fer2013 that is registered on this machine. Raises DataError that names the
    file, and the line, of what cannot be read or does not fit; MissingDataError where there are no pictures. A copy
    that can be read but is not the published one is named in ``Parsed.partial``.
    """
    if path is None:
        raise DataError("FER+ is a download; it cannot be made.")
    return read_checked(path, context, FER2013, EDITIONS)


def read_checked(
    path: Path, context: ReadContext, pictures: OfficialPictures, editions: Mapping[str, Official]
) -> Parsed:
    """Read a copy, and check its pictures and its votes against official ones."""
    found = find_votes(path)
    given = _pictures(path, pictures) or _registered(path, context)
    assert given.samples.origin is not None
    votes = found.new if found.new is not None else aligned(found.files, given.samples.origin)
    _check_fit(votes, found.label, given)
    return _joined(votes, found, given, editions)


def _pictures(path: Path, official: OfficialPictures) -> Parsed | None:
    """The pictures that lie beside the votes, if any do."""
    rows: list[Rows] = []
    # Once the rows are there, the walk goes on only for the archive's check sums.
    for entry in walk_download(path, LIMITS, expand=lambda _: not rows):
        if rows or not is_csv(entry.path):
            continue
        try:
            with entry.open() as stream:
                rows.append(read_rows(stream, entry.label))
        except HeaderError:
            continue
    return from_rows(rows[0], official) if rows else None


def _registered(path: Path, context: ReadContext) -> Parsed:
    try:
        pictures = context.registered("fer2013")
    except MissingDataError:
        raise MissingDataError(
            f"{path.name} holds votes without pictures, and fer2013 is not registered on this machine. Run\n"
            "  ferbench data add fer2013 PATH      (PATH: fer2013.csv or fer2013.tar.gz)\n"
            f"  ferbench data add ferplus {path}\n"
            "or put fer2013.csv (or fer2013.tar.gz) and the votes into one folder, and add the folder."
        ) from None
    if any(name != f"fer2013-{row:05d}" for row, name in enumerate(pictures.samples.ids)):
        raise DataError(
            "The registered copy of fer2013 was made from pictures in folders, whose order is lost; votes belong to "
            "pictures by their order in fer2013.csv. Put that file beside the votes and add the folder, or add "
            "it to fer2013 first."
        )
    return pictures


def _joined(votes: Votes, found: Found, pictures: Parsed, editions: Mapping[str, Official]) -> Parsed:
    kept = np.flatnonzero(votes.names != "")
    counts, usage = votes.counts[kept], votes.usage[kept]
    edition, faults = edition_of(usage, counts, found.edition, editions)
    if pictures.partial:
        faults.insert(0, f"pictures: {pictures.partial}")
    assert pictures.inputs is not None
    return Parsed(
        samples=Samples(
            ids=pictures.samples.ids[kept],
            targets=counts[:, : rule.EMOTIONS].argmax(axis=1),
            origin=usage,
            columns={
                "image_name": votes.names[kept],
                "votes": counts[:, : rule.EMOTIONS],
                "unknown": counts[:, rule.EMOTIONS],
                "not_a_face": counts[:, rule.EMOTIONS + 1],
            },
        ),
        inputs={"image": pictures.inputs["image"][kept]},
        partial="; ".join(faults),
        notes=(
            *notes_of(found, edition, editions),
            f"{len(votes.names) - len(kept):,} pictures that FER+ does not name are out: "
            f"nobody saw a face in them{', or they are copies' if edition == LABELS else ''}.",
        ),
    )


def _check_fit(votes: Votes, label: str, pictures: Parsed) -> None:
    """Raise DataError unless the votes are of these pictures, in this order."""
    usage = pictures.samples.origin
    assert usage is not None
    if len(votes.usage) != len(usage):
        raise DataError(
            f"{label} has votes for {len(votes.usage):,} pictures, and there are {len(usage):,}. They belong together "
            "row by row, so that both must be whole: download the shorter one again."
        )
    other = np.flatnonzero(votes.usage != usage)
    if len(other):
        row = int(other[0])
        raise DataError(
            f"{label}, line {row + 2}: the usage is {votes.usage[row]}, but the picture of this row is one of "
            f"{usage[row]} ({len(other):,} rows differ). One of the two files has its rows in another order: download "
            "both again."
        )
    labels = rule.majority(votes.counts)
    agreed = labels.any(axis=1)
    given = np.array([EMOTIONS.index(name) for name in FER2013_CLASSES])[pictures.samples.targets]
    share = float((labels.argmax(axis=1) == given)[agreed].mean()) if agreed.any() else 0.0
    if share < LEAST_AGREEMENT:
        raise DataError(
            f"{label} does not fit the pictures: votes and FER2013's own labels agree on {share:.0%} of them, where "
            "68% is usual. The rows of one file are shuffled: download both again."
        )
