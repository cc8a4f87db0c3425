"""A support vector machine as arrays: one against the rest, linear or with landmarks in place of a kernel matrix."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from scipy import sparse
from scipy.optimize import minimize_scalar
from sklearn.kernel_approximation import Nystroem
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import LinearSVC

Features: TypeAlias = np.ndarray | sparse.csr_array
Arrays = dict[str, np.ndarray]

HELD_OUT = 5
"""Every fifth sample sets the temperature of the probabilities."""


def learn_landmarks(features: Features, count: int, gamma: float, seed: int) -> Arrays:
    """Training samples that stand for all in a Gaussian kernel, and what makes their similarities coordinates.

    The kernel is exp(−γ‖x − y‖²) with γ = ``gamma`` / (features · variance). A kernel matrix of FER2013's training
    samples would take 6.6 GB; ``count`` landmarks span the space in which its linear machine is sought (Williams &
    Seeger 2001).
    """
    variance = float((features * features).mean() - features.mean() ** 2)
    width = gamma / max(features.shape[1] * variance, 1e-12)
    found = Nystroem("rbf", gamma=width, n_components=min(count, features.shape[0]), random_state=seed).fit(features)
    landmarks = found.components_.toarray() if sparse.issparse(found.components_) else found.components_
    return {
        "landmarks": np.ascontiguousarray(landmarks, np.float32),
        "normalisation": np.ascontiguousarray(found.normalization_.T, np.float32),
        "gamma": np.array([width]),
    }


def placed(features: Features, own: Arrays) -> Features:
    """Features as coordinates among the landmarks, float32 [n, landmarks]; unchanged where there are none."""
    if "landmarks" not in own:
        return features
    similarity = rbf_kernel(features, own["landmarks"], gamma=float(own["gamma"][0]))
    found: np.ndarray = similarity.astype(np.float32) @ own["normalisation"]
    return found


def fit_svm(features: Features, targets: np.ndarray, weights: np.ndarray, cost: float) -> Arrays:
    """Weights of a linear machine for each class that has samples (squared hinge), and a temperature.

    ``targets``: int64 [n] of two classes or more. ``cost``: of a sample's error beside the squared length of the
    weights. The temperature makes probabilities of margins; it is found on every fifth sample by a machine of the
    others.
    """
    whole = fitted(features, targets, weights, cost)
    held = np.arange(len(targets)) % HELD_OUT == 0
    return {**whole, "temperature": np.array([_temperature(features, targets, weights, cost, held)])}


def svm_scores(features: Features, own: Arrays, classes: int) -> np.ndarray:
    """Probabilities float64 [n, classes]: softmax of the margins; zero for classes without training samples."""
    scores = np.zeros((features.shape[0], classes))
    scores[:, own["present"]] = softmax(margins(features, own) / own["temperature"][0])
    return scores


def margins(features: Features, own: Arrays) -> np.ndarray:
    """Signed distances from each class's plane, scaled by the length of its weights: float64 [n, present classes]."""
    found: np.ndarray = features @ own["slopes"].T + own["offsets"]
    return found


def fitted(features: Features, targets: np.ndarray, weights: np.ndarray, cost: float) -> Arrays:
    """A linear machine without temperature: ``slopes`` [k, features], ``offsets`` [k], ``present`` classes [k]."""
    machine = LinearSVC(C=cost, dual="auto", tol=1e-3, random_state=0)
    machine.fit(features, targets, sample_weight=weights / weights.mean())
    slopes, offsets = machine.coef_, machine.intercept_
    if len(machine.classes_) == 2:
        slopes, offsets = np.vstack([-slopes, slopes]), np.concatenate([-offsets, offsets])
    # In C order, as they come back from disk: products of other layouts differ in the last bit.
    return {"slopes": np.ascontiguousarray(slopes), "offsets": offsets, "present": machine.classes_.astype(np.int64)}


def _temperature(features: Features, targets: np.ndarray, weights: np.ndarray, cost: float, held: np.ndarray) -> float:
    if len(np.unique(targets[~held])) < 2:
        return 1.0
    machine = fitted(features[~held], targets[~held], weights[~held], cost)
    known = held & np.isin(targets, machine["present"])
    labels = np.searchsorted(machine["present"], targets[known])
    return temperature_of(margins(features[known], machine), labels, weights[known])


def temperature_of(values: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """The temperature by which margins are divided for the lowest log loss; 1 where there is nothing to go by."""
    if not len(labels):
        return 1.0

    def loss(log_temperature: Any) -> float:
        chosen = softmax(values / np.exp(log_temperature))[np.arange(len(labels)), labels]
        return float(-(weights * np.log(np.maximum(chosen, 1e-3))).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x))


def softmax(values: np.ndarray) -> np.ndarray:
    """Shares float64 [n, k] that sum to one; zero for −inf."""
    grown = np.exp(values - values.max(axis=1, keepdims=True))
    shares: np.ndarray = grown / grown.sum(axis=1, keepdims=True)
    return shares
