"""Deep features and visual words of the same pictures, side by side: rows, inner products, nearest rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse


@dataclass(frozen=True)
class Combined:
    """``deep``: float32 [n, d]; ``words``: float64 [n, w], w may be 0. The two together are a row of length one."""

    deep: np.ndarray
    words: sparse.csr_array

    def __len__(self) -> int:
        return len(self.deep)

    def rows(self, chosen: np.ndarray | slice) -> Combined:
        """Some of the rows."""
        return Combined(self.deep[chosen], self.words[chosen])

    def products(self, other: Combined) -> np.ndarray:
        """Inner products with another's rows, which are cosines: float64 [n, m]."""
        found: np.ndarray = (self.deep @ other.deep.T).astype(np.float64)
        if self.words.shape[1]:
            found += (self.words @ other.words.T).toarray()
        return found

    def joined(self) -> sparse.csr_array:
        """All in one sparse matrix, float64 [n, d + w]: behind a ReLU most deep features are zero."""
        return sparse.hstack([sparse.csr_array(self.deep.astype(np.float64)), self.words], format="csr")


def combined(features: Sequence[np.ndarray], words: sparse.csr_array | None) -> Combined:
    """Each block's rows are brought to length one, so that all count the same, then the rows of all together.

    ``features``: float32 [n, d] of each member; ``words``: float64 [n, w] of length one, or None. Deep features keep
    the precision of float16, in which they are stored.
    """
    share = 1 / np.sqrt(len(features) + (words is not None))
    deep = np.concatenate([unit(each) for each in features], axis=1) * np.float32(share)
    deep = deep.astype(np.float16).astype(np.float32)
    return Combined(deep, sparse.csr_array((len(deep), 0)) if words is None else sparse.csr_array(words * share))


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of Euclidean length one, float32 [n, d]; rows of zeros stay so."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: np.ndarray = (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return scaled


def coordinates(among: np.ndarray, with_them: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows as points in the space that they span, and other rows as seen from there.

    ``among``: the rows' inner products, float64 [k, k]; ``with_them``: those of other rows with them, float64 [m, k].
    Returns float64 [k, r] and [m, r], 1 ≤ r ≤ k: where all rows are zeros, all points are one. A linear machine
    trained on the k rows has its weights in their span, so it finds the same margins here as in all dimensions, of
    which there are thousands.
    """
    values, vectors = np.linalg.eigh(among)
    kept = values > 1e-6 * max(float(values[-1]), 1e-12)
    if not kept.any():
        return np.zeros((len(among), 1)), np.zeros((len(with_them), 1))
    axes = vectors[:, kept] / np.sqrt(values[kept])
    return among @ axes, with_them @ axes


def deep_of(inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """The members' features in the order of their roles."""
    return [inputs[role] for role in sorted(inputs) if role.startswith("member-")]
