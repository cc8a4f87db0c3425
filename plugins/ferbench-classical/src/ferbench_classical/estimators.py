"""The classical baselines as estimators: what describes a picture, and the machine behind it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse
from threadpoolctl import threadpool_limits

from ferbench import FitContext, Problem, SettingsError, TrainingData, TrainingError
from ferbench_classical import svm
from ferbench_classical.svm import Arrays, Features


class _Described(ABC):
    """Pictures become features, and a support vector machine tells them apart. Its state is arrays and two counts."""

    def __init__(self, *, cost: float) -> None:
        self._cost = cost
        self._arrays: Arrays = {}
        self._counts: dict[str, int] = {}

    def fit(self, data: TrainingData, context: FitContext) -> None:
        """Learn what describes a picture, then the machine. Raises TrainingError for samples of fewer than two classes.

        Raises SettingsError for pictures that are not grey and between 0 and 1.
        """
        pictures = _grey(data.inputs)
        weights = np.ones(len(pictures)) if data.weights is None else data.weights.astype(np.float64)
        kept = weights > 0
        if len(np.unique(data.targets[kept])) < 2:
            raise TrainingError("A support vector machine needs training samples of two classes or more.")
        self._counts = {"classes": len(context.classes)}
        with threadpool_limits(context.threads):
            self._arrays = self._learnt(pictures[kept], context.seed)
            features = self._described(pictures[kept])
            self._separate(features, data.targets[kept], weights[kept], context.seed)

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Probabilities float64 [n, k]; zero for classes that the training split does not have."""
        with threadpool_limits(1):
            return self._scores(self._described(_grey(inputs)))

    def state(self) -> tuple[Mapping[str, np.ndarray], Mapping[str, Any]]:
        """Everything that :meth:`restore` needs."""
        return self._arrays, self._counts

    def restore(self, arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any]) -> None:
        """Become the estimator whose state this is."""
        self._arrays, self._counts = dict(arrays), {name: int(value) for name, value in plain.items()}

    def _learnt(self, pictures: np.ndarray, seed: int) -> Arrays:
        """What :meth:`_described` needs of training pictures, uint8 [n, height, width]; here nothing."""
        return {}

    @abstractmethod
    def _described(self, pictures: np.ndarray) -> Features:
        """Features of pictures, [n, d]."""

    def _separate(self, features: Features, targets: np.ndarray, weights: np.ndarray, seed: int) -> None:
        self._arrays |= svm.fit_svm(features, targets, weights, self._cost)

    def _scores(self, features: Features) -> np.ndarray:
        return svm.svm_scores(features, self._arrays, self._counts["classes"])


class _WithKernel(_Described):
    """A machine that is linear, or sees similarities to landmarks (``kernel="rbf"``)."""

    def __init__(self, *, cost: float, kernel: str, landmarks: int, gamma: float) -> None:
        super().__init__(cost=cost)
        self._landmarks = landmarks if kernel == "rbf" else 0
        self._gamma = gamma

    def _separate(self, features: Features, targets: np.ndarray, weights: np.ndarray, seed: int) -> None:
        if self._landmarks:
            self._arrays |= svm.learn_landmarks(features, self._landmarks, self._gamma, seed)
        super()._separate(svm.placed(features, self._arrays), targets, weights, seed)

    def _scores(self, features: Features) -> np.ndarray:
        return super()._scores(svm.placed(features, self._arrays))


class BinaryPatternSVM(_WithKernel):
    """Local binary patterns in a grid of regions."""

    def __init__(self, *, rows: int, columns: int, radius: float, **machine: Any) -> None:
        super().__init__(**machine)
        self._grid, self._radius = (rows, columns), radius

    def _described(self, pictures: np.ndarray) -> Features:
        from ferbench_classical.textures import binary_patterns

        return binary_patterns(pictures, *self._grid, self._radius)


class GradientSVM(_WithKernel):
    """Histograms of oriented gradients."""

    def __init__(self, *, cell: int, block: int, orientations: int, **machine: Any) -> None:
        super().__init__(**machine)
        self._settings = {"cell": cell, "block": block, "orientations": orientations}

    def _described(self, pictures: np.ndarray) -> Features:
        from ferbench_classical.textures import oriented_gradients

        return oriented_gradients(pictures, **self._settings)


class PartSVM(_WithKernel):
    """Codes of a non-negative matrix factorisation."""

    def __init__(self, *, parts: int, passes: int, **machine: Any) -> None:
        super().__init__(**machine)
        self._parts, self._passes = parts, passes

    def _learnt(self, pictures: np.ndarray, seed: int) -> Arrays:
        from ferbench_classical.parts import learn_parts

        return {"parts": learn_parts(_rows(pictures), self._parts, self._passes, seed)}

    def _described(self, pictures: np.ndarray) -> Features:
        from ferbench_classical.parts import codes

        return codes(_rows(pictures), self._arrays["parts"])


class WordSVM(_Described):
    """Presence of visual words in a spatial pyramid; ``neighbours`` above 0: a machine for each picture to predict."""

    def __init__(self, *, words: int, step: int, cell: int, levels: int, neighbours: int, cost: float) -> None:
        super().__init__(cost=cost)
        self._words, self._neighbours = words, neighbours
        self._grid, self._levels = {"step": step, "cell": cell}, levels

    def _learnt(self, pictures: np.ndarray, seed: int) -> Arrays:
        from ferbench_classical.words import learn_vocabulary

        return {"vocabulary": learn_vocabulary(pictures, self._words, seed=seed, **self._grid)}

    def _described(self, pictures: np.ndarray) -> Features:
        from ferbench_classical.words import presence

        return presence(pictures, self._arrays["vocabulary"], levels=self._levels, **self._grid)

    def _separate(self, features: Features, targets: np.ndarray, weights: np.ndarray, seed: int) -> None:
        if not self._neighbours:
            super()._separate(features, targets, weights, seed)
            return
        from ferbench_classical.local import local_temperature

        training = sparse.csr_array(features)
        found = local_temperature(training, targets, weights, self._counts["classes"], self._neighbours, self._cost)
        self._counts["features"] = training.shape[1]
        self._arrays |= {
            "values": training.data,
            "columns": training.indices,
            "starts": training.indptr,
            "targets": targets.astype(np.int64),
            "weights": weights,
            "temperature": np.array([found]),
        }

    def _scores(self, features: Features) -> np.ndarray:
        if not self._neighbours:
            return super()._scores(features)
        from ferbench_classical.local import local_margins, local_scores

        own = self._arrays
        shape = (len(own["targets"]), self._counts["features"])
        training = sparse.csr_array((own["values"], own["columns"], own["starts"]), shape)
        values = local_margins(
            sparse.csr_array(features),
            training,
            own["targets"],
            own["weights"],
            self._counts["classes"],
            self._neighbours,
            self._cost,
        )
        return local_scores(values, float(own["temperature"][0]))


def _grey(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Pictures as uint8 [n, height, width]. Raises SettingsError where they are not grey and between 0 and 1."""
    images = inputs["image"]
    if images.shape[1] != 1:
        raise SettingsError([Problem("recipe.input.channels", "this method sees grey pictures; set it to 1.")])
    if len(images) and (images.min() < -1e-3 or images.max() > 1 + 1e-3):
        raise SettingsError(
            [Problem("recipe.input.normalise", 'this method sees values from 0 to 1; set it to "unit".')]
        )
    return np.round(images[:, 0] * 255).clip(0, 255).astype(np.uint8)


def _rows(pictures: np.ndarray) -> np.ndarray:
    """Pictures as rows, float32 [n, pixels], from 0 to 1."""
    return pictures.reshape(len(pictures), -1).astype(np.float32) / 255
