"""Every sample of a data set as one small grey picture, whether it lies in memory, streams, or is a clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ferbench.data.registry import Loaded
from ferbench.data.streaming import read_sample
from ferbench.nouns.split import View

SIDE = 48
"""Height and width of the small pictures. Copies that were scaled or recompressed look alike at this size."""
LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the brightness (ITU-R BT.601)."""
_READERS = 2
_CHUNK = 4096

Told = Callable[[str], None]


@dataclass(frozen=True)
class Pictures:
    """What n samples look like.

    ``small``: uint8 [n, 48, 48], grey. ``mean`` and ``deviation``: float32 [n], of the grey values (0 to 255) at full
    size. ``sizes``: int64 [n, 2], height and width. ``readable``: bool [n]; all else is zero where it is False.
    """

    small: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    sizes: np.ndarray
    readable: np.ndarray


def pictures_of(loaded: Loaded, rows: np.ndarray, told: Told) -> Pictures:
    """Look at the samples ``rows`` (int64 [n]) of images or clips, of a clip at its middle frame.

    ``told`` hears how far it is, where samples must be read from files. What cannot be read is marked, not raised.
    """
    array = None if loaded.inputs is None else next(iter(loaded.inputs.values()))
    if array is not None and array.ndim == 3 and array.shape[1:] == (SIDE, SIDE):
        return _as_they_are(array, rows)
    count = len(rows)
    found = Pictures(
        small=np.zeros((count, SIDE, SIDE), np.uint8),
        mean=np.zeros(count, np.float32),
        deviation=np.zeros(count, np.float32),
        sizes=np.zeros((count, 2), np.int64),
        readable=np.zeros(count, dtype=bool),
    )
    source = (array[row] for row in rows) if array is not None else _decoded(loaded, rows)
    for index, picture in enumerate(source):
        if picture is None:
            continue
        grey = _grey(picture)
        found.small[index] = _shrunk(grey)
        found.mean[index], found.deviation[index] = grey.mean(), grey.std()
        found.sizes[index] = grey.shape
        found.readable[index] = True
        if array is None and (index + 1) % 5000 == 0:
            told(f"{index + 1:,} of {count:,} files read …")
    return found


def _as_they_are(array: np.ndarray, rows: np.ndarray) -> Pictures:
    small = array[rows]
    parts = [small[i : i + _CHUNK].reshape(-1, SIDE * SIDE).astype(np.float32) for i in range(0, len(rows), _CHUNK)]
    return Pictures(
        small=small,
        mean=np.concatenate([part.mean(axis=1) for part in parts]),
        deviation=np.concatenate([part.std(axis=1) for part in parts]),
        sizes=np.full((len(rows), 2), SIDE),
        readable=np.ones(len(rows), dtype=bool),
    )


def _decoded(loaded: Loaded, rows: np.ndarray) -> Iterator[np.ndarray | None]:
    """The samples of a streamed data set in order; None for one that cannot be read."""

    def read(row: int) -> np.ndarray | None:
        try:
            sample = read_sample(loaded, row, View(frames=1), np.random.default_rng(0))
            return np.asarray(next(iter(sample.values())))
        except Exception:  # a plugin's decoder on a damaged file may raise anything; the audit counts it
            return None

    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(rows), _CHUNK):  # so that no more than these wait in memory
            yield from pool.map(read, rows[start : start + _CHUNK].tolist())


def _grey(picture: np.ndarray) -> np.ndarray:
    """Grey values, float32 [height, width], of [h, w], [h, w, channels], or the middle of [frames, h, w, channels]."""
    if picture.ndim == 4:
        picture = picture[(len(picture) - 1) // 2]
    if picture.ndim == 2:
        return picture.astype(np.float32)
    if picture.shape[2] < len(LUMA):
        return picture[:, :, 0].astype(np.float32)
    return np.asarray(picture[:, :, :3] @ np.asarray(LUMA, np.float32), np.float32)


def _shrunk(grey: np.ndarray) -> np.ndarray:
    method = Image.Resampling.BOX if min(grey.shape) >= SIDE else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(np.rint(grey).astype(np.uint8)).resize((SIDE, SIDE), method))
