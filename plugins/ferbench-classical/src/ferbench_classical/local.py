"""Local learning: for each picture a machine of its own, trained on its nearest training pictures."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ferbench_classical.svm import fitted, margins, softmax, temperature_of

CHUNK = 256
TRIED = 300
"""Training pictures that set the temperature, each predicted from its neighbours without itself."""


def local_margins(
    features: sparse.csr_array,
    training: sparse.csr_array,
    targets: np.ndarray,
    weights: np.ndarray,
    classes: int,
    neighbours: int,
    cost: float,
    themselves: bool = False,
) -> np.ndarray:
    """Margins of one machine a row, trained on the ``neighbours`` training rows of the largest inner product.

    float64 [n, classes]; −inf for classes that no neighbour has, and 0 for one that all have. ``themselves``: the rows
    stand in ``training``, and the nearest neighbour is the row itself, which is left out (Georgescu, Ionescu & Popescu
    2019, section III-C).
    """
    found = np.full((features.shape[0], classes), -np.inf)
    skipped = int(themselves)
    for start in range(0, features.shape[0], CHUNK):
        part = features[start : start + CHUNK]
        similar = np.asarray((part @ training.T).todense())
        nearest = np.argsort(-similar, axis=1, kind="stable")[:, skipped : skipped + neighbours]
        for row, near in enumerate(nearest):
            labels = targets[near]
            if (labels == labels[0]).all():
                found[start + row, labels[0]] = 0.0
                continue
            machine = fitted(training[near], labels, weights[near], cost)
            found[start + row, machine["present"]] = margins(part[[row]], machine)[0]
    return found


def local_temperature(
    training: sparse.csr_array, targets: np.ndarray, weights: np.ndarray, classes: int, neighbours: int, cost: float
) -> float:
    """The temperature that makes the best probabilities of local margins, by training rows spread over the whole."""
    tried = np.unique(np.linspace(0, len(targets) - 1, TRIED).astype(int))
    values = local_margins(training[tried], training, targets, weights, classes, neighbours, cost, themselves=True)
    return temperature_of(values, targets[tried], weights[tried])


def local_scores(values: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities float64 [n, classes] of local margins; zero for classes that no neighbour has."""
    return softmax(values / temperature)
