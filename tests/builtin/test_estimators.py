"""The classic methods: what they learn, what they keep, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ferbench.builtin.models import models
from ferbench.errors import TrainingError
from ferbench.nouns.model import Estimator, FitContext, Model, TrainingData
from ferbench.nouns.reference import resolve
from ferbench.nouns.settings import revised

MODELS: dict[str, Model] = {model.name: model for model in models() if model.estimator is not None}
CLASSES = ("anger", "fear", "neutral")


def _made(name: str, **options: object) -> tuple[Estimator, FitContext]:
    chosen = revised(MODELS[name].options, options)
    estimator: Estimator = resolve(MODELS[name].estimator)(**chosen.model_dump())
    return estimator, FitContext(seed=0, threads=1, classes=CLASSES, task="single-label", options=chosen)


def _faces(n: int, seed: int = 0, classes: int = 3) -> TrainingData:
    """Noise with a bright bar whose place gives the class; n pictures of 12 × 12 pixels."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % classes
    pictures = rng.random((n, 1, 12, 12), dtype=np.float32)
    for picture, target in zip(pictures, targets, strict=True):
        picture[0, 1 + 4 * target : 3 + 4 * target] += 0.7
    return TrainingData({"image": pictures / 2}, targets.astype(np.int64))


def _accuracy(scores: np.ndarray, data: TrainingData) -> float:
    return float((scores.argmax(axis=1) == data.targets).mean())


@pytest.mark.parametrize("name", ["logistic-regression", "knn"])
def test_it_recognises_new_pictures(name: str) -> None:
    estimator, context = _made(name)
    estimator.fit(_faces(150), context)
    new = _faces(60, seed=1)
    assert _accuracy(estimator.predict(new.inputs), new) > 0.9


@pytest.mark.parametrize("name", list(MODELS))
def test_scores_are_probabilities_of_every_class(name: str) -> None:
    estimator, context = _made(name)
    estimator.fit(_faces(90), context)
    scores = estimator.predict(_faces(7, seed=1).inputs)
    assert scores.shape == (7, 3)
    assert (scores >= 0).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("name", list(MODELS))
def test_two_fits_give_the_same_bytes(name: str) -> None:
    scores = []
    for _ in range(2):
        estimator, context = _made(name)
        estimator.fit(_faces(90), context)
        scores.append(estimator.predict(_faces(20, seed=1).inputs).tobytes())
    assert scores[0] == scores[1]


@pytest.mark.parametrize("name", list(MODELS))
def test_a_restored_estimator_predicts_the_same_bytes(name: str, tmp_path: Path) -> None:
    estimator, context = _made(name)
    estimator.fit(_faces(90), context)
    arrays, plain = estimator.state()
    save_file(dict(arrays), tmp_path / "state.safetensors")
    again, _ = _made(name)
    again.restore(load_file(tmp_path / "state.safetensors"), plain)
    new = _faces(20, seed=1).inputs
    assert again.predict(new).tobytes() == estimator.predict(new).tobytes()


@pytest.mark.parametrize("name", list(MODELS))
def test_a_class_without_training_samples_gets_no_probability(name: str) -> None:
    data = _faces(90)
    kept = data.targets != 1
    estimator, context = _made(name)
    estimator.fit(TrainingData({"image": data.inputs["image"][kept]}, data.targets[kept]), context)
    scores = estimator.predict(_faces(12, seed=1).inputs)
    assert (scores[:, 1] == 0).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("name", list(MODELS))
def test_samples_of_weight_zero_do_not_count(name: str) -> None:
    data, other = _faces(90), _faces(90, seed=2)
    both = TrainingData(
        {"image": np.concatenate([data.inputs["image"], other.inputs["image"]])},
        np.concatenate([data.targets, (other.targets + 1) % 3]),
        np.concatenate([np.ones(90), np.zeros(90)]).astype(np.float32),
    )
    alone, context = _made(name)
    alone.fit(data, context)
    weighted, context = _made(name)
    weighted.fit(both, context)
    new = _faces(20, seed=1).inputs
    np.testing.assert_allclose(weighted.predict(new), alone.predict(new), atol=1e-6)


@pytest.mark.parametrize("name", list(MODELS))
def test_weights_pull_towards_the_heavier_class(name: str) -> None:
    data = _faces(90)
    heavy = TrainingData(data.inputs, data.targets, np.where(data.targets == 2, 5.0, 1.0).astype(np.float32))
    plain, context = _made(name)
    plain.fit(data, context)
    pulled, context = _made(name)
    pulled.fit(heavy, context)
    new = _faces(30, seed=1).inputs
    assert pulled.predict(new)[:, 2].mean() > plain.predict(new)[:, 2].mean()


def test_the_floor_predicts_the_class_frequencies_for_everything() -> None:
    estimator, context = _made("majority")
    data = TrainingData({"image": np.zeros((4, 1, 2, 2), np.float32)}, np.array([0, 2, 2, 2]))
    estimator.fit(data, context)
    assert estimator.predict({"image": np.ones((2, 1, 2, 2), np.float32)}).tolist() == [[0.25, 0, 0.75]] * 2


def test_the_floor_of_real_targets_is_their_mean() -> None:
    estimator, context = _made("majority")
    targets = np.array([[1.0, -1.0, 0.0], [3.0, 0.0, 0.0]], np.float32)
    values = replace(context, task="regression")
    estimator.fit(TrainingData({"image": np.zeros((2, 1, 2, 2), np.float32)}, targets), values)
    assert estimator.predict({"image": np.zeros((1, 1, 2, 2), np.float32)}).tolist() == [[2.0, -0.5, 0.0]]


def test_neighbours_vote_with_their_soft_labels() -> None:
    data = _faces(60)
    soft = 0.8 * np.eye(3)[data.targets] + 0.2 / 3
    estimator, context = _made("knn")
    estimator.fit(TrainingData(data.inputs, soft.astype(np.float32)), context)
    scores = estimator.predict(_faces(9, seed=1).inputs)
    assert scores.min() > 0.06
    assert scores.max() < 0.87


def test_brightness_and_contrast_do_not_move_a_picture_among_its_neighbours() -> None:
    estimator, context = _made("knn")
    estimator.fit(_faces(90), context)
    new = _faces(12, seed=1).inputs["image"]
    np.testing.assert_allclose(
        estimator.predict({"image": 0.4 * new + 0.3}), estimator.predict({"image": new}), atol=1e-3
    )


def test_more_neighbours_than_samples_names_the_option_to_lower() -> None:
    estimator, context = _made("knn")
    with pytest.raises(TrainingError, match=r"25 neighbours, but only 9 .*model\.options\.neighbours"):
        estimator.fit(_faces(9), context)


def test_neighbours_of_pictures_that_are_all_equal_are_refused() -> None:
    estimator, context = _made("knn", neighbours=3)
    flat = TrainingData({"image": np.full((6, 1, 4, 4), 0.3, np.float32)}, np.arange(6) % 3)
    with pytest.raises(TrainingError, match="all are equal"):
        estimator.fit(flat, context)


def test_logistic_regression_of_one_class_is_refused_with_its_name() -> None:
    estimator, context = _made("logistic-regression")
    data = _faces(10)
    with pytest.raises(TrainingError, match="all are 'neutral'"):
        estimator.fit(TrainingData(data.inputs, np.full(10, 2)), context)


@pytest.mark.parametrize("name", list(MODELS))
def test_a_split_without_any_weight_is_refused(name: str) -> None:
    estimator, context = _made(name)
    data = _faces(6)
    with pytest.raises(TrainingError, match=f"{name} has no training sample with a weight above zero"):
        estimator.fit(TrainingData(data.inputs, data.targets, np.zeros(6, np.float32)), context)


def test_pixels_that_never_change_do_no_harm_to_logistic_regression() -> None:
    data = _faces(60)
    data.inputs["image"][:, :, 0] = 0.5
    estimator, context = _made("logistic-regression")
    estimator.fit(data, context)
    assert np.isfinite(estimator.predict(data.inputs)).all()


def test_the_floor_gives_probabilities_where_several_labels_are_accepted() -> None:
    estimator, context = _made("majority")
    accepted = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1]], dtype=np.float32)
    estimator.fit(TrainingData(_faces(3).inputs, accepted), context)
    np.testing.assert_allclose(estimator.predict(_faces(1).inputs), [[0.6, 0.2, 0.2]])
