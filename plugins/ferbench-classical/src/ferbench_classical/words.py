"""Bags of visual words: dense SIFT descriptors, a vocabulary of their cluster centres, and who is present where."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import sparse
from sklearn.cluster import MiniBatchKMeans
from sklearn.metrics import pairwise_distances_argmin

from ferbench import Problem, SettingsError

CELL_OF_SIZE = 1.5
"""OpenCV draws each of a descriptor's 4 × 4 cells 1.5 times as wide as its keypoint's size."""

CHUNK = 256
SAMPLED = 200_000


def dense_sift(pictures: np.ndarray, step: int, cell: int) -> np.ndarray:
    """SIFT descriptors on a grid, upright and of one size, float32 [n, points, 128] of length one.

    ``pictures``: uint8 [n, height, width]. ``step``: pixels between two points, ``cell``: pixels along each of the
    4 × 4 cells around a point. Flat surroundings give zeros. Raises SettingsError for pictures without a point.
    """
    _, height, width = pictures.shape
    points = [cv2.KeyPoint(float(x), float(y), cell / CELL_OF_SIZE, 0.0) for y, x in grid(height, width, step).tolist()]
    sift = cv2.SIFT.create()
    found = np.empty((len(pictures), len(points), 128), np.float32)
    for index, picture in enumerate(pictures):
        found[index] = sift.compute(np.ascontiguousarray(picture), points)[1]
    lengths = np.linalg.norm(found, axis=2, keepdims=True)
    scaled: np.ndarray = found / np.maximum(lengths, 1.0)
    return scaled


def grid(height: int, width: int, step: int) -> np.ndarray:
    """Where descriptors are taken: int64 [points, 2], row and column, centred in the picture."""
    down, across = (np.arange(side % step // 2 or step // 2, side, step) for side in (height, width))
    if not len(down) or not len(across):
        raise SettingsError([Problem("recipe.input.size", f"bags of words need pictures of {step} pixels or more.")])
    return np.stack(np.meshgrid(down, across, indexing="ij"), axis=-1).reshape(-1, 2)


def learn_vocabulary(pictures: np.ndarray, words: int, step: int, cell: int, seed: int) -> np.ndarray:
    """Cluster centres of descriptors drawn from all pictures, float32 [words, 128]; fewer where there are fewer."""
    rng = np.random.default_rng(seed)
    height, width = pictures.shape[1:]
    points = len(grid(height, width, step))
    each = min(points, -(-SAMPLED // len(pictures)))
    drawn = []
    for start in range(0, len(pictures), CHUNK):
        descriptors = dense_sift(pictures[start : start + CHUNK], step, cell)
        chosen = rng.permuted(np.tile(np.arange(points), (len(descriptors), 1)), axis=1)[:, :each]
        drawn.append(np.take_along_axis(descriptors, chosen[:, :, None], axis=1).reshape(-1, 128))
    sample = rng.permutation(np.concatenate(drawn))[:SAMPLED]
    known = len(np.unique(sample[: 4 * words], axis=0))
    clusters = MiniBatchKMeans(min(words, known), batch_size=4096, n_init=1, random_state=seed)
    centres: np.ndarray = clusters.fit(sample).cluster_centers_
    return np.ascontiguousarray(centres, np.float32)


def presence(pictures: np.ndarray, vocabulary: np.ndarray, step: int, cell: int, levels: int) -> sparse.csr_array:
    """Which words each part of a spatial pyramid has, float64 [n, parts · words], rows of length one.

    Level ``l`` divides the picture into (l + 1) × (l + 1) parts. A word counts once, however often a part has it
    (Ionescu, Popescu & Grozea 2013).
    """
    height, width = pictures.shape[1:]
    parts = _parts_of(height, width, step, levels)
    count, size = int(parts.max()) + 1, len(vocabulary)
    found = []
    for start in range(0, len(pictures), CHUNK):
        descriptors = dense_sift(pictures[start : start + CHUNK], step, cell)
        nearest = pairwise_distances_argmin(descriptors.reshape(-1, 128), vocabulary).reshape(len(descriptors), -1)
        columns = (parts[None] * size + nearest[:, None, :]).reshape(len(descriptors), -1)
        rows = np.repeat(np.arange(len(descriptors), dtype=np.int32), columns.shape[1])
        shape = (len(descriptors), count * size)
        present = sparse.csr_array((np.ones(columns.size), (rows, columns.ravel().astype(np.int32))), shape)
        present.sum_duplicates()
        present.data[:] = 1
        lengths = np.sqrt(np.diff(present.indptr))
        present.data /= np.repeat(lengths, np.diff(present.indptr))
        found.append(present)
    return sparse.vstack(found, format="csr")


def _parts_of(height: int, width: int, step: int, levels: int) -> np.ndarray:
    """The part of each level that each grid point lies in, int64 [levels, points], numbered through."""
    places, first, found = grid(height, width, step), 0, []
    for side in range(1, levels + 1):
        row, column = places[:, 0] * side // height, places[:, 1] * side // width
        found.append(first + row * side + column)
        first += side * side
    return np.stack(found)
