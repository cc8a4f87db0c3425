"""Faces cut out of frames by their landmarks; the middle of a frame where there are none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ferbench import DataError
from ferbench_faces.pictures import Pictures, UnreadableError, decode_picture, inside, listed, printable

Box = tuple[int, int, int, int]
"""Left, top, right, bottom, in pixels."""

SIDE = 224
MARGIN = 1.25
"""A face's box is a quarter larger than its landmarks, as Adebayo (2021) enlarges the boxes of a detector."""

FAR = 5000.0
"""Landmarks beyond so many pixels are damaged: a box about them would not fit in memory."""


def are_landmarks(points: np.ndarray) -> bool:
    """Whether these are landmarks, pairs of numbers that can lie in a frame."""
    return points.ndim == 2 and points.shape[1] == 2 and len(points) > 0 and bool((np.abs(points) < FAR).all())


def face_box(points: np.ndarray) -> Box:
    """The square about landmarks (float [n, 2], x and y), a quarter larger than they reach."""
    low, high = points.min(axis=0), points.max(axis=0)
    middle, half = (low + high) / 2, float((high - low).max()) * MARGIN / 2
    left, top = np.floor(middle - half).astype(int)
    side = max(1, round(2 * half))
    return int(left), int(top), int(left) + side, int(top) + side


def middle_box(height: int, width: int) -> Box:
    """The square in the middle of a frame."""
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def cut(frame: np.ndarray, box: Box | None = None, side: int = SIDE) -> np.ndarray:
    """Cut ``box`` (None: the middle square) out of a frame, uint8 [height, width], as uint8 [side, side], bilinear.

    What of the box lies outside of the frame is black.
    """
    from PIL import Image

    region = Image.fromarray(frame).crop(box or middle_box(*frame.shape))
    return np.array(region.resize((side, side), Image.Resampling.BILINEAR))


def read_faces(root: Path, files: Sequence[str], boxes: Sequence[Box | None], side: int = SIDE) -> Pictures:
    """Read the box of each file, grey, uint8 [n, side, side]; what cannot be read is left out and named.

    Raises DataError when nothing can be read.
    """
    images, kept, corrupted = [], [], []
    for place, (file, box) in enumerate(zip(files, boxes, strict=True)):
        try:
            frame = decode_picture(inside(root, file), None, colour=False)
        except UnreadableError as error:
            corrupted.append(f"{printable(file)}: {error}")
            continue
        images.append(cut(frame, box, side))
        kept.append(place)
    if not images:
        raise DataError(f"None of the {len(files):,} pictures below {root} can be read: {listed(corrupted)}.")
    return Pictures(np.stack(images), np.array(kept, dtype=np.int64), tuple(corrupted))
