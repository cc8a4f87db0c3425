"""The metrics of the core equal those of scikit-learn and torchmetrics, and say what a missing class means."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk

from ferbench.builtin.metrics import Deferred, metrics
from ferbench.nouns.metric import Metric, Scored

CLASSES = ("anger", "disgust", "fear", "happiness", "neutral")
BY_NAME = {metric.name: metric for metric in metrics()}


def predictions(n: int = 400, k: int = 5, seed: int = 0) -> Scored:
    rng = np.random.default_rng(seed)
    targets = rng.choice(k, size=n, p=np.arange(1, k + 1) / np.arange(1, k + 1).sum())
    logits = rng.normal(size=(n, k)) + 1.2 * np.eye(k)[targets]
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Scored(targets.astype(np.int64), scores, CLASSES[:k])


def value(name: str, scored: Scored) -> Any:
    return BY_NAME[name].compute(scored)


SKLEARN: dict[str, Callable[[Scored], Any]] = {
    "accuracy": lambda s: sk.accuracy_score(s.targets, s.scores.argmax(1)),
    "balanced-accuracy": lambda s: sk.balanced_accuracy_score(s.targets, s.scores.argmax(1)),
    "macro-f1": lambda s: sk.f1_score(s.targets, s.scores.argmax(1), labels=range(5), average="macro", zero_division=0),
    "cohen-kappa": lambda s: sk.cohen_kappa_score(s.targets, s.scores.argmax(1)),
    "per-class-recall": lambda s: sk.recall_score(s.targets, s.scores.argmax(1), average=None),
    "per-class-precision": lambda s: sk.precision_score(s.targets, s.scores.argmax(1), average=None),
    "per-class-f1": lambda s: sk.f1_score(s.targets, s.scores.argmax(1), average=None),
    "confusion-matrix": lambda s: sk.confusion_matrix(s.targets, s.scores.argmax(1), labels=range(5)),
    "top-2": lambda s: sk.top_k_accuracy_score(s.targets, s.scores, k=2, labels=range(5)),
    "log-loss": lambda s: sk.log_loss(s.targets, s.scores, labels=range(5)),
    "brier": lambda s: ((s.scores - np.eye(5)[s.targets]) ** 2).sum(1).mean(),
}


@pytest.mark.parametrize("name", SKLEARN)
def test_a_metric_equals_scikit_learns(name: str) -> None:
    scored = predictions()
    np.testing.assert_allclose(value(name, scored), SKLEARN[name](scored), rtol=1e-12)


def test_metrics_equal_those_of_torchmetrics() -> None:
    torch = pytest.importorskip("torch")
    tm = pytest.importorskip("torchmetrics.functional.classification")
    scored = predictions(seed=3)
    scores, targets = torch.tensor(scored.scores), torch.tensor(scored.targets)
    expected = {
        "accuracy": tm.multiclass_accuracy(scores, targets, 5, average="micro"),
        "balanced-accuracy": tm.multiclass_accuracy(scores, targets, 5, average="macro"),
        "macro-f1": tm.multiclass_f1_score(scores, targets, 5, average="macro"),
        "cohen-kappa": tm.multiclass_cohen_kappa(scores, targets, 5),
        "top-2": tm.multiclass_accuracy(scores, targets, 5, average="micro", top_k=2),
        "ece": tm.multiclass_calibration_error(scores, targets, 5, n_bins=15),
    }
    for name, reference in expected.items():
        assert value(name, scored) == pytest.approx(float(reference), abs=1e-6), name


def test_regression_metrics_equal_those_of_torchmetrics_and_scikit_learn() -> None:
    torch = pytest.importorskip("torch")
    tm = pytest.importorskip("torchmetrics.functional.regression")
    rng = np.random.default_rng(1)
    targets = rng.normal(5, 2, size=(300, 2)).astype(np.float32)
    scores = targets.astype(np.float64) * 0.6 + rng.normal(size=(300, 2)) + [0.3, -1]
    scored = Scored(targets, scores, ("valence", "arousal"))
    x, y = torch.tensor(targets, dtype=torch.float64), torch.tensor(scores)
    assert value("pearson", scored) == pytest.approx(float(tm.pearson_corrcoef(y, x).mean()), abs=1e-9)
    # torchmetrics divides the variances by n - 1 but not the squared shift of the means: the same up to 1 / n
    assert value("ccc", scored) == pytest.approx(float(tm.concordance_corrcoef(y, x).mean()), abs=2e-3)
    rmse = sk.root_mean_squared_error(targets, scores, multioutput="raw_values").mean()
    assert value("rmse", scored) == pytest.approx(rmse, abs=1e-9)


def test_the_concordance_of_a_shifted_copy_is_that_of_lins_formula() -> None:
    targets = np.array([[1.0], [2.0], [3.0], [4.0]])
    scored = Scored(targets, targets + 1, ("valence",))
    assert value("ccc", scored) == pytest.approx(2 * 1.25 / (1.25 + 1.25 + 1))
    assert value("pearson", scored) == pytest.approx(1)


def test_what_is_constant_has_no_correlation_and_no_concordance() -> None:
    rng = np.random.default_rng(3)
    for count in range(3, 40):
        for constant in (0.3, 1 / 3, -0.77, 4.9):
            targets = rng.normal(5, 1, size=(count, 1)).astype(np.float32)
            same = np.full((count, 1), np.float32(constant)).astype(np.float64)
            assert np.isnan(value("pearson", Scored(targets, same, ("valence",))))
            assert np.isnan(value("pearson", Scored(same.astype(np.float32), targets.astype(np.float64), ("valence",))))
            assert value("ccc", Scored(targets, same, ("valence",))) == pytest.approx(0, abs=1e-12)


def test_metrics_of_several_labels_equal_scikit_learns() -> None:
    rng = np.random.default_rng(2)
    targets = (rng.random((200, 4)) < 0.3).astype(np.float32)
    targets[:, 3] = 0
    scores = np.clip(targets * 0.4 + rng.random((200, 4)) * 0.6, 0, 1)
    scores[:, 3] = 0.1
    scored = Scored(targets, scores, ("au1", "au2", "au4", "au6"))
    predicted = scores >= 0.5
    f1 = sk.f1_score(targets, predicted, average="macro", zero_division=0)
    assert value("multilabel-macro-f1", scored) == pytest.approx(f1)
    assert value("subset-accuracy", scored) == pytest.approx(sk.accuracy_score(targets, predicted))


def test_a_class_without_targets_is_left_out_of_recall_but_not_of_macro_f1() -> None:
    scored = predictions()
    kept = scored.targets != 1
    missing = Scored(scored.targets[kept], scored.scores[kept], CLASSES)
    recall = value("per-class-recall", missing)
    assert np.isnan(recall[1])
    assert value("balanced-accuracy", missing) == pytest.approx(np.nanmean(recall))
    assert value("macro-f1", missing) == pytest.approx(SKLEARN["macro-f1"](missing))


def test_a_class_that_is_never_predicted_has_no_precision() -> None:
    scores = np.tile([0.6, 0.3, 0.1], (4, 1))
    scored = Scored(np.array([0, 1, 2, 0]), scores, CLASSES[:3])
    assert np.isnan(value("per-class-precision", scored)[1:]).all()
    np.testing.assert_allclose(value("per-class-f1", scored), [2 * 2 / 6, 0, 0])


@pytest.mark.parametrize("name", [m.name for m in metrics() if m.kind == "scalar"])
def test_no_samples_give_nan_instead_of_an_exception(name: str) -> None:
    shape = (0,) if "single-label" in BY_NAME[name].tasks else (0, 3)
    empty = Scored(np.zeros(shape, dtype=np.int64), np.zeros((0, 3)), CLASSES[:3])
    result = value(name, empty)
    assert np.isnan(result) or result == 0


def test_soft_labels_count_as_their_most_probable_class_and_diverge_by_kl() -> None:
    soft = np.array([[0.7, 0.3], [0.4, 0.6]], dtype=np.float32)
    scored = Scored(soft, np.array([[0.5, 0.5], [0.9, 0.1]]), CLASSES[:2])
    assert value("accuracy", scored) == 0.5
    expected = np.mean((soft * np.log(soft / scored.scores)).sum(axis=1))
    assert value("kl-divergence", scored) == pytest.approx(expected, rel=1e-6)
    exact = Scored(soft, soft.astype(np.float64), CLASSES[:2])
    assert value("kl-divergence", exact) == pytest.approx(0, abs=1e-12)


def test_complete_confidence_falls_into_the_last_calibration_bin() -> None:
    scored = Scored(np.array([0, 0, 1, 0]), np.tile([1.0, 0.0], (4, 1)), CLASSES[:2])
    assert value("ece", scored) == pytest.approx(0.25)


def test_a_zero_probability_gives_a_finite_log_loss() -> None:
    scored = Scored(np.array([1]), np.array([[1.0, 0.0]]), CLASSES[:2])
    assert np.isfinite(value("log-loss", scored))


def with_votes(scored: Scored, without: int = 7) -> Scored:
    votes = np.random.default_rng(8).dirichlet(np.ones(len(scored.classes)), len(scored.scores)).astype(np.float32)
    votes[:without] = np.nan
    return replace(scored, votes=votes)


def test_scores_are_compared_with_the_votes_that_there_are() -> None:
    scored = with_votes(predictions(60), without=7)
    assert scored.votes is not None
    votes, scores = scored.votes[7:].astype(np.float64), scored.scores[7:]
    reference = pytest.importorskip("torch").nn.functional
    logs, shares = (pytest.importorskip("torch").tensor(each) for each in (np.log(scores), votes))
    assert value("votes-kl", scored) == pytest.approx(float(reference.kl_div(logs, shares, reduction="batchmean")))
    cosines = reference.cosine_similarity(logs.exp(), shares)
    assert value("votes-cosine", scored) == pytest.approx(float(cosines.mean()))
    alike = replace(scored, scores=np.where(np.isnan(scored.votes), 0.2, scored.votes.astype(np.float64)))
    assert value("votes-kl", alike) == pytest.approx(0, abs=1e-6)
    assert value("votes-cosine", alike) == pytest.approx(1)
    labels = replace(scored, targets=np.zeros(60, np.int64))
    assert value("votes-kl", labels) == value("votes-kl", scored), "the labels do not matter"


@pytest.mark.parametrize("name", ["votes-kl", "votes-cosine"])
def test_where_there_are_no_votes_there_is_nothing_to_compare_with(name: str) -> None:
    assert np.isnan(value(name, predictions()))
    assert np.isnan(value(name, with_votes(predictions(60), without=60)))


def _example(metric: Metric) -> Scored:
    if "single-label" in metric.tasks:
        return with_votes(predictions(60))
    rng = np.random.default_rng(5)
    soft = rng.dirichlet(np.ones(3), size=60).astype(np.float32)
    targets = (soft > 0.4).astype(np.float32) if metric.tasks == ("multi-label",) else soft
    return Scored(targets, rng.dirichlet(np.ones(3), size=60), CLASSES[:3])


@pytest.mark.parametrize("metric", [m for m in metrics() if m.kind == "scalar"], ids=lambda m: m.name)
def test_the_fast_form_of_a_metric_gives_its_value_for_every_resample(metric: Metric) -> None:
    scored = _example(metric)
    weights = np.random.default_rng(6).multinomial(60, np.full(60, 1 / 60), size=5)
    if metric.of_confusion:
        k = len(scored.classes)
        one_hot = np.eye(k * k)[scored.targets * k + scored.scores.argmax(1)]
        fast = metric.of_confusion((weights @ one_hot).reshape(-1, k, k))
    else:
        assert metric.sums and metric.of_sums
        fast = metric.of_sums(weights @ metric.sums(scored))
    for drawn, quick in zip(weights, fast, strict=True):
        index = np.repeat(np.arange(60), drawn)
        slow = metric.compute(scored.take(index))
        assert quick == pytest.approx(slow, abs=1e-9)


def test_every_deferred_function_exists() -> None:
    for metric in metrics():
        for function in (metric.compute, metric.of_confusion, metric.sums, metric.of_sums):
            if isinstance(function, Deferred):
                assert hasattr(__import__(function.module, fromlist=["x"]), function.function), function


def test_listing_the_metrics_does_not_import_numpy() -> None:
    code = "import sys; from ferbench.builtin.metrics import metrics; metrics(); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
