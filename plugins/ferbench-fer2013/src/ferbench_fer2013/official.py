"""What a good copy of FER2013 holds, and names for copies that are not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The data set's own names of labels 0 to 6."""

TRAINING, PUBLIC, PRIVATE, MERGED = "Training", "PublicTest", "PrivateTest", "Test"


@dataclass(frozen=True)
class Witness:
    """A row by which the official file is known among those with the right counts: its label, a hash of its pixels."""

    row: int
    label: int
    pixels: str


@dataclass(frozen=True)
class Official:
    """``counts``: rows of each class, by split. ``witnesses``: rows whose pixels occur but once."""

    counts: Mapping[str, tuple[int, ...]]
    witnesses: tuple[Witness, ...] = ()

    @property
    def merged(self) -> tuple[int, ...]:
        """Counts of PublicTest and PrivateTest together."""
        return tuple(a + b for a, b in zip(self.counts[PUBLIC], self.counts[PRIVATE], strict=True))


_WITNESSES = """
0 0 0c60caa034f0c2eb
1139 4 d6edcb229d509665
2278 4 f43e3a5bda0fd574
3418 4 3e03155ac4908d4a
4557 3 ad10331df7f4c371
5697 4 8995241c339202cc
6835 3 d5f8252ef8228db0
7975 3 96460d762854b72f
9114 3 9f8ca0e549bc1711
10253 0 a1a44981b147ca72
11392 3 0c43e57f641d95e4
12532 0 4ed6bb00e427b0a8
13671 0 f0662af4efa21d30
14810 6 e7ccc201253c0be0
15949 4 96f126ffb1400816
17089 3 4f8bd641fd6845ba
18228 4 50b97059315571d2
19367 4 6dee411d0a781690
20506 3 abe4be10f9e29090
21646 0 eb1cb435b593ac0e
22785 2 0da7917a8a349ff7
23924 3 c477384e651c8e5d
25063 3 a1cd97e370f67029
26202 4 cb8188888810641c
27342 3 13afa09d5e20e678
28481 0 69857616db1382a9
29620 4 843fad9906471054
30759 0 5407dd9c6a9c0fe0
31899 5 d7a5d465b44700cc
33038 6 b1c08edbcd86244e
34177 0 d411ce3ca58fd54c
35316 5 69978b09a879fdd0
"""

FER2013 = Official(
    counts={
        TRAINING: (3995, 436, 4097, 7215, 4830, 3171, 4965),
        PUBLIC: (467, 56, 496, 895, 653, 415, 607),
        PRIVATE: (491, 55, 528, 879, 594, 416, 626),
    },
    witnesses=tuple(
        Witness(int(row), int(label), pixels) for row, label, pixels in map(str.split, _WITNESSES.strip().splitlines())
    ),
)
"""Kaggle's file: 28,709 + 3,589 + 3,589 rows, in this order."""


def wrong_counts(counts: Mapping[str, Sequence[int]], official: Official, unit: str = "rows") -> list[str]:
    """Name what is wrong with a copy by its counts of each class by split; an empty list for a good copy.

    A copy without the names PublicTest and PrivateTest counts its test pictures as split Test.
    """
    good = dict(official.counts)
    if MERGED in counts:
        good = {TRAINING: official.counts[TRAINING], MERGED: official.merged}
    found = {split: tuple(numbers) for split, numbers in counts.items() if sum(numbers)}
    if found == good:
        return []
    if found == {TRAINING: good[TRAINING], PUBLIC: good.get(PRIVATE), PRIVATE: good.get(PUBLIC)}:
        return ["PublicTest and PrivateTest are swapped"]
    if MERGED not in counts and sorted(map(sum, found.values())) == sorted(
        [sum(official.merged), sum(official.counts[TRAINING])]
    ):
        return ["PublicTest and PrivateTest stand under one name: this is the merged copy"]
    if set(found) == set(good) and found != good and _column_sums(found) == _column_sums(good):
        return [": ".join(["the splits were dealt anew", *_sizes(found, good, unit)])]
    return [fault for split in good for fault in _split_fault(split, found.get(split), good[split], unit)]


def _column_sums(counts: Mapping[str, Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip(*counts.values(), strict=True)]


def _sizes(found: Mapping[str, Sequence[int]], good: Mapping[str, Sequence[int]], unit: str) -> list[str]:
    differing = [split for split in good if sum(found[split]) != sum(good[split])]
    sizes = [f"{split} has {sum(found[split]):,} {unit} instead of {sum(good[split]):,}" for split in differing]
    return [", ".join(sizes)] if sizes else []


def _split_fault(split: str, found: tuple[int, ...] | None, good: tuple[int, ...], unit: str) -> list[str]:
    if found == good:
        return []
    if found is None:
        return [f"{split} is missing: a partial copy"]
    total, wanted = sum(found), sum(good)
    if total < wanted:
        return [f"{split} has {total:,} of {wanted:,} {unit}: a partial copy"]
    if total > wanted:
        return [f"{split} has {total:,} {unit} instead of {wanted:,}: {unit} were added or repeated"]
    if sorted(found) == sorted(good):
        return [f"the labels of {split} are renumbered or shuffled: its class counts are the official ones permuted"]
    differing = [f"{n} {a:,} instead of {b:,}" for n, a, b in zip(NAMES, found, good, strict=True) if a != b]
    return [f"the labels of {split} were altered: {', '.join(differing)}"]


def wrong_content(pixels: np.ndarray, labels: np.ndarray, official: Official) -> list[str]:
    """Name what is wrong with rows (uint8 [n, 2304], int64 [n]) whose counts are right, by the official witnesses.

    One witness in ten may fail: copies are known in which a few rows were compressed again or relabelled.
    """
    bearable = len(official.witnesses) // 10
    strangers = [w for w in official.witnesses if _hash(pixels[w.row]) != w.pixels]
    if len(strangers) > bearable:
        everywhere = {_hash(row) for row in pixels}
        lost = sum(w.pixels not in everywhere for w in strangers)
        if lost <= bearable:
            return [
                "the rows are shuffled: they do not stand in the order of Kaggle's file, which gives them their ids"
            ]
        return [
            f"the pixels were altered (enhanced, rescaled or compressed): of {len(official.witnesses)} known pictures, "
            f"{lost} are not among them"
        ]
    relabelled = sum(int(labels[w.row]) != w.label for w in official.witnesses)
    if relabelled > bearable:
        return [
            f"the labels are shuffled: {relabelled} of {len(official.witnesses)} known pictures have another label, "
            "though the class counts are right"
        ]
    return []


def _hash(pixels: np.ndarray) -> str:
    return hashlib.blake2b(pixels.tobytes(), digest_size=8).hexdigest()
