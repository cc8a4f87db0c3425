"""How many labels are wrong: four estimates, each with what it assumes. None of them is the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from ferbench.auditing.copies import Audited, label_counts
from ferbench.auditing.features import gradients_of
from ferbench.auditing.near import Pairs
from ferbench.auditing.pictures import Pictures
from ferbench.data.grouping import folds_of
from ferbench.errors import DataError
from ferbench.nouns.dataset import Samples

FOLDS = 5
FITTED = 50_000
"""Samples on which the classifier of a fold is fitted at most."""
SHOWN = 100
FEW = 25
"""A class of fewer different pictures is too small to be estimated with the others."""


def from_copies(audited: Audited) -> dict[str, Any] | None:
    """From identical pictures: how often two labels of one picture differ; None where there are no copies.

    ``disagreement``: chance that two copies of a picture have different labels, each picture counting once.
    ``label_error``: the share of wrong labels that explains it, where copies were labelled independently and two wrong
    ones never agree; 1 − √(1 − disagreement).
    """
    if audited.labels is None:
        return None
    counts = label_counts(audited.image, audited.labels, audited.images, len(audited.classes))
    sizes = counts.sum(axis=1)
    counts, sizes = counts[sizes > 1], sizes[sizes > 1]
    if not len(sizes):
        return None
    same = (counts * (counts - 1)).sum(axis=1) / (sizes * (sizes - 1))
    differ = float((1 - same).mean())
    return {"pictures": len(sizes), "disagreement": differ, "label_error": 1 - float(np.sqrt(1 - differ))}


def from_near_copies(audited: Audited, pairs: Pairs | None) -> dict[str, Any] | None:
    """From near-duplicates: the share of their pairs whose labels differ; None where there are none.

    The same shot should have the same label, so that this reads as ``disagreement`` of copies, once the contact sheet
    has shown that they are the same shots.
    """
    if audited.labels is None or pairs is None or not len(pairs.first):
        return None
    differ = float((audited.labels[pairs.first] != audited.labels[pairs.second]).mean())
    return {"pairs": len(pairs.first), "disagreement": differ, "label_error": 1 - float(np.sqrt(1 - differ))}


def from_votes(audited: Audited, votes: np.ndarray | None) -> dict[str, Any] | None:
    """From shares of annotators' votes (float [m, classes]): how many labels another class outvotes; None without."""
    if votes is None or audited.labels is None:
        return None
    known = ~np.isnan(votes[:, 0])
    own = votes[np.arange(len(votes)), audited.labels]
    outvoted = known & (np.nan_to_num(votes).max(axis=1) > own)
    return {"samples": int(known.sum()), "label_error": float(outvoted.sum() / max(int(known.sum()), 1))}


def from_classifier(audited: Audited, pictures: Pictures, samples: Samples) -> dict[str, Any] | None:
    """From out-of-fold scores of a linear classifier of gradients: confident learning (Northcutt et al. 2021).

    A label counts as wrong where the classifier, fitted on other pictures (5 folds; identical ones and groups such as
    persons stay together where there are ten or more), gives another class more than it gives on average to samples of
    that class.
    ``label_error_at_most``: the share of these in the calibrated confident joint (section 3.1); an upper bound, far too
    high where the classifier is weak: ``accuracy`` is what it reaches. ``suspects``: the samples that it doubts most,
    for review. None where labels are no classes, or too few, or where groups cannot be kept apart.
    """
    labels, fit = audited.labels, np.flatnonzero(pictures.readable)
    if labels is None or not len(fit):
        return None
    k = len(audited.classes)
    sizes = np.bincount(np.unique(audited.image[fit] * k + labels[fit]) % k, minlength=k)
    if (sizes[sizes > 0] < FEW).any() or (sizes > 0).sum() < 2:
        return None
    try:
        scores = _out_of_fold(gradients_of(pictures.small[fit]), labels[fit], audited, samples, fit)
    except DataError:
        return None
    error, suspects, doubt = confident_learning(scores, labels[fit])
    guessed = scores.argmax(axis=1)
    worst = suspects[np.argsort(-doubt[suspects], kind="stable")]
    return {
        "classifier": "linear discriminant analysis of histograms of oriented gradients",
        "folds": FOLDS,
        "samples": len(fit),
        "accuracy": float((guessed == labels[fit]).mean()),
        "label_error_at_most": error,
        "suspected": len(suspects),
        "suspected_by_side": {name: int(audited.where(name)[fit[suspects]].sum()) for name in ("train", "val", "test")},
        "suspects": [
            {
                "id": str(samples.ids[audited.rows[fit[i]]]),
                "label": audited.classes[int(labels[fit[i]])],
                "guess": audited.classes[int(guessed[i])],
                "doubt": round(float(doubt[i]), 4),
                "row": int(audited.rows[fit[i]]),
            }
            for i in worst[:SHOWN].tolist()
        ],
    }


def _out_of_fold(
    features: np.ndarray, labels: np.ndarray, audited: Audited, samples: Samples, fit: np.ndarray
) -> np.ndarray:
    """Probabilities of each sample from a classifier that saw neither it, nor its copies, nor its groups; [n, k].

    Raises DataError where groups cannot be kept apart: too few parts are left, or all but one class are of one part.
    """
    rows = audited.rows[fit]
    by = [name for name, values in sorted(samples.groups.items()) if len(np.unique(values[rows])) >= 2 * FOLDS]
    part = folds_of(samples, rows, FOLDS, by, seed=0)
    scores = np.zeros((len(labels), len(audited.classes)))
    rng = np.random.default_rng(0)
    for fold in range(FOLDS):
        known = np.flatnonzero(part != fold)
        if len(known) > FITTED:
            known = rng.choice(known, FITTED, replace=False)
        if len(np.unique(labels[known])) < 2:
            raise DataError(f"Without fold {fold} of the audit one class alone is left.")
        classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1).fit(features[known], labels[known])
        asked = np.flatnonzero(part == fold)
        scores[np.ix_(asked, classifier.classes_)] = classifier.predict_proba(features[asked])
    return scores


def confident_learning(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Estimate the share of wrong labels from out-of-fold probabilities [n, k] and labels int64 [n].

    Returns it, the indices of the samples that are counted as wrong, and for each sample by how much another class
    exceeds its own. They are those of cleanlab's rule ``confident_learning``, which is not needed for it.
    """
    count, k = scores.shape
    present = np.bincount(labels, minlength=k)
    own = scores[np.arange(count), labels]
    usual = np.bincount(labels, own, minlength=k) / np.maximum(present, 1)
    sure = np.where((scores >= usual) & (present > 0), scores, -1.0)
    said, counted = sure.argmax(axis=1), sure.max(axis=1) >= 0
    joint = np.bincount(labels[counted] * k + said[counted], minlength=k * k).reshape(k, k).astype(float)
    joint[joint.sum(axis=1) == 0] += np.eye(k)[joint.sum(axis=1) == 0]
    joint *= (present / joint.sum(axis=1))[:, None]
    error = 1 - float(np.trace(joint) / joint.sum())
    doubt = np.where(np.eye(k, dtype=bool)[labels], -1.0, scores).max(axis=1) - own
    return error, np.flatnonzero(counted & (said != labels)), doubt


def label_noise(
    audited: Audited, pictures: Pictures | None, pairs: Pairs | None, samples: Samples, votes: np.ndarray | None
) -> Mapping[str, Any]:
    """All estimates that can be made; None for one that cannot."""
    return {
        "copies": from_copies(audited),
        "near_copies": from_near_copies(audited, pairs),
        "votes": from_votes(audited, votes),
        "classifier": None if pictures is None else from_classifier(audited, pictures, samples),
    }
