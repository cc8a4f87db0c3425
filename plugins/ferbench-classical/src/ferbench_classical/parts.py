"""Non-negative matrix factorisation: pictures as sums of parts."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.decomposition import MiniBatchNMF, non_negative_factorization
from sklearn.exceptions import ConvergenceWarning

from ferbench import TrainingError

SWEEPS = 50
"""Sweeps of coordinate descent over a picture's code: a fixed number, so that it depends on no other picture."""

CHUNK = 4096


def learn_parts(pixels: np.ndarray, count: int, passes: int, seed: int) -> np.ndarray:
    """``count`` parts whose non-negative sums come close to the pictures, float32 [count, pixels], of largest value 1.

    ``pixels``: float32 [n, pixels], none below zero. Minimises the squared difference in ``passes`` over the pictures
    (Lee & Seung 1999). Raises TrainingError where all pictures are black, which no part has a share in.
    """
    if not pixels.any():
        raise TrainingError("All training pictures are black, so that they have no parts.")
    factorisation = MiniBatchNMF(
        min(count, *pixels.shape), init="nndsvda", batch_size=1024, max_iter=passes, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        factorisation.fit(pixels)
    parts = factorisation.components_
    largest = parts.max(axis=1, keepdims=True)
    return np.ascontiguousarray(parts[largest[:, 0] > 0] / largest[largest[:, 0] > 0], np.float32)


def codes(pixels: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """How much of each part a picture holds, float32 [n, parts], none below zero."""
    found = []
    for start in range(0, len(pixels), CHUNK):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            found.append(
                non_negative_factorization(
                    pixels[start : start + CHUNK],
                    H=parts,
                    n_components=len(parts),
                    init="custom",
                    update_H=False,
                    solver="cd",
                    tol=0.0,
                    max_iter=SWEEPS,
                )[0]
            )
    return np.concatenate(found)
