"""Identical pictures in the training side: copies, and copies whose labels contradict each other.

Pictures are identical when all their pixels are (files, where a data set streams).
"""

from __future__ import annotations

import numpy as np

from ferbench import Sample, SampleContext, Split
from ferbench_cleaning.deciding import cleaned, single_labels
from ferbench_cleaning.options import Ties

CONTRADICTED = "identical pictures have other labels"
TIED = "identical pictures have other labels, and none leads"
COPY = "a copy of an earlier picture with the same label"


def drop_duplicates(train: Split, context: SampleContext) -> Sample:
    """Keep the first of identical pictures with the same label; with another label each picture stays."""
    labels = single_labels(train, "drop-duplicates")
    return cleaned("drop-duplicates", train, labels, {COPY: _later(train, labels)})


def drop_conflicting(train: Split, context: SampleContext) -> Sample:
    """Leave out all pictures that occur with several labels: nobody can tell which is right."""
    labels = single_labels(train, "drop-conflicting")
    groups, counts = _counted(train, labels)
    return cleaned("drop-conflicting", train, labels, {CONTRADICTED: _contradicted(counts)[groups]})


def resolve_conflicting(train: Split, context: SampleContext) -> Sample:
    """Give identical pictures with several labels the one that most of them have; soft labels become their mean.

    Where no hard label leads, as in every pair, ``ties`` decides.
    """
    options = context.options
    assert isinstance(options, Ties)
    labels = single_labels(train, "resolve-conflicting")
    groups, counts = _counted(train, labels)
    conflicting = _contradicted(counts)[groups]
    tied = np.zeros(len(train), dtype=bool)
    if train.label_kind == "hard":
        leads = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) == 1
        tied = conflicting & ~leads[groups]
        resolved = conflicting & ~tied
        targets = np.where(resolved, counts.argmax(axis=1)[groups], labels)
        labels = targets
    else:
        targets = np.array(train.targets)
        sums = np.zeros((len(counts), targets.shape[1]))
        np.add.at(sums, groups, targets)
        targets[conflicting] = (sums / np.bincount(groups)[:, None])[groups[conflicting]]
        labels = targets.argmax(axis=1)
    reasons = {TIED: tied} if options.ties == "drop" else {}
    if options.copies == "drop":
        reasons[COPY] = _later(train, labels)
    new = targets if (targets != train.targets).any() else None
    return cleaned("resolve-conflicting", train, labels, reasons, new, "the label of most identical pictures")


def _counted(train: Split, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The group of identical pictures of each sample, int64 [n], and how often each group has each label, [g, k]."""
    groups = np.unique(train.hashes, return_inverse=True)[1]
    counts = np.zeros((int(groups.max()) + 1, len(train.classes)), dtype=np.int64)
    np.add.at(counts, (groups, labels), 1)
    return groups, counts


def _contradicted(counts: np.ndarray) -> np.ndarray:
    several: np.ndarray = (counts > 0).sum(axis=1) > 1
    return several


def _later(train: Split, labels: np.ndarray) -> np.ndarray:
    """Whether an earlier sample has the same picture and label: bool [n]."""
    pairs = np.stack([np.unique(train.hashes, return_inverse=True)[1], labels])
    later = np.ones(len(labels), dtype=bool)
    later[np.unique(pairs, axis=1, return_index=True)[1]] = False
    return later
