"""The classical baselines: what they describe, what they learn, and what they refuse."""

from __future__ import annotations

from typing import Any

import ferbench_classical
import numpy as np
import pytest
from ferbench_classical.local import local_margins, local_scores
from ferbench_classical.parts import codes, learn_parts
from ferbench_classical.svm import fit_svm, learn_landmarks, placed, svm_scores
from ferbench_classical.textures import PATTERNS, binary_patterns, oriented_gradients
from ferbench_classical.words import dense_sift, grid, learn_vocabulary, presence
from scipy import sparse

from ferbench import FitContext, Model, Options, SettingsError, TrainingData, TrainingError
from ferbench.nouns.reference import resolve

MODELS = {model.full_name: model for model in ferbench_classical.ferbench_models()}
CLASSES = ("across", "down", "flat")
SMALL: dict[str, dict[str, Any]] = {
    "lbp-svm": {},
    "hog-svm": {"landmarks": 30},
    "nmf-svm": {"parts": 8, "landmarks": 30},
    "sift-words-svm": {"words": 12, "step": 6},
    "sift-words-svm@local": {"words": 12, "step": 6, "neighbours": 20},
}


def _pictures(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Stripes across, stripes down, and noise, float32 [n, 1, 24, 24]; each class a third."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    found = rng.random((count, 1, 24, 24)).astype(np.float32) * 0.4
    for picture, label in zip(found, labels, strict=True):
        wave = 0.5 * (1 + np.sin(np.arange(24) * 0.9 + rng.random() * 6))
        picture[0] += 0.6 * (wave[:, None] if label == 0 else wave[None] if label == 1 else 0.5)
    return found.clip(0, 1), labels


def _fitted(name: str, targets: np.ndarray | None = None, weights: np.ndarray | None = None, **more: Any) -> Any:
    model = MODELS[name]
    pictures, labels = _pictures(60)
    estimator = resolve(model.estimator)(**model.options.model_dump() | SMALL[name] | more)
    estimator.fit(TrainingData({"image": pictures}, labels if targets is None else targets, weights), _context())
    return estimator


def _context(seed: int = 0) -> FitContext:
    return FitContext(seed, 1, CLASSES, "single-label", Options())


@pytest.mark.parametrize("name", sorted(MODELS))
def test_stripes_are_told_from_noise(name: str) -> None:
    pictures, labels = _pictures(30, seed=1)
    scores = _fitted(name).predict({"image": pictures})
    assert np.allclose(scores.sum(1), 1) and (scores >= 0).all()
    assert (scores.argmax(1) == labels).mean() > 0.8


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_class_without_training_samples_has_probability_zero(name: str) -> None:
    _, labels = _pictures(60)
    estimator = _fitted(name, targets=np.where(labels == 1, 0, labels))
    assert (estimator.predict({"image": _pictures(6)[0]})[:, 1] == 0).all()


def test_samples_of_weight_zero_are_not_seen() -> None:
    _, labels = _pictures(60)
    wrong = np.where(np.arange(60) < 30, (labels + 1) % 3, labels)
    weights = (np.arange(60) >= 30).astype(np.float32)
    pictures, truth = _pictures(30, seed=1)
    scores = _fitted("lbp-svm", targets=wrong, weights=weights).predict({"image": pictures})
    assert (scores.argmax(1) == truth).mean() > 0.8


def test_samples_of_one_class_are_refused() -> None:
    with pytest.raises(TrainingError, match="two classes or more"):
        _fitted("lbp-svm", targets=np.zeros(60, np.int64))


@pytest.mark.parametrize(
    ("images", "key"),
    [
        (np.zeros((2, 3, 24, 24), np.float32), "recipe.input.channels"),
        (np.full((2, 1, 24, 24), -1, np.float32), "recipe.input.normalise"),
        (np.zeros((2, 1, 5, 5), np.float32), "recipe.input.size"),
    ],
)
def test_pictures_that_a_method_cannot_see_are_refused_with_the_setting_to_mend(images: np.ndarray, key: str) -> None:
    with pytest.raises(SettingsError, match=key.replace(".", r"\.")):
        _fitted("hog-svm").predict({"image": images})


def _inner(found: sparse.csr_array) -> np.ndarray:
    """Histograms of the regions that do not touch the border, beyond which pixels count as black."""
    inner: np.ndarray = found.toarray().reshape(7, 6, PATTERNS)[1:-1, 1:-1].reshape(-1, PATTERNS)
    return inner


def test_a_flat_picture_has_one_uniform_pattern_in_every_region() -> None:
    inner = _inner(binary_patterns(np.full((1, 28, 24), 90, np.uint8), 7, 6, 1.0))
    assert PATTERNS == 59
    assert ((inner > 0).sum(1) == 1).all()
    assert np.allclose(inner.max(1), 1)


def test_patterns_do_not_change_with_brightness_and_contrast() -> None:
    picture = np.random.default_rng(0).integers(0, 100, (1, 28, 24)).astype(np.uint8)
    before, after = (_inner(binary_patterns(each, 7, 6, 1.0)) for each in (picture, picture * 2 + 5))
    assert np.array_equal(before, after)


def test_gradients_of_48_pixels_are_900_numbers() -> None:
    assert oriented_gradients(np.zeros((2, 48, 48), np.uint8), 8, 2, 9).shape == (2, 900)


def test_sift_is_taken_at_every_point_of_the_grid_in_its_order() -> None:
    picture = np.zeros((1, 48, 48), np.uint8)
    picture[0, :, 40:] = 200
    found = dense_sift(picture, 4, 4)[0]
    places = grid(48, 48, 4)
    assert len(found) == len(places) == 144
    assert found[np.abs(places[:, 1] - 40) <= 2].any(axis=1).all()
    assert not found[places[:, 1] < 20].any()


def test_a_word_counts_once_in_each_part_of_the_pyramid() -> None:
    pictures = (np.random.default_rng(0).random((6, 48, 48)) * 255).astype(np.uint8)
    vocabulary = learn_vocabulary(pictures, 10, 4, 4, seed=0)
    found = presence(pictures, vocabulary, 4, 4, levels=2).toarray()
    assert found.shape == (6, 10 * (1 + 4))
    assert np.allclose((found**2).sum(1), 1)
    assert all(len(np.unique(row[row > 0])) == 1 for row in found)
    whole, parts = found[:, :10] > 0, found[:, 10:].reshape(6, 4, 10) > 0
    assert np.array_equal(whole, parts.any(axis=1))


def test_parts_and_codes_are_not_negative_and_make_up_the_picture() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((4, 36)) * (rng.random((4, 36)) > 0.5)
    pixels = (rng.random((200, 4)) @ truth).astype(np.float32)
    parts = learn_parts(pixels, 4, 60, seed=0)
    amounts = codes(pixels, parts)
    assert (parts >= 0).all() and (amounts >= 0).all()
    assert np.linalg.norm(amounts @ parts - pixels) < 0.15 * np.linalg.norm(pixels)
    assert np.allclose(codes(pixels[:1], parts), amounts[:1], rtol=1e-5)


def test_black_pictures_have_no_parts_and_are_refused() -> None:
    black, labels = np.zeros((30, 1, 24, 24), np.float32), np.arange(30) % 3
    estimator = resolve(MODELS["nmf-svm"].estimator)(**MODELS["nmf-svm"].options.model_dump() | SMALL["nmf-svm"])
    with pytest.raises(TrainingError, match="are black"):
        estimator.fit(TrainingData({"image": black}, labels), _context())


def test_landmarks_at_every_sample_give_the_kernel_itself() -> None:
    features = np.random.default_rng(0).normal(size=(30, 5))
    own = learn_landmarks(features, 30, 1.0, seed=0)
    where = placed(features, own)
    distances = ((features[:, None] - features[None]) ** 2).sum(2)
    assert np.allclose(where @ where.T, np.exp(-own["gamma"][0] * distances), atol=1e-3)


def test_probabilities_are_fitted_to_what_is_known_of_pictures_that_were_not_seen() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 600)
    features = rng.normal(size=(600, 4)) + 0.8 * labels[:, None] * (np.arange(4) == 0)
    own = fit_svm(features, labels, np.ones(600), 1.0)
    sure = svm_scores(features, own, 2).max(1).mean()
    right = (svm_scores(features, own, 2).argmax(1) == labels).mean()
    assert abs(sure - right) < 0.05


def test_a_local_machine_sees_only_the_neighbours() -> None:
    near, far = np.eye(6)[:3], np.eye(6)[3:]
    training = sparse.csr_array(np.vstack([near + 0.1, far]))
    targets = np.array([0, 0, 0, 1, 1, 2])
    values = local_margins(sparse.csr_array(near), training, targets, np.ones(6), 3, neighbours=3, cost=1.0)
    assert np.array_equal(local_scores(values, 1.0), np.tile([1.0, 0.0, 0.0], (3, 1)))
    values = local_margins(training, training, targets, np.ones(6), 3, neighbours=1, cost=1.0, themselves=True)
    assert local_scores(values, 1.0)[0, 0] == 1.0


def test_only_the_local_variant_carries_the_number_of_the_challenge() -> None:
    numbers = {name: [row.value for row in model.reported] for name, model in MODELS.items() if model.reported}
    assert numbers == {"sift-words-svm@local": [0.67484]}


def test_models_of_the_package_are_estimators_with_options_of_their_own() -> None:
    assert all(isinstance(model, Model) and model.estimator and not model.build for model in MODELS.values())
    assert list(MODELS) == ["lbp-svm", "hog-svm", "nmf-svm", "sift-words-svm", "sift-words-svm@local"]
