"""Finished models that score splits: nothing of them is trained here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from ferbench.data.matching import match_classes
from ferbench.data.weights import weights_file
from ferbench.errors import PluginError, TrainingError
from ferbench.evaluating.setup import Setup
from ferbench.nouns.model import Model
from ferbench.nouns.predictor import Predictor
from ferbench.nouns.reference import resolve
from ferbench.nouns.settings import Options
from ferbench.nouns.split import Split, View
from ferbench.nouns.views import TestViews
from ferbench.training.feed import open_feed
from ferbench.training.pixels import channels_first, is_picture
from ferbench.training.prepare import Preparer

AT_ONCE = 256
SUM_TOLERANCE = 1e-3


@dataclass
class PredictorScorer:
    """A finished model and how to feed it. Test-time views do not apply to it."""

    setup: Setup
    predictor: Predictor
    preparer: Preparer

    def scores(self, split: Split, tta: TestViews | None = None) -> np.ndarray:
        """Probabilities float32 [n, k] over the split's own classes. Raises TrainingError for faulty scores.

        Raises DataError where the split's classes and the model's have fewer than two in common.
        """
        model = self.setup.model
        if tta is not None and tta.name != "none":
            raise TrainingError(f"{model.full_name} is a finished model; test-time views do not apply to it.")
        matching = match_classes(model.classes, split.classes)
        given = stored(split, model.inputs) if model.raw else prepared(split, model.inputs, self.preparer)
        parts = [probabilities(model, self.predictor, inputs) for inputs in given]
        return matching.apply(np.concatenate(parts))


def stored(split: Split, names: tuple[str, ...]) -> Iterator[dict[str, np.ndarray]]:
    """Pictures as the data set stores them, uint8 [n, height, width, channels] by name; other inputs as they are."""
    rng = np.random.default_rng(0)
    for rows in _rows(split):
        inputs = split.batch(rows, View(), rng).inputs
        yield {name: _channels_last(np.asarray(inputs[name])) for name in names}


def prepared(split: Split, names: tuple[str, ...], preparer: Preparer) -> Iterator[dict[str, np.ndarray]]:
    """Pictures as the recipe's ``input`` says, float32 [n, channels, height, width] by name."""
    feed = open_feed(split, preparer.settings, torch.device("cpu"), 0)
    try:
        for batch in feed.batches(_rows(split), View(), (0,)):
            inputs = preparer.test(batch).inputs
            yield {name: inputs[name].contiguous().numpy() for name in names}
    finally:
        feed.close()


def probabilities(model: Model, predictor: Predictor, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """What a finished model says, float64 [n, k]. Raises TrainingError unless it is one distribution a sample."""
    count = len(next(iter(inputs.values())))
    scores = np.asarray(predictor.predict(inputs), np.float64)
    if scores.shape != (count, len(model.classes)):
        wanted = (count, len(model.classes))
        raise TrainingError(f"{model.full_name} returned scores of shape {scores.shape}, not {wanted}.")
    bad = ~np.isfinite(scores).all(axis=1) | (scores < -SUM_TOLERANCE).any(axis=1)
    bad |= np.abs(np.nan_to_num(scores).sum(axis=1) - 1) > SUM_TOLERANCE
    if bad.any():
        first = ", ".join(f"{value:.4g}" for value in scores[np.flatnonzero(bad)[0]])
        raise TrainingError(
            f"{model.full_name} gave scores that are no probabilities for {int(bad.sum())} of {count} samples, such as "
            f"{first}: they are to lie within 0 and 1 and to sum to one."
        )
    return np.maximum(scores, 0)


def make_predictor(setup: Setup) -> Predictor:
    """The cell's finished model, of the files with which the cell was planned. Raises DataError where one is gone."""
    hashes = setup.record["row"]["weights"]
    files = {each.name: weights_file(each, hashes[each.name]) for each in setup.model.weights}
    return built(setup.model, files, setup.model_options)


def built(model: Model, files: Mapping[str, object], options: Options) -> Predictor:
    """Make a predictor. Raises PluginError when it is none."""
    predictor: Predictor = resolve(model.predictor)(files, **options.model_dump())
    if not callable(getattr(predictor, "predict", None)):
        raise PluginError(f"predictor of {model.full_name} returned {type(predictor).__name__}, which cannot predict.")
    return predictor


def _rows(split: Split) -> list[np.ndarray]:
    rows = np.arange(len(split))
    return [rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE)]


def _channels_last(values: np.ndarray) -> np.ndarray:
    if not is_picture(values):
        return values
    return np.ascontiguousarray(channels_first(torch.from_numpy(np.ascontiguousarray(values))).permute(0, 2, 3, 1))
