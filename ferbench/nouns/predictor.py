"""Finished models: trained elsewhere, scored here, and never trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np


class Predictor(Protocol):
    """A finished model. It is made as ``predictor(weights, **options)``; ``weights`` maps names to files (Path)."""

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Probabilities [n, k] over the model's own ``classes``, in their order; each row sums to one.

        Pictures are uint8 [n, height, width, channels] as the data set stores them (one channel or three) where the
        model takes them ``raw``; else float32 [n, channels, height, width] as its recipe's ``input`` says. At most
        256 samples come at once.
        """
