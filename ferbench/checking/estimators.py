"""Checks of models that train themselves."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from ferbench.checking.made_up import class_names, spec_of, task_of
from ferbench.checking.report import Outcome, Subject, failed, first_fault, passed
from ferbench.checking.trial import NUMERICS, given_of, preparer_of, required_of, samples_for
from ferbench.nouns.model import Estimator, FitContext, Model, TrainingData
from ferbench.nouns.reference import resolve
from ferbench.nouns.split import View
from ferbench.training.feed import open_feed

TRAINING, TEST = 120, 12
RTOL = 1e-4


def fits(subject: Subject[Model]) -> Outcome:
    """Fitted on a few pictures, it gives finite scores [samples, classes]; probabilities where labels are single."""
    faults = []
    counts = sorted({2, spec_of(subject.item).classes, 8})
    for classes in counts:
        estimator = _fitted(subject, classes)
        scores = np.asarray(estimator.predict(_inputs(subject, TEST, classes, 1)))
        if scores.shape != (TEST, classes):
            faults.append(f"scores of shape {list(scores.shape)} for {TEST} pictures and {classes} classes")
        elif not np.isfinite(scores).all():
            faults.append(f"scores that are not finite ({classes} classes)")
        elif task_of(subject.item) in ("single-label", "soft-labels") and not _probabilities(scores):
            faults.append(f"scores that are no probabilities ({classes} classes): not within 0 and 1, or no sum of one")
    return first_fault(faults, good=f"{', '.join(map(str, counts))} classes, {TRAINING} pictures")


def _probabilities(scores: np.ndarray) -> bool:
    within = bool((scores >= -1e-6).all() and (scores <= 1 + 1e-6).all())
    return within and bool(np.allclose(scores.sum(axis=1), 1, atol=1e-4))


def company(subject: Subject[Model]) -> Outcome:
    """A picture's scores do not depend on the others that are predicted with it."""
    estimator, classes = _fitted(subject), spec_of(subject.item).classes
    inputs = _inputs(subject, TEST, classes, 1)
    whole = np.asarray(estimator.predict(inputs))
    rows = [np.array([index]) for index in range(TEST)]
    alone = np.concatenate(
        [np.asarray(estimator.predict({name: value[row] for name, value in inputs.items()})) for row in rows]
    )
    if not np.allclose(alone, whole, rtol=RTOL, atol=1e-6):
        return failed(f"predicted one by one, scores differ by up to {np.abs(alone - whole).max():.2g}")
    return passed(f"one by one, to {RTOL:g}")


def restored(subject: Subject[Model]) -> Outcome:
    """Its state, written as arrays and JSON and read into a fresh one, predicts the same, bit by bit."""
    estimator, classes = _fitted(subject), spec_of(subject.item).classes
    inputs = _inputs(subject, TEST, classes, 1)
    before = np.asarray(estimator.predict(inputs))
    arrays, plain = estimator.state()
    with tempfile.TemporaryDirectory(prefix="ferbench-check-") as folder:
        path = Path(folder) / "state.safetensors"
        contiguous = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
        save_file(contiguous, path, metadata={"plain": json.dumps(dict(plain))})
        with safe_open(path, framework="numpy") as handle:
            read = json.loads((handle.metadata() or {}).get("plain", "{}"))
        other = _made(subject)
        other.restore(load_file(path), read)
    after = np.asarray(other.predict(inputs))
    if not np.array_equal(before, after):
        return failed(
            f"restored, it scores differently, by up to {np.abs(before - after).max():.2g}",
            "state() must hold everything that predict uses, as arrays and what JSON can hold.",
        )
    return passed(f"{len(arrays)} arrays, bit by bit")


def repeats(subject: Subject[Model]) -> Outcome:
    """Fitted twice with one seed, it predicts the same, bit by bit."""
    classes = spec_of(subject.item).classes
    inputs = _inputs(subject, TEST, classes, 1)
    first = np.asarray(_fitted(subject).predict(inputs))
    second = np.asarray(_fit(subject, classes, stir=1).predict(inputs))
    if not np.array_equal(first, second):
        return failed(
            f"two fits with one seed differ by up to {np.abs(first - second).max():.2g}",
            "Draw from a generator made of context.seed only.",
        )
    return passed("bit by bit")


def _made(subject: Subject[Model]) -> Estimator:
    made: Estimator = resolve(subject.item.estimator)(**subject.item.options.model_dump())
    return made


def _fitted(subject: Subject[Model], classes: int | None = None) -> Estimator:
    """An estimator fitted on made-up pictures; the rules share it."""
    count = classes or spec_of(subject.item).classes
    return subject.once(f"fitted to {count} classes", lambda: _fit(subject, count))


def _fit(subject: Subject[Model], classes: int, stir: int = 0) -> Estimator:
    """Fit one. ``stir`` seeds the global generator, which must make no difference."""
    model, spec = subject.item, spec_of(subject.item, classes=classes)
    np.random.seed(stir)
    split = samples_for(model, spec, TRAINING)
    estimator = _made(subject)
    data = TrainingData(_inputs(subject, TRAINING, spec.classes, 0), np.asarray(split.targets))
    context = FitContext(
        0, 1, class_names(spec.classes), spec.task, model.options, required_of(subject, spec, TRAINING)
    )
    estimator.fit(data, context)
    return estimator


def _inputs(subject: Subject[Model], count: int, classes: int, seed: int) -> dict[str, np.ndarray]:
    """Made-up pictures prepared as the recipe says, float32 [n, channels, height, width] by name, and what is given."""
    model = subject.item
    given = given_of(subject, count, classes, seed)
    if not model.inputs:
        return given
    split = samples_for(model, spec_of(model, classes=classes), count, seed)
    reference = samples_for(model, spec_of(model, classes=classes), TRAINING, 0)
    preparer, feed = (
        preparer_of(model, model.recipe, reference),
        open_feed(split, model.recipe.input, NUMERICS.device, 0),
    )
    (batch,) = feed.batches([np.arange(count)], View(), (0,))
    prepared: dict[str, Any] = dict(preparer.test(batch).inputs)
    return {name: value.contiguous().numpy() for name, value in prepared.items()} | given
