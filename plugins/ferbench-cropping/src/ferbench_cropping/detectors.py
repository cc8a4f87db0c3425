"""Three face detectors whose weights come with their packages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ferbench import DataError
from ferbench_cropping.geometry import tinted


@dataclass(frozen=True)
class Face:
    """A face in a picture: ``box`` is left, top, right and bottom, float [4].

    ``landmarks``: x and y of both eyes, nose and corners of the mouth, float [5, 2], where the detector finds them.
    """

    box: np.ndarray
    landmarks: np.ndarray | None = None


Find = Callable[[np.ndarray], list[Face]]
"""All faces in a picture, uint8 [h, w] or [h, w, 3]."""


@dataclass(frozen=True)
class Detector:
    """``find`` looks for faces; ``made_by`` is the package that does it, and its version."""

    find: Find
    made_by: str


def detector(name: str) -> Detector:
    """Load a detector, on the processor. Raises DataError that says what to install where it is not there."""
    from importlib.metadata import version

    load, package, needed = _DETECTORS[name]
    try:
        find = load()
        return Detector(find, f"{package} {version(package)}")
    except (ImportError, AttributeError) as error:
        raise DataError(
            f"The face detector {name} needs {needed}, which cannot be used ({error}): "
            f"pip install 'ferbench-cropping[{name}]'"
        ) from error


def largest(faces: list[Face]) -> Face | None:
    """The face that covers most; of several alike the one further left, then further up."""
    return max(faces, key=lambda face: (_area(face.box), *(-face.box)), default=None)


def _area(box: np.ndarray) -> float:
    return float((box[2] - box[0]) * (box[3] - box[1]))


def _haar() -> Find:
    import cv2.data

    # Gone from OpenCV 5.
    return partial(_haar_faces, cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml"))


def _haar_faces(cascade: Any, picture: np.ndarray) -> list[Face]:
    """Viola and Jones (2001), with OpenCV's own defaults of a tenth between sizes; five neighbours must agree."""
    boxes = cascade.detectMultiScale(tinted(picture, colour=False), scaleFactor=1.1, minNeighbors=5)
    return [Face(np.array([x, y, x + width, y + height], dtype=float)) for x, y, width, height in boxes]


def _mtcnn() -> Find:
    from facenet_pytorch import MTCNN

    return partial(_mtcnn_faces, MTCNN(keep_all=True))


def _mtcnn_faces(network: Any, picture: np.ndarray) -> list[Face]:
    """Zhang et al. (2016), with the package's own thresholds."""
    if min(picture.shape[:2]) < network.min_face_size:
        return []  # it fails on a picture that is smaller than the smallest face it looks for
    boxes, _, landmarks = network.detect(tinted(picture, colour=True), landmarks=True)
    if boxes is None:
        return []
    return [
        Face(np.asarray(box, dtype=float), np.asarray(points, dtype=float))
        for box, points in zip(boxes, landmarks, strict=True)
    ]


def _hog() -> Find:
    import dlib

    return partial(_hog_faces, dlib.get_frontal_face_detector())


def _hog_faces(search: Any, picture: np.ndarray) -> list[Face]:
    """Dlib's oriented gradients, on the picture at twice its size: at its own, faces below 80 pixels are not found."""
    boxes = search(np.ascontiguousarray(tinted(picture, picture.ndim == 3 and picture.shape[2] == 3)), 1)
    return [Face(np.array([box.left(), box.top(), box.right() + 1, box.bottom() + 1], dtype=float)) for box in boxes]


_DETECTORS: dict[str, tuple[Callable[[], Find], str, str]] = {
    "haar": (_haar, "opencv-python-headless", "OpenCV below version 5"),
    "mtcnn": (_mtcnn, "facenet-pytorch", "facenet-pytorch"),
    "hog": (_hog, "dlib-bin", "dlib"),
}
"""By name: what loads it, the package that it comes from, and how people call that."""
