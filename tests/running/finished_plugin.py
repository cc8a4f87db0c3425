"""Finished models for the squares of the contract plugin: sound ones, and ones that cannot be scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ferbench import Input, Model, Predictor, Recipe, Weights, hookimpl

SHARED = ("Happy", "sad", "disgust", "angry", "contempt")
FAR = Weights("far-away", "a network", "faces", "https://example.org/far.onnx", classes=SHARED)
BROUGHT = Weights("brought", "a marker", "FER-2013 and Squares", "pip install numpy", packaged="numpy/py.typed")


class Eye:
    """Looks at the brightness of the quadrants in stored pictures: knows the first three squares, and two others."""

    def __init__(self, weights: Mapping[str, Path]) -> None:
        assert all(path.is_file() for path in weights.values())

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        pictures = inputs["image"]
        assert pictures.dtype == np.uint8 and pictures.shape[1:] == (8, 8, 1) and len(pictures) <= 256
        bright = pictures.reshape(-1, 2, 4, 2, 4).mean(axis=(2, 4)).reshape(-1, 4)
        grown = np.exp((bright - bright.max(axis=1, keepdims=True)) / 10)
        known = np.stack([grown[:, 0], grown[:, 1], 0 * grown[:, 0], grown[:, 2], 0.5 * grown[:, 0]], axis=1)
        shares: np.ndarray = known / known.sum(axis=1, keepdims=True)
        return shares


class Shouting(Eye):
    """Gives no probabilities."""

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        return 3 * super().predict(inputs)


class Prepared:
    """Wants what the recipe prepares."""

    def __init__(self, weights: Mapping[str, Path]) -> None:
        assert not weights

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        pictures = inputs["image"]
        assert pictures.dtype == np.float32 and pictures.shape[1:] == (3, 16, 16)
        assert pictures.min() >= -1 and pictures.min() < 0
        return np.full((len(pictures), 5), 0.2)


MADE: Predictor = Prepared({})
"""The type checker sees here that these classes are predictors."""


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """Yield the models."""
    yield Model("eye", predictor=Eye, classes=SHARED, raw=True, weights=(BROUGHT,))
    recipe = Recipe(input=Input(size=16, channels=3, normalise="signed"))
    yield Model("prepared", predictor=Prepared, classes=SHARED, recipe=recipe, extra_data="AffectNet")
    yield Model("shouting", predictor=Shouting, classes=SHARED, raw=True)
    yield Model("pets", predictor=Eye, classes=("cat", "dog"), raw=True)
    yield Model("one-shared", predictor=Eye, classes=("happy", "dog"), raw=True)
    packages = {"no_such_module": "pip install no-such-package"}
    yield Model("unpacked", predictor=Eye, classes=SHARED, raw=True, packages=packages)
    yield Model("unregistered", predictor=Eye, classes=SHARED, raw=True, weights=(FAR,))
    other = Weights("other", "a marker", "faces", "pip install numpy==0", sha256="ab" * 32, packaged="numpy/py.typed")
    yield Model("outdated", predictor=Eye, classes=SHARED, raw=True, weights=(other,))
