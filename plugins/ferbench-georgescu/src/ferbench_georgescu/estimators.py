"""Linear support vector machines over deep features and visual words: one for all pictures, or one for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ferbench_classical.svm import fit_svm, fitted, margins, softmax, svm_scores, temperature_of
from ferbench_classical.words import learn_vocabulary, presence
from scipy import sparse
from threadpoolctl import threadpool_limits

from ferbench import FitContext, Problem, SettingsError, TrainingData, TrainingError
from ferbench_georgescu.combined import Combined, combined, coordinates, deep_of

CHUNK = 256
TRIED = 300
"""Training pictures that set the temperature, each predicted from its neighbours without itself."""


class LocalLearner:
    """``neighbours`` above 0: a machine for each picture, of its nearest training pictures; 0: one machine for all."""

    def __init__(
        self, *, neighbours: int, cost: float, words: int, step: int, cell: int, levels: int, **members: Any
    ) -> None:
        self._neighbours, self._cost = neighbours, cost
        self._words, self._levels = words, levels
        self._grid = {"step": step, "cell": cell}
        self._arrays: dict[str, np.ndarray] = {}
        self._counts: dict[str, int] = {}

    def fit(self, data: TrainingData, context: FitContext) -> None:
        """Learn the words, then the machine, or keep the training pictures.

        Raises TrainingError for samples of fewer than two classes, SettingsError for pictures that are not grey and
        between 0 and 1.
        """
        weights = np.ones(len(data.targets)) if data.weights is None else data.weights.astype(np.float64)
        kept = weights > 0
        inputs, targets, weights = {name: x[kept] for name, x in data.inputs.items()}, data.targets[kept], weights[kept]
        if len(np.unique(targets)) < 2:
            raise TrainingError("A support vector machine needs training samples of two classes or more.")
        self._counts = {"classes": len(context.classes)}
        with threadpool_limits(context.threads):
            if self._words:
                vocabulary = learn_vocabulary(_grey(inputs), self._words, seed=context.seed, **self._grid)
                self._arrays = {"vocabulary": vocabulary}
            rows = self._described(inputs)
            if not self._neighbours:
                self._arrays |= fit_svm(rows.joined(), targets, weights, self._cost)
                return
            self._keep(rows, targets, weights)
            self._arrays["temperature"] = np.array([self._temperature(rows, targets, weights)])

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Probabilities float64 [n, k]; zero for classes that no training picture, or none of the nearest, has."""
        own = self._arrays
        with threadpool_limits(1):
            rows = self._described(inputs)
            if not self._neighbours:
                return svm_scores(rows.joined(), own, self._counts["classes"])
            values = self._margins(rows, self._kept(), own["targets"], own["weights"])
        return softmax(values / own["temperature"][0])

    def state(self) -> tuple[Mapping[str, np.ndarray], Mapping[str, Any]]:
        """Vocabulary, and the machine or the training pictures' features."""
        return self._arrays, self._counts

    def restore(self, arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any]) -> None:
        """Become the estimator whose state this is."""
        self._arrays, self._counts = dict(arrays), {name: int(value) for name, value in plain.items()}

    def _described(self, inputs: Mapping[str, np.ndarray]) -> Combined:
        words = None
        if self._words:
            words = presence(_grey(inputs), self._arrays["vocabulary"], levels=self._levels, **self._grid)
        return combined(deep_of(inputs), words)

    def _keep(self, rows: Combined, targets: np.ndarray, weights: np.ndarray) -> None:
        self._counts["columns"] = rows.words.shape[1]
        self._arrays |= {
            "deep": rows.deep.astype(np.float16),
            "words_values": rows.words.data,
            "words_columns": rows.words.indices,
            "words_starts": rows.words.indptr,
            "targets": targets.astype(np.int64),
            "weights": weights,
        }

    def _kept(self) -> Combined:
        own = self._arrays
        words = sparse.csr_array(
            (own["words_values"], own["words_columns"], own["words_starts"]),
            (len(own["targets"]), self._counts["columns"]),
        )
        return Combined(own["deep"].astype(np.float32), words)

    def _margins(
        self, rows: Combined, training: Combined, targets: np.ndarray, weights: np.ndarray, themselves: bool = False
    ) -> np.ndarray:
        """Margins of one machine a row, of its nearest training rows: float64 [n, classes].

        −inf for classes that no neighbour has, and 0 for one that all have. ``themselves``: the rows stand in
        ``training``, and each leaves its nearest row, itself, out.
        """
        found = np.full((len(rows), self._counts["classes"]), -np.inf)
        first = int(themselves)
        for start in range(0, len(rows), CHUNK):
            products = rows.rows(slice(start, start + CHUNK)).products(training)
            nearest = np.argsort(-products, axis=1, kind="stable")[:, first : first + self._neighbours]
            for row, near in enumerate(nearest):
                labels = targets[near]
                if (labels == labels[0]).all():
                    found[start + row, labels[0]] = 0.0
                    continue
                others = training.rows(near)
                points, point = coordinates(others.products(others), products[[row]][:, near])
                machine = fitted(points, labels, weights[near], self._cost)
                found[start + row, machine["present"]] = margins(point, machine)[0]
        return found

    def _temperature(self, rows: Combined, targets: np.ndarray, weights: np.ndarray) -> float:
        tried = np.unique(np.linspace(0, len(targets) - 1, TRIED).astype(int))
        values = self._margins(rows.rows(tried), rows, targets, weights, themselves=True)
        return temperature_of(values, targets[tried], weights[tried])


def _grey(inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """Pictures as uint8 [n, height, width]. Raises SettingsError where they are not grey and between 0 and 1."""
    images = inputs["image"]
    if images.shape[1] != 1:
        raise SettingsError([Problem("recipe.input.channels", "visual words are of grey pictures; set it to 1.")])
    if len(images) and (images.min() < -1e-3 or images.max() > 1 + 1e-3):
        message = 'visual words are of values from 0 to 1; set it to "unit".'
        raise SettingsError([Problem("recipe.input.normalise", message)])
    return np.round(images[:, 0] * 255).clip(0, 255).astype(np.uint8)
