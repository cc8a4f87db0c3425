"""Wrong labels found by confident learning (Northcutt et al. 2021), with cleanlab."""

from __future__ import annotations

import numpy as np

from ferbench import DataError, Sample, SampleContext, Split
from ferbench_cleaning.deciding import cleaned
from ferbench_cleaning.options import Learning


def confident_learning(train: Split, context: SampleContext) -> Sample:
    """Leave out samples whose label the out-of-fold scores of ``judge`` contradict, by cleanlab's rule ``prune``."""
    options = context.options
    assert isinstance(options, Learning)
    if train.label_kind != "hard":
        raise DataError(f"confident-learning judges hard labels, and these are {train.label_kind}.")
    labels = np.asarray(train.targets, np.int64)
    scores = np.asarray(context.required["judge"].scores("out-of-fold"), np.float64)
    doubtful = label_issues(labels, scores, options.prune)
    reason = f"{options.model}, which had not seen it, contradicts its label"
    return cleaned("confident-learning", train, labels, {reason: doubtful})


def label_issues(labels: np.ndarray, scores: np.ndarray, prune: str) -> np.ndarray:
    """Which labels (int64 [n]) are likely wrong by ``scores`` (float64 [n, k]): bool [n].

    Classes that do not occur are left out of the judgement. Raises DataError where fewer than two occur.
    """
    from cleanlab.filter import find_label_issues

    present = np.unique(labels)
    if len(present) < 2:
        raise DataError("confident-learning needs samples of two classes at least: between fewer nothing is confused.")
    shares = scores[:, present]
    shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    numbered = np.searchsorted(present, labels)
    found: np.ndarray = find_label_issues(numbered, shares, filter_by=prune, n_jobs=1)
    return np.asarray(found, bool)
