"""FER2013 as pictures in folders: ``train/<emotion>/*.jpg`` and ``test/<emotion>/*.jpg``."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import PurePosixPath

import numpy as np

from ferbench import DataError, DownloadEntry
from ferbench_fer2013.official import MERGED, PRIVATE, PUBLIC, TRAINING

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
SIDE = 48
_MOST_BYTES = 1 << 20
_EMOTIONS = (
    ("angry", "anger"),
    ("disgust", "disgusted"),
    ("fear", "fearful"),
    ("happy", "happiness"),
    ("sad", "sadness"),
    ("surprise", "surprised"),
    ("neutral",),
)
_LABELS = {name: label for label, names in enumerate(_EMOTIONS) for name in (*names, str(label))}
_FOLDERS = {
    "train": TRAINING,
    "training": TRAINING,
    "test": MERGED,
    "publictest": PUBLIC,
    "privatetest": PRIVATE,
}
_ORDER = (TRAINING, PUBLIC, PRIVATE, MERGED)
_NAMED = re.compile(r"(Training|PublicTest|PrivateTest)[_-]", re.IGNORECASE)
_USAGES = {usage.lower(): usage for usage in _ORDER}


@dataclass(frozen=True)
class Picture:
    """One face: ``name`` is its id within the data set."""

    name: str
    usage: str
    label: int
    pixels: np.ndarray


def is_picture(path: PurePosixPath) -> bool:
    """Whether a file is a picture by its name."""
    return path.suffix.lower() in SUFFIXES


def read_picture(entry: DownloadEntry) -> Picture:
    """Read a face, uint8 [48, 48]; its place and name tell label and split.

    Raises DataError when the folders' names tell neither, or when it is no picture of 48×48 pixels.
    """
    parts = [part.lower() for part in entry.path.parts]
    emotion = parts[-2] if len(parts) > 1 else ""
    if emotion not in _LABELS:
        known = ", ".join(names[0] for names in _EMOTIONS)
        raise DataError(f"{entry.label} lies in a folder {emotion!r}, which is no emotion of FER2013 ({known}).")
    prefix = _NAMED.match(entry.path.name)
    folder = next((part for part in reversed(parts[:-2]) if part in _FOLDERS), "")
    if prefix:
        usage = _USAGES[prefix[1].lower()]
        name = f"{emotion}/{entry.path.stem}"
    elif folder:
        usage = _FOLDERS[folder]
        name = f"{folder}/{emotion}/{entry.path.stem}"
    else:
        raise DataError(
            f"{entry.label} tells neither by a folder train or test nor by its own name which split it belongs to."
        )
    return Picture(name, usage, _LABELS[emotion], _decoded(entry))


def _decoded(entry: DownloadEntry) -> np.ndarray:
    from PIL import Image

    with entry.open() as stream:
        content = stream.read(_MOST_BYTES)
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "BMP")) as image:
            size = image.size
            # The size is known before a pixel is unpacked.
            pixels = np.asarray(image.convert("L")) if size == (SIDE, SIDE) else None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise DataError(f"{entry.label} is damaged, or no picture. Download the copy again.") from None
    if pixels is None:
        raise DataError(f"{entry.label} has {size[0]}×{size[1]} pixels instead of 48×48: this is an altered copy.")
    return pixels


def in_order(pictures: Sequence[Picture]) -> list[Picture]:
    """Pictures by split and name; all test pictures as one split if the names of any are lost.

    Raises DataError when two have one name.
    """
    lost = any(picture.usage == MERGED for picture in pictures)
    merged = [replace(p, usage=MERGED) if lost and p.usage in (PUBLIC, PRIVATE) else p for p in pictures]
    ordered = sorted(merged, key=lambda picture: (_ORDER.index(picture.usage), picture.name))
    for one, other in pairwise(ordered):
        if one.name == other.name:
            raise DataError(f"Two pictures are called {one.name!r}: the folder holds the data set more than once.")
    return ordered
