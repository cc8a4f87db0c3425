"""How bright pictures and clips are, and which values stand out among many."""

from __future__ import annotations

import numpy as np

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in a grey value (ITU-R BT.601)."""

WHISKER = 1.5
_AT_ONCE = 1 << 22
"""Pixels that are worked on together."""


def grey_values(pictures: np.ndarray) -> np.ndarray:
    """Grey values, float32 [n, ...], of uint8 [n, height, width], or of [n, ..., height, width, channels].

    Of three channels it is their luma (ITU-R BT.601), of fewer the first one.
    """
    if pictures.ndim <= 3:
        return pictures.astype(np.float32)
    if pictures.shape[-1] < len(LUMA):
        return pictures[..., 0].astype(np.float32)
    return np.asarray(pictures[..., :3] @ np.asarray(LUMA, np.float32), np.float32)


def brightness(pictures: np.ndarray, mask: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the grey values (0 to 255) of each picture or clip: float64 [n] each.

    ``pictures``: uint8 [n, height, width], [n, height, width, channels] or [n, frames, height, width, channels].
    ``mask``: bool [n, frames], which frames are real; the others do not count. Exact: of equal pixels the deviation
    is 0.
    """
    count = len(pictures)
    means, deviations = np.empty(count), np.empty(count)
    step = max(1, _AT_ONCE // max(1, pictures[:1].size))
    for start in range(0, count, step):
        part = slice(start, start + step)
        values = grey_values(pictures[part])
        values = values.reshape(len(values), len(values[0]) if pictures.ndim == 5 else 1, -1)
        real = np.ones(values.shape[:2]) if mask is None else np.asarray(mask[part], np.float64)
        pixels = real.sum(axis=1) * values.shape[2]
        means[part] = (values.sum(axis=2, dtype=np.float64) * real).sum(axis=1) / pixels
        squares = np.square(values - means[part, None, None]).sum(axis=2)
        deviations[part] = np.sqrt((squares * real).sum(axis=1) / pixels)
    return means, deviations


def whiskers(values: np.ndarray, reach: float = WHISKER) -> tuple[float, float]:
    """The ends of a box plot's whiskers: ``reach`` interquartile ranges beyond the quartiles (Tukey 1977)."""
    first, third = np.quantile(values, [0.25, 0.75])
    return float(first - reach * (third - first)), float(third + reach * (third - first))
