"""Every sample of a data set as one small grey picture, whether it lies in memory, streams, or is a clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ferbench.data.light import brightness, grey_values
from ferbench.data.stored import Loaded
from ferbench.data.streaming import read_sample
from ferbench.nouns.split import View

SIDE = 48
"""Height and width of the small pictures. Copies that were scaled or recompressed look alike at this size."""
_READERS = 2
_CHUNK = 4096

Told = Callable[[str], None]


@dataclass(frozen=True)
class Pictures:
    """What n samples look like.

    ``small``: uint8 [n, 48, 48], grey. ``mean`` and ``deviation``: float64 [n], of the grey values (0 to 255) at full
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
        mean=np.zeros(count),
        deviation=np.zeros(count),
        sizes=np.zeros((count, 2), np.int64),
        readable=np.zeros(count, dtype=bool),
    )
    source = (array[row] for row in rows) if array is not None else _decoded(loaded, rows)
    for index, picture in enumerate(source):
        if picture is None:
            continue
        one = (picture[(len(picture) - 1) // 2] if picture.ndim == 4 else picture)[None]
        found.small[index] = _shrunk(grey_values(one)[0])
        (found.mean[index],), (found.deviation[index],) = brightness(one)
        found.sizes[index] = one.shape[1:3]
        found.readable[index] = True
        if array is None and (index + 1) % 5000 == 0:
            told(f"{index + 1:,} of {count:,} files read …")
    return found


def _as_they_are(array: np.ndarray, rows: np.ndarray) -> Pictures:
    small = array[rows]
    return Pictures(small, *brightness(small), np.full((len(rows), 2), SIDE), np.ones(len(rows), dtype=bool))


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


def _shrunk(grey: np.ndarray) -> np.ndarray:
    method = Image.Resampling.BOX if min(grey.shape) >= SIDE else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(np.rint(grey).astype(np.uint8)).resize((SIDE, SIDE), method))
