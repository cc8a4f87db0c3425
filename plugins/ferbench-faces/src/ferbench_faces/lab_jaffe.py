"""JAFFE: 213 pictures of ten Japanese women, named by subject, expression and number."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import numpy as np

from ferbench import DataError, Parsed, ReadContext
from ferbench_faces.counts import count_faults
from ferbench_faces.lab_files import find_files, folder_of, lacking, once, walk_files
from ferbench_faces.lab_parsed import parsed
from ferbench_faces.pictures import SUFFIXES, printable, read_pictures

EXPRESSIONS = {
    "AN": "anger",
    "DI": "disgust",
    "FE": "fear",
    "HA": "happiness",
    "SA": "sadness",
    "SU": "surprise",
    "NE": "neutral",
}
CLASSES = tuple(EXPRESSIONS.values())
COUNTS = dict(zip(CLASSES, (30, 29, 32, 31, 31, 30, 30), strict=True))
SUBJECTS = ("KA", "KL", "KM", "KR", "MK", "NA", "NM", "TM", "UY", "YM")

_NAME = re.compile(r"([A-Z]{2})\.([A-Z]{2})(\d)\.(\d{1,3})\.(?:tiff?|jpe?g|png|bmp)", re.ASCII)


def read(path: Path | None, context: ReadContext) -> Parsed:
    """Read JAFFE, wherever below the folder its pictures lie.

    Raises DataError that names a picture whose name does not say whom and what it shows.
    """
    root = folder_of(path, "JAFFE")
    files = list(walk_files(root))
    found = find_files(files, _NAME)
    if not found:
        raise DataError(f"{root} holds no pictures of JAFFE (KA.AN1.39.tiff). Add the folder jaffe of the download.")
    named = {item.file for item in found}
    strange = [f for f in files if PurePosixPath(f).suffix.lower() in SUFFIXES and f not in named]
    if strange:
        raise DataError(f"{printable(strange[0])} is not named as JAFFE's pictures are (KA.AN1.39.tiff). Remove it.")
    pictures = once(found, "JAFFE")
    for (subject, code, *_), file in pictures.items():
        if code not in EXPRESSIONS or subject not in SUBJECTS:
            what = f"subject {subject}" if subject not in SUBJECTS else f"expression {code}"
            known = SUBJECTS if subject not in SUBJECTS else EXPRESSIONS
            raise DataError(f"{printable(file)}: JAFFE has no {what}, only {', '.join(known)}.")
    keys = sorted(pictures)
    codes = list(EXPRESSIONS)
    targets = np.array([codes.index(key[1]) for key in keys], dtype=np.int64)
    counts = {name: int((targets == label).sum()) for label, name in enumerate(CLASSES)}
    subjects = [key[0] for key in keys]
    faults = count_faults(counts, COUNTS, "pictures")
    faults += lacking("subjects without a picture", [name for name in SUBJECTS if name not in subjects])
    images = read_pictures(root, [pictures[key] for key in keys], None, False, context)
    ids = [f"jaffe-{key[0]}.{key[1]}{key[2]}.{key[3]}" for key in keys]
    return parsed(images, ids, targets, {"subject": subjects}, faults)
