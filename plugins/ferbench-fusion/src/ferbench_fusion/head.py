"""The trained fusion: one softmax layer on what the members say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ferbench import FitContext, TrainingData, TrainingError

SMALLEST = 1e-6
"""Probabilities below this count as this, so that one certain member does not outvote all others by infinity."""

NEVER = -30.0
"""Bias of a class of which there was no sample to fit on."""


class FusionHead:
    """Multinomial logistic regression on the members' log probabilities.

    A member's log probabilities are its logits up to a number that all classes share, so the average of logits is one
    of the heads that can be found; others weigh members differently for each class. ``penalty``: L2 penalty beside the
    mean loss. For m members and k classes it has (m · k + 1) · k parameters.
    """

    def __init__(self, *, penalty: float, **options: Any) -> None:
        self._penalty = penalty
        self._arrays: dict[str, np.ndarray] = {}

    def fit(self, data: TrainingData, context: FitContext) -> None:
        """Fit on hard labels. Raises TrainingError where fewer than two classes have samples."""
        from sklearn.linear_model import LogisticRegression

        x = _joined(data.inputs)
        if len(np.unique(data.targets)) < 2:
            raise TrainingError("The fusion head needs samples of two classes or more to fit on.")
        fitted = LogisticRegression(C=1 / (self._penalty * len(x)), max_iter=1000)
        fitted.fit(x, data.targets, sample_weight=data.weights)
        two = len(fitted.classes_) == 2
        weights = np.zeros((len(context.classes), x.shape[1]))
        bias = np.full(len(context.classes), NEVER)
        weights[fitted.classes_] = np.concatenate([-fitted.coef_, fitted.coef_]) / 2 if two else fitted.coef_
        bias[fitted.classes_] = (
            np.concatenate([-fitted.intercept_, fitted.intercept_]) / 2 if two else fitted.intercept_
        )
        self._arrays = {"weights": weights, "bias": bias}

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Probabilities float64 [n, classes] for members' probabilities float32 [n, classes] by role."""
        logits = _joined(inputs) @ self._arrays["weights"].T + self._arrays["bias"]
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores: np.ndarray = raised / raised.sum(axis=1, keepdims=True)
        return scores

    def state(self) -> tuple[Mapping[str, np.ndarray], Mapping[str, Any]]:
        """The layer's weights."""
        return self._arrays, {}

    def restore(self, arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any]) -> None:
        """Become the head whose state this is."""
        self._arrays = dict(arrays)


def _joined(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Log probabilities of all members side by side, float64 [n, members · classes], in the order of their roles."""
    scores = [inputs[role] for role in sorted(inputs)]
    logs: np.ndarray = np.log(np.concatenate(scores, axis=1).astype(np.float64).clip(min=SMALLEST))
    return logs
