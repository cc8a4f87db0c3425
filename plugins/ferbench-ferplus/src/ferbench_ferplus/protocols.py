"""The protocols of FER+: which pictures a labelling scheme keeps, and what it trains on.

Votes are read from the columns of the data set's table. Nothing is imported that a listing of protocols does not need.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ferbench import DataError, Fold, Samples

if TYPE_CHECKING:
    import numpy as np

SIDES = {"train": "Training", "val": "PublicTest", "test": "PrivateTest"}

Divide = Callable[[Samples], Sequence[Fold]]


def scheme(name: str) -> Divide:
    """Training as scheme ``name`` has it; val and test: pictures with a majority."""

    def divide(samples: Samples) -> Sequence[Fold]:
        import numpy as np

        from ferbench_ferplus import rule

        counts = votes_of(samples)
        agreed = rule.kept(rule.majority(counts))
        if name == "majority":
            return [_fold(samples, agreed, agreed)]
        targets = rule.accepted(counts) if name == "multi-label" else rule.distribution(counts)
        fold = _fold(samples, rule.kept(targets), agreed)
        chosen = targets[fold.train]
        labels = (chosen > 0).astype(np.float32) if name == "multi-label" else chosen
        return [Fold(fold.train, fold.val, fold.test, {"train": labels})]

    return divide


def argmax(samples: Samples) -> Sequence[Fold]:
    """Every side: pictures for which an emotion has the most votes."""
    from ferbench_ferplus import rule

    leading = rule.kept(rule.most_votes(votes_of(samples)))
    return [_fold(samples, leading, leading)]


def votes_of(samples: Samples) -> np.ndarray:
    """The ten votes of each picture, float32 [n, 10]: emotions, unknown, not a face."""
    import numpy as np

    columns = samples.columns
    return np.column_stack([columns["votes"], columns["unknown"], columns["not_a_face"]])


def _fold(samples: Samples, train: np.ndarray, tested: np.ndarray) -> Fold:
    """A fold by the data set's own splits; ``train`` and ``tested`` (bool [n]) are the pictures that are kept."""
    import numpy as np

    rows = {}
    for side, usage in SIDES.items():
        rows[side] = np.flatnonzero((samples.origin == usage) & (train if side == "train" else tested))
        if not len(rows[side]):
            raise DataError(f"this copy has no pictures of {usage} with votes that agree")
    return Fold(rows["train"], rows["val"], rows["test"])
