"""Checks of finished models, which are scored and never trained."""

from __future__ import annotations

import numpy as np

from ferbench.checking.made_up import labels, spec_of, split_of
from ferbench.checking.report import Outcome, Subject, failed, passed, skipped
from ferbench.data.in_memory import ArraySplit
from ferbench.data.weights import weights_file
from ferbench.errors import DataError, TrainingError
from ferbench.evaluating.finished import built, prepared, probabilities, stored
from ferbench.nouns.model import Model
from ferbench.nouns.predictor import Predictor
from ferbench.running.initial import UnfitError, start_of
from ferbench.running.records import Configured
from ferbench.training.prepare import Preparer, training_statistics

COUNT = 8
RTOL = 1e-4
SIZES = (32, 48)
"""Sides of the made-up pictures: data sets differ, and the model or its recipe has to bring them to its own."""


def scores(subject: Subject[Model]) -> Outcome:
    """Grey and coloured pictures of several sizes give one distribution over its classes each."""
    predictor = _made(subject)
    if isinstance(predictor, Outcome):
        return predictor
    for channels in (1, 3):
        for size in SIZES:
            try:
                _scores(subject, predictor, _pictures(subject, channels, size))
            except TrainingError as error:
                return failed(f"{size} × {size} pixels, {channels} channels: {error}")
    return passed(f"{len(subject.item.classes)} classes, pictures of {' and '.join(map(str, SIZES))} pixels")


def company(subject: Subject[Model]) -> Outcome:
    """A picture's scores do not depend on the others that are predicted with it."""
    predictor = _made(subject)
    if isinstance(predictor, Outcome):
        return predictor
    split = _pictures(subject, spec_of(subject.item).channels, SIZES[-1])
    whole = _scores(subject, predictor, split)
    alone = np.concatenate([_scores(subject, predictor, split.take(np.array([index]))) for index in range(COUNT)])
    if not np.allclose(alone, whole, rtol=RTOL, atol=1e-5):
        return failed(f"predicted one by one, scores differ by up to {np.abs(alone - whole).max():.2g}")
    return passed(f"one by one, to {RTOL:g}")


def repeats(subject: Subject[Model]) -> Outcome:
    """Made twice, it scores the same, bit by bit."""
    made = [_made(subject), _made(subject)]
    split = _pictures(subject, spec_of(subject.item).channels, SIZES[-1])
    found = []
    for stir, predictor in enumerate(made):
        if isinstance(predictor, Outcome):
            return predictor
        np.random.seed(stir)
        found.append(_scores(subject, predictor, split))
    if not np.array_equal(found[0], found[1]):
        return failed(f"made twice, it scores differently, by up to {np.abs(found[0] - found[1]).max():.2g}")
    return passed("bit by bit")


def _made(subject: Subject[Model]) -> Predictor | Outcome:
    """The predictor, of the files on this machine; an outcome that says what is missing where something is."""
    model = subject.item
    configured = Configured(model, model.recipe, model.options.model_dump(mode="json"), ())
    try:
        start = start_of(configured, subject.installed, model.classes)
        files = {each.name: weights_file(each, start.hashes[each.name]) for each in model.weights}
    except (UnfitError, DataError) as error:
        return skipped(str(error))
    return built(model, files, model.options)


def _pictures(subject: Subject[Model], channels: int, size: int) -> ArraySplit:
    classes = len(subject.item.classes)
    shapes = dict.fromkeys(subject.item.inputs, (channels, size, size))
    return split_of(shapes, labels("hard", COUNT, classes), classes)


def _scores(subject: Subject[Model], predictor: Predictor, split: ArraySplit) -> np.ndarray:
    model = subject.item
    if model.raw:
        given = stored(split, model.inputs)
    else:
        settings = model.recipe.input
        statistics = training_statistics(split, settings) if settings.normalise == "mean-std" else None
        given = prepared(split, model.inputs, Preparer(settings, statistics, model.inputs))
    return np.concatenate([probabilities(model, predictor, inputs) for inputs in given])
