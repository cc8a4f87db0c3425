"""Descriptors of grey pictures that need no training: local binary patterns and oriented gradients."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from skimage.feature import hog, local_binary_pattern

from ferbench import Problem, SettingsError

NEIGHBOURS = 8
PATTERNS = NEIGHBOURS * (NEIGHBOURS - 1) + 3
"""Uniform patterns of eight neighbours, one bin each, and one bin for all others: 59."""

CHUNK = 512


def binary_patterns(pictures: np.ndarray, rows: int, columns: int, radius: float) -> sparse.csr_array:
    """Histograms of uniform local binary patterns in a grid of regions, float64 [n, rows · columns · 59].

    Each region's histogram sums to one, and its square root is taken, so that the inner product of two pictures is the
    Bhattacharyya similarity of their histograms. ``pictures``: uint8 [n, height, width]. Raises SettingsError for
    pictures with fewer pixels than regions. Shan, Gong & McOwan 2009, sections 3 and 4.
    """
    _, height, width = pictures.shape
    if height < rows or width < columns:
        raise _too_small("lbp-svm", max(rows, columns), f"a grid of {rows} × {columns} regions")
    down, across = np.arange(height) * rows // height, np.arange(width) * columns // width
    regions = down[:, None] * columns + across
    bins = rows * columns * PATTERNS
    pixels = np.bincount(regions.ravel(), minlength=rows * columns)
    found = []
    for start in range(0, len(pictures), CHUNK):
        part = pictures[start : start + CHUNK]
        codes = np.stack([_patterns(picture, radius) for picture in part])
        places = (np.arange(len(part))[:, None, None] * bins + regions * PATTERNS + codes.astype(np.int64)).ravel()
        counts = np.bincount(places, minlength=len(part) * bins).reshape(len(part), rows * columns, PATTERNS)
        found.append(sparse.csr_array(np.sqrt(counts / pixels[:, None]).reshape(len(part), bins)))
    return sparse.vstack(found, format="csr")


def _patterns(picture: np.ndarray, radius: float) -> np.ndarray:
    found: np.ndarray = local_binary_pattern(picture, NEIGHBOURS, radius, "nri_uniform")  # type: ignore[no-untyped-call]
    return found


def oriented_gradients(pictures: np.ndarray, cell: int, block: int, orientations: int) -> np.ndarray:
    """Histograms of oriented gradients, float64 [n, features], blocks normalised by L2-Hys.

    ``pictures``: uint8 [n, height, width]; ``cell``: pixels along a cell's side; ``block``: cells along a block's.
    Raises SettingsError for pictures smaller than a block. Dalal & Triggs 2005.
    """
    if min(pictures.shape[1:]) < cell * block:
        raise _too_small("hog-svm", cell * block, f"blocks of {block} × {block} cells of {cell} pixels")
    settings = {"pixels_per_cell": (cell, cell), "cells_per_block": (block, block), "block_norm": "L2-Hys"}
    return np.stack([hog(picture, orientations=orientations, **settings) for picture in pictures])


def _too_small(name: str, least: int, why: str) -> SettingsError:
    return SettingsError([Problem("recipe.input.size", f"{name} needs pictures of {least} pixels or more for {why}.")])
