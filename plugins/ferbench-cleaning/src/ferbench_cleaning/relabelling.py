"""New labels for FER2013 by the votes of FER+ (Barsoum et al. 2016)."""

from __future__ import annotations

import numpy as np

from ferbench import DataError, Facts, Sample, SampleContext, Split
from ferbench_cleaning.deciding import cleaned
from ferbench_cleaning.options import Ferplus

LEAST = 2
"""A vote that stands alone for its emotion does not count, as in the authors' code."""


def relabel_ferplus(train: Split, context: SampleContext) -> Sample:
    """Give each picture the emotion that has more than ``share`` of the votes that count.

    Where none has, or that emotion (contempt) or ``not a face`` is no class of this data, ``unclear`` decides.
    """
    options = context.options
    assert isinstance(options, Ferplus)
    if train.label_kind != "hard":
        raise DataError(f"relabel-ferplus replaces hard labels, and these are {train.label_kind}.")
    votes = context.facts(options.votes, "votes")
    beside = [context.facts(options.votes, column).values for column in ("unknown", "not_a_face")]
    own = np.asarray(train.targets, np.int64)
    label = agreed(votes, beside, train.classes, options.share)
    clear = label >= 0
    targets = np.where(clear, label, own)
    unclear = {f"no class has more than {options.share:.0%} of the votes in {options.votes}": ~clear}
    reasons = unclear if options.unclear == "drop" else {}
    return cleaned("relabel-ferplus", train, targets, reasons, targets, f"most votes in {options.votes}")


def agreed(votes: Facts, beside: list[np.ndarray], classes: tuple[str, ...], share: float) -> np.ndarray:
    """The class on which more than ``share`` of the votes agree, int64 [n]; -1 where none, or no such sample, has.

    ``beside``: votes for no emotion, [n] each. Raises DataError where the two share no class.
    """
    if not set(votes.classes) & set(classes):
        raise DataError(f"The votes are for {', '.join(votes.classes)}, and this data set has {', '.join(classes)}.")
    counts = np.column_stack([votes.values, *beside]).astype(np.float64)
    counts[counts < LEAST] = 0
    place = np.array([classes.index(name) if name in classes else -1 for name in votes.classes] + [-1] * len(beside))
    leads = counts.max(axis=1) > share * counts.sum(axis=1)
    # With a low share two may lead: then nobody can tell.
    alone = (counts == counts.max(axis=1, keepdims=True)).sum(axis=1) == 1
    label: np.ndarray = np.where(votes.known & leads & alone, place[counts.argmax(axis=1)], -1)
    return label
