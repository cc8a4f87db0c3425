"""Histograms of oriented gradients (Dalal and Triggs, CVPR 2005): what a quick classifier sees of a face."""

from __future__ import annotations

import numpy as np

from ferbench.auditing.pictures import SIDE

_CELL, _BINS = 8, 9
_CELLS = SIDE // _CELL
_CHUNK = 2048


def gradients_of(small: np.ndarray) -> np.ndarray:
    """Features of pictures (uint8 [n, 48, 48]): 6×6 cells of 8 pixels, 9 orientations, blocks of 2×2; float32 [n, 900].

    Each block has length one (L2).
    """
    parts = [_of_chunk(small[start : start + _CHUNK]) for start in range(0, len(small), _CHUNK)]
    return np.concatenate(parts) if parts else np.empty((0, (_CELLS - 1) ** 2 * 4 * _BINS), np.float32)


def _of_chunk(small: np.ndarray) -> np.ndarray:
    count = len(small)
    # The root of the grey values, which weakens the influence of light (section 6.1).
    down, right = np.gradient(np.sqrt(small.astype(np.float32)), axis=(1, 2))
    strength = np.hypot(down, right)
    turn = np.arctan2(down, right) % np.pi * (_BINS / np.pi)
    low = np.floor(turn).astype(np.int64)
    share = (turn - low).astype(np.float32)
    y, x = np.indices((SIDE, SIDE)) // _CELL
    cell = (np.arange(count)[:, None, None] * _CELLS + y) * _CELLS + x
    total = count * _CELLS * _CELLS * _BINS
    cells = np.zeros(total)
    for part, weight in ((low % _BINS, 1 - share), ((low + 1) % _BINS, share)):
        cells += np.bincount((cell * _BINS + part).ravel(), (strength * weight).ravel(), minlength=total)
    grid = cells.reshape(count, _CELLS, _CELLS, _BINS).astype(np.float32)
    blocks = np.concatenate([grid[:, :-1, :-1], grid[:, :-1, 1:], grid[:, 1:, :-1], grid[:, 1:, 1:]], axis=3)
    blocks /= np.maximum(np.linalg.norm(blocks, axis=3, keepdims=True), 1e-3)
    return blocks.reshape(count, -1)
