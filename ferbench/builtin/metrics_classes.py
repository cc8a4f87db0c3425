"""Metrics that depend on the confusion matrix alone.

Functions of ``confusion`` take counts float64 [..., k, k] (rows: true classes) and return [...] or, per class,
[..., k]. ``scored_*`` take predictions. A class that no target has leaves recall undefined (NaN) and is left out of
balanced accuracy, as in scikit-learn; macro-F1 counts every class, with 0 where F1 is undefined
(``f1_score(labels=all, zero_division=0)``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferbench.nouns.metric import Scored

Floats = NDArray[np.float64]


def hard_targets(scored: Scored) -> NDArray[np.int64]:
    """Class of each sample, int64 [n]: the target, or the most probable class of a soft label (first of ties)."""
    targets = scored.targets if scored.targets.ndim == 1 else np.argmax(scored.targets, axis=1)
    return np.asarray(targets, dtype=np.int64)


def scored_confusion_matrix(scored: Scored) -> Floats:
    """Counts [k, k]: rows are true classes, columns predicted ones (the first of equal scores)."""
    k = len(scored.classes)
    cells = hard_targets(scored) * k + np.argmax(scored.scores, axis=1)
    return np.bincount(cells, minlength=k * k).reshape(k, k).astype(np.float64)


def _ratio(above: Floats, below: Floats) -> Floats:
    """``above / below``, NaN where ``below`` is 0."""
    ratio: Floats = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
    return ratio


def _mean_of_defined(values: Floats) -> Floats:
    """Mean over the last axis without NaN; NaN where nothing is left."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(-1), defined.sum(-1).astype(np.float64))


def _hits(confusion: Floats) -> Floats:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def per_class_recall(confusion: Floats) -> Floats:
    """True positives / targets of the class."""
    return _ratio(_hits(confusion), confusion.sum(-1))


def per_class_precision(confusion: Floats) -> Floats:
    """True positives / predictions of the class."""
    return _ratio(_hits(confusion), confusion.sum(-2))


def per_class_f1(confusion: Floats) -> Floats:
    """Harmonic mean of precision and recall: 2 TP / (targets + predictions)."""
    return _ratio(2 * _hits(confusion), confusion.sum(-1) + confusion.sum(-2))


def accuracy(confusion: Floats) -> Floats:
    """Share of correct samples."""
    return _ratio(_hits(confusion).sum(-1), confusion.sum((-2, -1)))


def balanced_accuracy(confusion: Floats) -> Floats:
    """Mean recall over the classes that targets have (Brodersen et al. 2010)."""
    return _mean_of_defined(per_class_recall(confusion))


def macro_f1(confusion: Floats) -> Floats:
    """Mean F1 over all classes."""
    return np.asarray(np.nan_to_num(per_class_f1(confusion)).mean(-1))


def cohen_kappa(confusion: Floats) -> Floats:
    """Agreement beyond that of independent raters with the same marginals (Cohen 1960); NaN where that is complete."""
    total = confusion.sum((-2, -1))
    expected = _ratio((confusion.sum(-1) * confusion.sum(-2)).sum(-1), total**2)
    return _ratio(accuracy(confusion) - expected, 1 - expected)


def scored_accuracy(scored: Scored) -> float:
    """Share of correct samples."""
    return float(accuracy(scored_confusion_matrix(scored)))


def scored_balanced_accuracy(scored: Scored) -> float:
    """Mean recall over the classes that targets have."""
    return float(balanced_accuracy(scored_confusion_matrix(scored)))


def scored_macro_f1(scored: Scored) -> float:
    """Mean F1 over all classes."""
    return float(macro_f1(scored_confusion_matrix(scored)))


def scored_cohen_kappa(scored: Scored) -> float:
    """Cohen's kappa."""
    return float(cohen_kappa(scored_confusion_matrix(scored)))


def scored_per_class_recall(scored: Scored) -> Floats:
    """Recall [k]."""
    return per_class_recall(scored_confusion_matrix(scored))


def scored_per_class_precision(scored: Scored) -> Floats:
    """Precision [k]."""
    return per_class_precision(scored_confusion_matrix(scored))


def scored_per_class_f1(scored: Scored) -> Floats:
    """F1 [k]."""
    return per_class_f1(scored_confusion_matrix(scored))
