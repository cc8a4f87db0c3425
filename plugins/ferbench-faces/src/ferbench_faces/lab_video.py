"""Frames of videos, one after another, by OpenCV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ferbench import DataError
from ferbench_faces.pictures import UnreadableError


def grey_frames(path: Path) -> Iterator[np.ndarray]:
    """Yield every frame of a video, uint8 [height, width], luminance.

    Frames are counted as they come: headers state numbers that are not true, and OpenCV ends without a word where a
    file is cut short. Raises UnreadableError where there is no frame at all, DataError without OpenCV.
    """
    cv2 = _opencv()
    video = cv2.VideoCapture(str(path))
    found = False
    try:
        while True:
            there, frame = video.read()
            if not there:
                break
            found = True
            yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
    finally:
        video.release()
    if not found:
        raise UnreadableError("it is no video, or one that OpenCV cannot decode")


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise DataError(
            f"Videos need OpenCV, which cannot be imported ({error}): pip install 'ferbench-faces[video]'"
        ) from None
    return cv2
