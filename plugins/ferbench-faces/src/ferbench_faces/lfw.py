"""LFW: faces of known people in photographs from the web, with emotion labels that the user brings."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ferbench import DataError, Parsed, ReadContext
from ferbench_faces import own_table
from ferbench_faces.further import LFW_LABELS
from ferbench_faces.lab_crop import read_faces
from ferbench_faces.lab_files import find_files, folder_of, walk_files
from ferbench_faces.lab_parsed import parsed
from ferbench_faces.own import Own
from ferbench_faces.pictures import Pictures, check_pictures, listed, picture_forms, printable

CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""Those of FER2013, with which LFW was mixed (Zhang et al. 2019)."""

PICTURES = 13233
"""In the whole of LFW."""

SIZE = (250, 250)
BOX = (54, 54, 196, 196)
"""A quarter larger than the box of the detector, which LFW's authors enlarged by 2.2 to get the picture."""

SIDE = 112

_NAME = re.compile(r"([^/]+)/\1_(\d{4})\.jpg")


def read(path: Path | None, context: ReadContext) -> Parsed:
    """Read the pictures that the user's table names, grey, 112×112, wherever below the folder they lie.

    Raises DataError where there is no table, or where it names a picture or an emotion that is none.
    """
    root = folder_of(path, "LFW")
    if not find_files(list(walk_files(root)), _NAME):
        raise DataError(
            f"{root} holds no pictures of LFW (lfw/Aaron_Eckhart/Aaron_Eckhart_0001.jpg). Unpack lfw.tgz, and add the "
            "folder that holds lfw."
        )
    table = root / LFW_LABELS
    if not table.is_file():
        raise DataError(
            f"LFW says who is shown, and has no emotion labels; those of the mixture of FER2013 and LFW that papers "
            f"name were never published. With labels of your own, write them into {table}, the columns path and label "
            f"(lfw/Aaron_Eckhart/Aaron_Eckhart_0001.jpg,happiness); the labels are {', '.join(CLASSES)}."
        )
    own = own_table.find(table)
    names = _names(own)
    pictures = _read(root, own, context)
    places = np.array([CLASSES.index(name) for name in own.classes])
    missing = pictures.missing
    return parsed(
        pictures,
        [f"lfw-{printable(person)}_{number}" for person, number in names],
        places[own.listing.targets],
        {"subject": [printable(person) for person, _ in names]},
        [f"{len(missing):,} of {len(names):,} pictures are missing: {listed(missing)}"] if missing else [],
        [f"{len(names):,} of LFW's {PICTURES:,} pictures have a label in {LFW_LABELS}.", *own.notes, *_unused(own)],
    )


def _names(own: Own) -> list[tuple[str, str]]:
    """Person and number of each picture of the table. Raises DataError for what is not of LFW, or no emotion here."""
    strange = sorted(set(own.classes) - set(CLASSES))
    if strange:
        raise DataError(
            f"{LFW_LABELS} has the label {listed(strange)}; the data set lfw knows {', '.join(CLASSES)}. Other labels "
            f"can be had by csv:PATH/{LFW_LABELS}."
        )
    matches = [_NAME.search(f"/{file}") for file in own.listing.files]
    unknown = [file for file, match in zip(own.listing.files, matches, strict=True) if match is None]
    if unknown:
        raise DataError(
            f"{LFW_LABELS} names {listed(unknown)}, which is not named as LFW's pictures are "
            "(lfw/Aaron_Eckhart/Aaron_Eckhart_0001.jpg)."
        )
    names = [(match[1], match[2]) for match in matches if match is not None]
    if len(set(names)) < len(names):
        raise DataError(f"{LFW_LABELS} names a picture in several copies of LFW. Keep the lines of one copy.")
    return names


def _read(root: Path, own: Own, context: ReadContext) -> Pictures:
    """The face of each picture; what cannot be read, and with ``allow_partial`` what is not there, is left out."""
    checked = check_pictures(root, own.listing.files, context)
    files = [own.listing.files[row] for row in checked.kept]
    sizes = {form.size for form in picture_forms(root, files, context)} - {SIZE}
    if sizes:
        height, width = min(sizes)
        raise DataError(f"A picture that {LFW_LABELS} names has {width}×{height} pixels: LFW's have 250×250.")
    faces = read_faces(root, files, [BOX] * len(files), SIDE)
    return Pictures(faces.images, checked.kept[faces.kept], checked.corrupted + faces.corrupted, checked.missing)


def _unused(own: Own) -> list[str]:
    used = [*(["split"] if own.listing.origin is not None else []), *own.listing.groups]
    return [f"Columns that were not used (persons are known by the files): {listed(used)}."] if used else []
