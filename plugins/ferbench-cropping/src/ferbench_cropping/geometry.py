"""From a face's place in a picture to a square picture of it."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ferbench import DataError

MARGIN = 0.25
"""By how much the square is larger than the face, as in Emotion-FAN's preparation (Meng et al. 2019)."""

TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)

"""x and y of both eyes, nose and corners of the mouth in an aligned picture of 112×112 pixels (InsightFace)."""

_TEMPLATE_SIDE = 112


def square_around(box: np.ndarray, margin: float = MARGIN) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the square around a face's ``box`` (float [4]), with the same centre.

    Its side is the longer one of the box, larger by ``margin``; it may reach beyond the picture.
    """
    left, top, right, bottom = (float(edge) for edge in box)
    side = max(1, round(max(right - left, bottom - top) * (1 + margin)))
    x, y = round((left + right - side) / 2), round((top + bottom - side) / 2)
    return x, y, x + side, y + side


def cut(picture: np.ndarray, box: tuple[int, int, int, int], size: int) -> np.ndarray:
    """Cut ``box`` out of a picture, uint8 [h, w] or [h, w, 3], and make it ``size`` pixels high and wide.

    Outside of the picture its edge is repeated.
    """
    left, top, right, bottom = box
    rows = np.clip(np.arange(top, bottom), 0, picture.shape[0] - 1)
    columns = np.clip(np.arange(left, right), 0, picture.shape[1] - 1)
    return _resized(picture[rows[:, None], columns], (size, size))


def align(picture: np.ndarray, landmarks: np.ndarray, size: int) -> np.ndarray:
    """Turn, scale and move a picture, uint8 [h, w] or [h, w, 3], so that its five landmarks come to lie on TEMPLATE.

    ``landmarks``: x and y, float [5, 2]. Returns ``size``×``size`` pixels; outside of the picture its edge is repeated.
    """
    from scipy.ndimage import affine_transform

    goal = TEMPLATE * size / _TEMPLATE_SIDE
    factor, _ = similarity(landmarks, goal)
    if abs(factor) < 1:
        # Interpolation looks at four neighbours only: a large face is made small first, with all of its pixels.
        height, width = (max(1, round(side * abs(factor))) for side in picture.shape[:2])
        landmarks = (landmarks + 0.5) * np.array([width, height]) / np.array(picture.shape[1::-1]) - 0.5
        picture = _resized(picture, (height, width))
    factor, shift = similarity(goal, landmarks)
    # Rows before columns: (y, x) of the picture for each (y, x) of the result.
    turn = np.array([[factor.real, factor.imag], [-factor.imag, factor.real]])
    channels = picture.reshape(*picture.shape[:2], -1)
    warped = [
        affine_transform(channels[..., number], turn, (shift.imag, shift.real), (size, size), order=1, mode="nearest")
        for number in range(channels.shape[2])
    ]
    return np.stack(warped, axis=-1).reshape(size, size, *picture.shape[2:])


def similarity(points: np.ndarray, goal: np.ndarray) -> tuple[complex, complex]:
    """The turn and scale ``a`` and the shift ``b`` that bring ``points`` nearest to ``goal``, each float [n, 2].

    A point is the complex number x + iy, and a·z + b its new place, by least squares. Raises DataError where all
    points are one.
    """
    start, end = points[:, 0] + 1j * points[:, 1], goal[:, 0] + 1j * goal[:, 1]
    around, wanted = start - start.mean(), end - end.mean()
    spread = float((np.abs(around) ** 2).sum())
    if spread == 0:
        raise DataError("Eyes, nose and mouth of a face lie at the same place: it cannot be aligned.")
    factor = complex((around.conj() * wanted).sum() / spread)
    return factor, complex(end.mean() - factor * start.mean())


def tinted(picture: np.ndarray, colour: bool) -> np.ndarray:
    """The same picture as uint8 [h, w, 3], or in grey (ITU-R 601) as [h, w]."""
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[..., 0]
    if (picture.ndim == 3) == colour:
        return picture
    return np.array(Image.fromarray(picture).convert("RGB" if colour else "L"))


def _resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``size``: height and width. Bilinear, over all pixels when it shrinks."""
    if picture.shape[:2] == size:
        return picture
    return np.array(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR))
