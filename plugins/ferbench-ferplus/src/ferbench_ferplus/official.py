"""What the published votes come to, and names for copies whose votes do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from ferbench_fer2013.official import PRIVATE, PUBLIC, TRAINING

from ferbench_ferplus import rule
from ferbench_ferplus.votes import EMOTIONS

NEW = "fer2013new.csv"
LABELS = "label.csv"


@dataclass(frozen=True)
class Official:
    """``majority``: pictures of each split. ``distributions``, ``accepted``: pictures of Training, by scheme.

    ``emotions``: those of ``majority`` by emotion; ``most_votes``: pictures of each split under the protocol argmax.
    Both are empty where nobody published them.
    """

    majority: Mapping[str, int]
    distributions: int
    accepted: int
    emotions: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    most_votes: Mapping[str, int] = field(default_factory=dict)


EDITIONS: Mapping[str, Official] = {
    NEW: Official(
        majority={TRAINING: 25_060, PUBLIC: 3_199, PRIVATE: 3_153},
        distributions=27_956,
        accepted=27_671,
        emotions={
            TRAINING: (8740, 7287, 3149, 3014, 2100, 119, 532, 119),
            PUBLIC: (1182, 865, 415, 351, 287, 24, 62, 13),
            PRIVATE: (1090, 893, 396, 384, 273, 18, 83, 16),
        },
        most_votes={TRAINING: 28_389, PUBLIC: 3_553, PRIVATE: 3_546},
    ),
    LABELS: Official(
        majority={TRAINING: 25_045, PUBLIC: 3_191, PRIVATE: 3_137},
        distributions=27_947,
        accepted=27_667,
    ),
}
"""What the published rules make of the published votes, by the files of an edition."""


def edition_of(
    usage: np.ndarray, counts: np.ndarray, file: str, editions: Mapping[str, Official]
) -> tuple[str, list[str]]:
    """The edition to which votes belong by their counts, else by their ``file``; and what is wrong with them.

    The authors' script writes label.csv anew from fer2013new.csv, so that a file's name alone does not tell.
    """
    faults = wrong_counts(usage, counts, editions[file])
    if faults:
        for other, official in editions.items():
            if other != file and not wrong_counts(usage, counts, official):
                return other, []
    return file, faults


def wrong_counts(usage: np.ndarray, counts: np.ndarray, official: Official) -> list[str]:
    """Name what is wrong with a copy's votes (float32 [n, 10], pictures with a name alone); empty for a good copy."""
    labels = rule.majority(counts)
    most = rule.kept(rule.most_votes(counts))
    training = usage == TRAINING
    faults = []
    for split, wanted in official.majority.items():
        found = tuple(int(count) for count in labels[usage == split].sum(axis=0))
        if sum(found) != wanted:
            faults.append(f"{split} has {sum(found):,} pictures with a majority, of {wanted:,}")
        elif split in official.emotions and found != official.emotions[split]:
            faults.append(f"the votes of {split} were altered: {_differing(found, official.emotions[split])}")
        kept = int(most[usage == split].sum())
        if kept != official.most_votes.get(split, kept):
            faults.append(f"{split} has {kept:,} pictures with a label by argmax, of {official.most_votes[split]:,}")
    for name, found_of, wanted_of in (
        ("a distribution", rule.distribution(counts), official.distributions),
        ("accepted emotions", rule.accepted(counts), official.accepted),
    ):
        kept = int(rule.kept(found_of[training]).sum())
        if kept != wanted_of:
            faults.append(f"Training has {kept:,} pictures with {name}, of {wanted_of:,}")
    return faults


def _differing(found: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    return ", ".join(f"{n} {a:,} instead of {b:,}" for n, a, b in zip(EMOTIONS, found, wanted, strict=True) if a != b)
