"""What a protocol makes of a data set: sizes, class counts, and a digest of the whole division."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from ferbench.data.labels import expected_counts
from ferbench.data.splits import count_folds, make_splits
from ferbench.data.stored import Loaded
from ferbench.data.votes import human_agreement, votes_of
from ferbench.nouns.dataset import ProtocolRule
from ferbench.nouns.split import Split


def class_counts(loaded: Loaded, rule: ProtocolRule) -> dict[str, Any]:
    """``{"train": {"n": …, "classes": {name: count}}, …, "folds": …}`` of the protocol's first fold, as plain data.

    Counts are shares summed up where labels are soft or drawn, the samples that accept a class where several may be
    right, and left out of a regression. Where the data set keeps votes, a side of hard labels has ``human`` as well:
    how well its annotators agree with it (:func:`ferbench.data.votes.human_agreement`).
    """
    splits = make_splits(loaded, rule)
    sides = {"train": splits.train, "val": splits.val, "test": splits.test}
    return {**{name: _facts(loaded, split) for name, split in sides.items()}, "folds": count_folds(loaded, rule)}


def _facts(loaded: Loaded, split: Split) -> dict[str, Any]:
    facts: dict[str, Any] = {"n": len(split)}
    if split.label_kind == "real":
        return facts
    targets = np.asarray(split.targets)
    counts = expected_counts(targets, len(split.classes))
    values = [int(value) if value.is_integer() else round(value, 3) for value in counts.tolist()]
    facts["classes"] = dict(zip(split.classes, values, strict=True))
    votes = votes_of(loaded, split.classes, split.ids) if split.label_kind == "hard" else None
    agreement = None if votes is None else human_agreement(votes, targets)
    return facts if agreement is None else facts | {"human": agreement}


@dataclass(frozen=True)
class FoldFacts:
    """One fold of a protocol: the number of samples of each side, the classes, and notes for the table."""

    n_train: int
    n_val: int
    n_test: int
    classes: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Division:
    """All folds of a protocol; ``digest`` changes when any side gets another sample, target or class."""

    folds: tuple[FoldFacts, ...]
    digest: str


def describe_division(loaded: Loaded, rule: ProtocolRule) -> Division:
    """Divide a data set as ``rule`` says, and keep what there is to know of it. Raises DataError as dividing does."""
    content, folds = hashlib.sha256(), []
    for fold in range(count_folds(loaded, rule)):
        splits = make_splits(loaded, rule, fold)
        for split in (splits.train, splits.val, splits.test):
            targets = np.ascontiguousarray(split.targets)
            content.update("\n".join([*split.ids.tolist(), *split.classes, str(targets.dtype)]).encode())
            content.update(targets.tobytes())
        sizes = (len(splits.train), len(splits.val), len(splits.test))
        folds.append(FoldFacts(*sizes, splits.test.classes, splits.notes))
    return Division(tuple(folds), content.hexdigest()[:20])
