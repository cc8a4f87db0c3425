"""Multi-PIE: one frontal picture of every recording, flash from the front."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ferbench import DataError, Parsed, ReadContext
from ferbench_faces.counts import count_faults
from ferbench_faces.lab_files import find_files, folder_of, once, walk_files
from ferbench_faces.lab_parsed import parsed
from ferbench_faces.pictures import printable, read_pictures

CLASSES = ("neutral", "smile", "surprise", "squint", "disgust", "scream")
"""The set's own names: a smile and a scream are no emotions."""

EXPRESSIONS = {
    ("01", "01"): "neutral",
    ("01", "02"): "smile",
    ("02", "01"): "neutral",
    ("02", "02"): "surprise",
    ("02", "03"): "squint",
    ("03", "01"): "neutral",
    ("03", "02"): "smile",
    ("03", "03"): "disgust",
    ("04", "01"): "neutral",
    ("04", "02"): "neutral",
    ("04", "03"): "scream",
}
"""What session and recording show."""

COUNTS = {"neutral": 1160, "smile": 479, "surprise": 203, "squint": 203, "disgust": 230, "scream": 239}
"""Recordings of 249, 203, 230 and 239 people in the four sessions (Gross et al. 2010)."""

SIZE = (240, 320)
"""Half of a picture's height and width."""

_NAME = re.compile(r"(\d{3})_(\d{2})_(\d{2})_051_07\.(?:png|jpe?g)", re.ASCII)
_OTHER_CAMERAS = re.compile(r"(?!05_1)\d\d_\d", re.ASCII)


def read(path: Path | None, context: ReadContext) -> Parsed:
    """Read the pictures of camera 05_1 under flash 07, wherever below the folder they lie.

    Raises DataError that names a picture of a recording that Multi-PIE has not.
    """
    root = folder_of(path, "Multi-PIE")
    found = once(find_files(list(walk_files(root, _OTHER_CAMERAS)), _NAME), "Multi-PIE")
    if not found:
        raise DataError(
            f"{root} holds no frontal picture of Multi-PIE (001_01_01_051_07.png, in "
            "session01/multiview/001/01/05_1). Add the folder that holds session01 to session04."
        )
    keys = sorted(found)
    for key in keys:
        if key[1:] not in EXPRESSIONS:
            raise DataError(f"{printable(found[key])}: Multi-PIE has no session {key[1]} with a recording {key[2]}.")
    names = [EXPRESSIONS[key[1], key[2]] for key in keys]
    faults = count_faults({name: names.count(name) for name in CLASSES}, COUNTS, "pictures")
    pictures = read_pictures(root, [found[key] for key in keys], SIZE, False, context)
    targets = np.array([CLASSES.index(name) for name in names], dtype=np.int64)
    groups = {"subject": [key[0] for key in keys]}
    sessions = {"session": [key[1] for key in keys]}
    return parsed(pictures, [f"multi-pie-{'_'.join(key)}" for key in keys], targets, groups, faults, columns=sessions)
