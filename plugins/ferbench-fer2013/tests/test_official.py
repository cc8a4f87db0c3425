"""A copy that is not the official one is named for what it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ferbench_fer2013.official import FER2013, PRIVATE, PUBLIC, TRAINING, wrong_counts
from ferbench_fer2013.reading import read_checked

OFFICIAL = FER2013.counts


def test_the_official_counts_are_right() -> None:
    assert {split: sum(counts) for split, counts in OFFICIAL.items()} == {TRAINING: 28709, PUBLIC: 3589, PRIVATE: 3589}
    assert FER2013.merged == (958, 111, 1024, 1774, 1247, 831, 1233)
    assert wrong_counts(OFFICIAL, FER2013) == []
    assert wrong_counts({TRAINING: OFFICIAL[TRAINING], "Test": FER2013.merged}, FER2013) == []


def changed(split: str, *counts: int) -> dict[str, tuple[int, ...]]:
    return {**OFFICIAL, split: counts}


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (
            {TRAINING: OFFICIAL[TRAINING], PUBLIC: OFFICIAL[PRIVATE], PRIVATE: OFFICIAL[PUBLIC]},
            "PublicTest and PrivateTest are swapped",
        ),
        (
            {TRAINING: OFFICIAL[TRAINING], PUBLIC: FER2013.merged, PRIVATE: (0,) * 7},
            "PublicTest and PrivateTest stand under one name: this is the merged copy",
        ),
        (
            changed(TRAINING, 3995, 436, 4097, 7215, 4830, 3171, 4256),
            "Training has 28,000 of 28,709 rows: a partial copy",
        ),
        (changed(PRIVATE, 0, 0, 0, 0, 0, 0, 0), "PrivateTest is missing: a partial copy"),
        (
            changed(TRAINING, 7990, 872, 8194, 14430, 9660, 6342, 9930),
            "Training has 57,418 rows instead of 28,709: rows were added or repeated",
        ),
        (
            changed(TRAINING, 436, 3995, 4097, 7215, 4830, 3171, 4965),
            "the labels of Training are renumbered or shuffled: its class counts are the official ones permuted",
        ),
        (
            changed(PUBLIC, 466, 57, 496, 895, 653, 415, 607),
            "the labels of PublicTest were altered: angry 466 instead of 467, disgust 57 instead of 56",
        ),
        (
            {
                TRAINING: (3990, 436, 4097, 7215, 4830, 3171, 4965),
                PUBLIC: (472, 56, 496, 895, 653, 415, 607),
                PRIVATE: OFFICIAL[PRIVATE],
            },
            "the splits were dealt anew: Training has 28,704 rows instead of 28,709, PublicTest has 3,594 rows instead "
            "of 3,589",
        ),
    ],
)
def test_wrong_counts_are_named(counts: dict[str, tuple[int, ...]], message: str) -> None:
    assert wrong_counts(counts, FER2013) == [message]


def test_every_split_that_is_wrong_is_named() -> None:
    small = {split: tuple(n // 2 for n in counts) for split, counts in OFFICIAL.items()}
    assert len(wrong_counts(small, FER2013)) == 3


def shuffle_rows(copy: Any) -> None:
    order = np.random.default_rng(1).permutation(len(copy.labels))
    copy.pixels, copy.labels, copy.usage = copy.pixels[order], copy.labels[order], copy.usage[order]


def shuffle_labels(copy: Any) -> None:
    for usage in (TRAINING, PUBLIC, PRIVATE):
        rows = np.flatnonzero(copy.usage == usage)
        copy.labels[rows] = copy.labels[np.random.default_rng(1).permutation(rows)]


def renumber_labels(copy: Any) -> None:
    copy.labels = (copy.labels + 1) % 7


def alter_pixels(copy: Any) -> None:
    copy.pixels = 255 - copy.pixels


def swap_tests(copy: Any) -> None:
    copy.usage = np.array([{PUBLIC: PRIVATE, PRIVATE: PUBLIC}.get(usage, usage) for usage in copy.usage])


def repeat_rows(copy: Any) -> None:
    for name in ("pixels", "labels", "usage"):
        setattr(copy, name, np.concatenate([getattr(copy, name)] * 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shuffle_rows, "the rows are shuffled: they do not stand in the order of Kaggle's file"),
        (shuffle_labels, "the labels are shuffled: "),
        (renumber_labels, "the labels of Training are renumbered or shuffled"),
        (alter_pixels, "the pixels were altered (enhanced, rescaled or compressed): of 26 known pictures, 26 are not"),
        (swap_tests, "PublicTest and PrivateTest are swapped"),
        (repeat_rows, "Training has 84 rows instead of 42: rows were added or repeated"),
    ],
)
def test_copies_that_were_changed_are_named(
    copy: Any, tmp_path: Path, change: Callable[[Any], None], message: str
) -> None:
    change(copy)
    parsed = read_checked(copy.write(tmp_path / "fer2013.csv"), copy.official)
    assert parsed.partial.startswith(message)
    assert len(parsed.samples.ids) == len(copy.labels)


def test_a_few_rows_that_differ_are_borne(copy: Any, tmp_path: Path) -> None:
    """Copies are known in which some pictures were compressed again and some labels of twins exchanged."""
    copy.pixels[0] ^= 1
    rows = np.flatnonzero((copy.usage == TRAINING) & (copy.labels != copy.labels[3]))
    copy.labels[[3, rows[0]]] = copy.labels[[rows[0], 3]]
    assert read_checked(copy.write(tmp_path / "fer2013.csv"), copy.official).partial == ""


@pytest.mark.parametrize(
    ("splits", "protocols"),
    [
        ((TRAINING, PUBLIC), ("merged-test", "paper-80-20")),
        ((TRAINING,), ("paper-80-20",)),
        ((TRAINING, PUBLIC, PRIVATE), None),
    ],
)
def test_a_partial_copy_offers_what_it_can(
    copy: Any, tmp_path: Path, splits: tuple[str, ...], protocols: tuple[str, ...] | None
) -> None:
    part = copy.take(np.flatnonzero(np.isin(copy.usage, splits)))
    assert read_checked(part.write(tmp_path / "fer2013.csv"), copy.official).protocols == protocols
