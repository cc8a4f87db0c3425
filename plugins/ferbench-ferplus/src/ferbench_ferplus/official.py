"""What the published votes come to, and names for copies whose votes do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ferbench_fer2013.official import PRIVATE, PUBLIC, TRAINING

from ferbench_ferplus import rule
from ferbench_ferplus.votes import EMOTIONS


@dataclass(frozen=True)
class Official:
    """``majority``: pictures of each emotion, by split. ``distributions``, ``accepted``: of Training, by scheme.

    ``most_votes``: pictures of each split under the protocol argmax.
    """

    majority: Mapping[str, tuple[int, ...]]
    distributions: int
    accepted: int
    most_votes: tuple[int, ...]


FERPLUS = Official(
    majority={
        TRAINING: (8740, 7287, 3149, 3014, 2100, 119, 532, 119),
        PUBLIC: (1182, 865, 415, 351, 287, 24, 62, 13),
        PRIVATE: (1090, 893, 396, 384, 273, 18, 83, 16),
    },
    distributions=27_956,
    accepted=27_671,
    most_votes=(28_389, 3_553, 3_546),
)
"""The published rules applied to the published fer2013new.csv."""


def wrong_counts(usage: np.ndarray, counts: np.ndarray, official: Official) -> list[str]:
    """Name what is wrong with a copy's votes (float32 [n, 10], pictures with a name alone); empty for a good copy."""
    labels = rule.majority(counts)
    most = rule.kept(rule.most_votes(counts))
    training = usage == TRAINING
    faults = []
    for number, (split, wanted) in enumerate(official.majority.items()):
        found = tuple(int(count) for count in labels[usage == split].sum(axis=0))
        if found != wanted:
            faults.append(_fault(split, found, wanted))
        kept = int(most[usage == split].sum())
        if kept != official.most_votes[number]:
            faults.append(f"{split} has {kept:,} pictures with a label by argmax, of {official.most_votes[number]:,}")
    for name, found_of, wanted_of in (
        ("a distribution", rule.distribution(counts), official.distributions),
        ("accepted emotions", rule.accepted(counts), official.accepted),
    ):
        kept = int(rule.kept(found_of[training]).sum())
        if kept != wanted_of:
            faults.append(f"Training has {kept:,} pictures with {name}, of {wanted_of:,}")
    return faults


def _fault(split: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    if sum(found) != sum(wanted):
        return f"{split} has {sum(found):,} pictures with a majority, of {sum(wanted):,}"
    differing = [f"{n} {a:,} instead of {b:,}" for n, a, b in zip(EMOTIONS, found, wanted, strict=True) if a != b]
    return f"the votes of {split} were altered: {', '.join(differing)}"
