"""Metrics of regressions (targets and scores [n, k], one column a dimension) and of several labels (0/1, [n, k]).

Where there are several dimensions or labels, the value is the mean over them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferbench.builtin.metrics_scores import counted, mean_of_sums, total
from ferbench.nouns.metric import Scored

Floats = NDArray[np.float64]
_THRESHOLD = 0.5
_ROUNDING = 1e-12
"""Share of the mean square below which a variance is none: that of float32 numbers that differ in the last digit."""


def _columns(scored: Scored) -> tuple[Floats, Floats]:
    return np.asarray(scored.targets, dtype=np.float64), scored.scores


def _moments(scored: Scored) -> Floats:
    """Per dimension x, y, x², y², xy (x target, y score), both shifted by the targets' mean for precision."""
    x, y = _columns(scored)
    centre = x.mean(axis=0) if len(x) else 0.0
    x, y = x - centre, y - centre
    return counted(np.concatenate([x, y, x * x, y * y, x * y], axis=1))


def _variances(sums: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Difference of means, both variances (over n) and covariance, each [..., k]."""
    count = np.where(sums[..., -1:] > 0, sums[..., -1:], np.nan)
    x, y, xx, yy, xy = np.split(sums[..., :-1] / count, 5, axis=-1)
    return x - y, _variance(x, xx), _variance(y, yy), xy - x * y


def _variance(mean: Floats, squares: Floats) -> Floats:
    """Variance from the means of values and squares; 0 where the difference is rounding alone."""
    variance = squares - mean * mean
    return np.asarray(np.where(variance > _ROUNDING * squares, variance, 0.0))


def _mean_ratio(above: Floats, below: Floats) -> Floats:
    ratio = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return np.asarray(ratio.mean(-1))


def ccc_of_sums(sums: Floats) -> Floats:
    """Lin 1989, equation 2: 2 cov / (var x + var y + (mean x − mean y)²), variances over n; NaN for two constants."""
    shift, var_x, var_y, covariance = _variances(sums)
    return _mean_ratio(2 * covariance, var_x + var_y + shift**2)


def pearson_of_sums(sums: Floats) -> Floats:
    """Correlation; NaN where targets or scores are constant."""
    _, var_x, var_y, covariance = _variances(sums)
    return _mean_ratio(covariance, np.sqrt(var_x * var_y))


def rmse_sums(scored: Scored) -> Floats:
    """Squared errors per dimension."""
    x, y = _columns(scored)
    return counted((x - y) ** 2)


def rmse_of_sums(sums: Floats) -> Floats:
    """Root of each dimension's mean squared error, then the mean."""
    count = np.where(sums[..., -1:] > 0, sums[..., -1:], np.nan)
    return np.asarray(np.sqrt(sums[..., :-1] / count).mean(-1))


def subset_accuracy_sums(scored: Scored) -> Floats:
    """Whether all labels of a sample are right at a threshold of 0.5."""
    targets, scores = _columns(scored)
    return counted(((scores >= _THRESHOLD) == (targets >= _THRESHOLD)).all(axis=1).astype(np.float64))


def multilabel_macro_f1_sums(scored: Scored) -> Floats:
    """Per label: true positives, then targets + predictions."""
    targets, scores = (values >= _THRESHOLD for values in _columns(scored))
    return counted(np.concatenate([targets & scores, targets.astype(np.float64) + scores], axis=1).astype(np.float64))


def multilabel_macro_f1_of_sums(sums: Floats) -> Floats:
    """Mean over all labels of 2 TP / (targets + predictions), 0 where both are none."""
    hits, either = np.split(sums[..., :-1], 2, axis=-1)
    return np.asarray(np.divide(2 * hits, either, out=np.zeros(hits.shape), where=either > 0).mean(-1))


ccc_sums = pearson_sums = _moments
subset_accuracy_of_sums = mean_of_sums


def scored_ccc(scored: Scored) -> float:
    """Concordance correlation coefficient."""
    return float(ccc_of_sums(total(_moments(scored))))


def scored_pearson(scored: Scored) -> float:
    """Correlation coefficient."""
    return float(pearson_of_sums(total(_moments(scored))))


def scored_rmse(scored: Scored) -> float:
    """Root mean squared error."""
    return float(rmse_of_sums(total(rmse_sums(scored))))


def scored_subset_accuracy(scored: Scored) -> float:
    """Share of samples with every label right."""
    return float(mean_of_sums(total(subset_accuracy_sums(scored))))


def scored_multilabel_macro_f1(scored: Scored) -> float:
    """Mean F1 over the labels."""
    return float(multilabel_macro_f1_of_sums(total(multilabel_macro_f1_sums(scored))))
