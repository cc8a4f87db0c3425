"""Classic methods on pixels, and the floor. Their state is arrays; predictions are computed from these alone."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ferbench.errors import TrainingError
from ferbench.nouns.model import FitContext, TrainingData

NEAR_ZERO = 1e-6
"""What lengths, spreads and distances are kept above before something is divided by them."""


class _FromState:
    """An estimator that predicts from its arrays and a few numbers, nothing else."""

    def __init__(self) -> None:
        self._arrays: dict[str, np.ndarray] = {}
        self._numbers: dict[str, int] = {}

    def state(self) -> tuple[Mapping[str, np.ndarray], Mapping[str, Any]]:
        """Everything that :meth:`restore` needs."""
        return self._arrays, self._numbers

    def restore(self, arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any]) -> None:
        """Become the estimator whose state this is."""
        self._arrays, self._numbers = dict(arrays), {name: int(value) for name, value in plain.items()}


class Majority(_FromState):
    """The mean target of the training samples, whatever the input.

    For a single label that is each class's frequency, so the most frequent class is always predicted. Where several
    labels are accepted, frequencies are scaled to a sum of one.
    """

    def fit(self, data: TrainingData, context: FitContext) -> None:
        """Average the targets, by weight. Raises TrainingError where no sample has any."""
        weights = _weights(data, "majority")
        votes = _votes(data.targets, len(context.classes))
        mean = weights @ votes / weights.sum()
        if context.task == "single-label" and data.targets.ndim == 2:
            mean = mean / mean.sum()
        self._arrays = {"mean": mean}

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The same scores float64 [n, k] for each sample."""
        n = len(next(iter(inputs.values())))
        return np.tile(self._arrays["mean"], (n, 1))


class LogisticRegression(_FromState):
    """Multinomial logistic regression on pixels that are standardised one by one.

    ``penalty`` is the L2 penalty beside the mean loss, so that it means the same for any number of samples.
    ``iterations`` of L-BFGS at most; on pixels it is stopped by them before it converges, which regularises as well.
    """

    def __init__(self, *, penalty: float, iterations: int) -> None:
        super().__init__()
        self._penalty = penalty
        self._iterations = iterations

    def fit(self, data: TrainingData, context: FitContext) -> None:
        """Fit on hard labels. Raises TrainingError where fewer than two classes have samples."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression as Regression

        weights = _weights(data, "logistic-regression")
        kept = weights > 0
        present = np.unique(data.targets[kept])
        if len(present) < 2:
            only = context.classes[int(present[0])]
            raise TrainingError(f"logistic-regression needs samples of two classes or more; here all are {only!r}.")
        pixels = _pixels(data.inputs)[kept]
        mean, spread = pixels.mean(axis=0), np.maximum(pixels.std(axis=0), NEAR_ZERO)
        regression = Regression(C=1 / (self._penalty * weights.sum()), max_iter=self._iterations)
        with _threads(context.threads), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            regression.fit((pixels - mean) / spread, data.targets[kept], sample_weight=weights[kept])
        slopes, offsets = regression.coef_, regression.intercept_
        if len(present) == 2:
            slopes, offsets = np.vstack([0 * slopes, slopes]), np.concatenate([0 * offsets, offsets])
        self._arrays = {
            "mean": mean,
            "spread": spread,
            # In C order, as they come back from disk: products of other layouts differ in the last bit.
            "slopes": np.ascontiguousarray(slopes, np.float32),
            "offsets": offsets.astype(np.float32),
            "present": present,
        }
        self._numbers = {"classes": len(context.classes)}

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Probabilities float64 [n, k]; zero for classes that the training split does not have."""
        own = self._arrays
        with _threads(1):
            logits = ((_pixels(inputs) - own["mean"]) / own["spread"]) @ own["slopes"].T + own["offsets"]
        grown = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
        scores = np.zeros((len(grown), self._numbers["classes"]))
        scores[:, own["present"]] = grown / grown.sum(axis=1, keepdims=True)
        return scores


class Neighbours(_FromState):
    """Votes of the nearest training samples, each by the inverse of its distance.

    Each picture loses its mean and is scaled to length one, so brightness and contrast do not count. Principal
    components of these are whitened, so that fine detail counts as much as the side the light comes from, and scaled
    to length one again: the distance grows with the angle between two whitened pictures. Training samples are kept in
    half precision, and searched as such from the first prediction on.
    """

    def __init__(self, *, neighbours: int, components: int) -> None:
        super().__init__()
        self._neighbours = neighbours
        self._components = components

    def fit(self, data: TrainingData, context: FitContext) -> None:
        """Keep the training samples. Raises TrainingError for fewer samples than neighbours, or for equal pictures."""
        weights = _weights(data, "knn")
        kept = weights > 0
        if kept.sum() < max(self._neighbours, 2):
            raise TrainingError(
                f"knn asks {self._neighbours} neighbours, but only {kept.sum()} training samples have any weight. "
                "Give it more of them, or set model.options.neighbours lower."
            )
        pictures = _without_contrast(_pixels(data.inputs)[kept])
        with _threads(context.threads):
            mean, whitening = _principal_components(pictures, self._components)
        self._arrays = {
            "mean": mean,
            "whitening": whitening,
            "votes": (_votes(data.targets, len(context.classes)) * weights[:, None])[kept].astype(np.float32),
        }
        self._numbers = {"neighbours": self._neighbours}
        self._arrays["points"] = self._placed(pictures).astype(np.float16)

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Shares of the vote, float64 [n, k]."""
        from sklearn.neighbors import NearestNeighbors

        own = self._arrays
        queries = self._placed(_without_contrast(_pixels(inputs)))
        with _threads(1):
            search = NearestNeighbors(n_neighbors=self._numbers["neighbours"], algorithm="brute")
            distances, nearest = search.fit(own["points"].astype(np.float32)).kneighbors(queries)
        closeness = 1 / np.maximum(distances.astype(np.float64), NEAR_ZERO)
        shares = np.einsum("qn,qnk->qk", closeness, own["votes"][nearest].astype(np.float64))
        normalised: np.ndarray = shares / shares.sum(axis=1, keepdims=True)
        return normalised

    def _placed(self, pictures: np.ndarray) -> np.ndarray:
        """Where pictures lie among the training samples: float32 [n, components], of length one."""
        with _threads(1):
            whitened = (pictures - self._arrays["mean"]) @ self._arrays["whitening"]
        return _of_length_one(whitened)


def _principal_components(pictures: np.ndarray, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean [d] and whitening matrix [d, components], from the eigenvectors of the pixels' covariance."""
    mean = pictures.mean(axis=0)
    centred = (pictures - mean).astype(np.float64)
    variances, directions = np.linalg.eigh(centred.T @ centred / len(pictures))
    variances, directions = variances[::-1][:wanted], directions[:, ::-1][:, :wanted]
    if variances[0] < NEAR_ZERO**2:
        raise TrainingError("knn cannot compare the training pictures: but for brightness and contrast all are equal.")
    useful = variances > NEAR_ZERO * variances[0]
    # In C order, as it comes back from disk: products of other layouts differ in the last bit.
    return mean, np.ascontiguousarray(directions[:, useful] / np.sqrt(variances[useful]), np.float32)


def _pixels(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Pictures as rows, float32 [n, pixels]."""
    images = inputs["image"]
    return images.reshape(len(images), -1).astype(np.float32, copy=False)


def _without_contrast(pixels: np.ndarray) -> np.ndarray:
    return _of_length_one(pixels - pixels.mean(axis=1, keepdims=True))


def _of_length_one(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: np.ndarray = rows / np.maximum(lengths, NEAR_ZERO)
    return scaled


def _votes(targets: np.ndarray, classes: int) -> np.ndarray:
    """Targets as float64 [n, k]; class indices become ones and zeros."""
    if targets.ndim == 2:
        return targets.astype(np.float64)
    votes: np.ndarray = np.eye(classes)[targets]
    return votes


def _weights(data: TrainingData, name: str) -> np.ndarray:
    """Weight of each sample, float64 [n]. Raises TrainingError where none counts."""
    n = len(data.targets)
    weights = np.ones(n) if data.weights is None else data.weights.astype(np.float64)
    if not (weights > 0).any():
        raise TrainingError(f"{name} has no training sample with a weight above zero.")
    return weights


def _threads(count: int) -> Any:
    """Hold linear algebra to ``count`` threads. Predictions use one, so that they never depend on the machine."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(count)
