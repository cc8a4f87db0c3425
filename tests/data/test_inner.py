"""Inner folds of the training side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ferbench import DataError, ProtocolRule, Samples, given_split
from ferbench.data.inner import held_out
from ferbench.data.splits import make_splits
from ferbench.data.stored import Loaded

RULE = ProtocolRule("official", given_split("train", "val", "test"))


def samples(people: int = 6) -> Samples:
    """Ten pictures of each person, two classes in turn; the first six people are for training."""
    count = 10 * (people + 2)
    person = np.repeat([f"p{i}" for i in range(people + 2)], 10)
    origin = np.repeat(["train"] * people + ["val", "test"], 10)
    return Samples(np.array([f"i{i:03d}" for i in range(count)]), np.arange(count) % 2, origin, {"subject": person})


def test_every_sample_is_held_out_once_and_no_group_stands_on_two_sides(load_made: Callable[..., Loaded]) -> None:
    loaded = load_made(samples(), protocols=(RULE,), classes=("a", "b"))
    whole = make_splits(loaded, RULE)
    parts = [held_out(whole, RULE, [(3, fold)]) for fold in range(3)]
    assert sorted(name for part in parts for name in part.test.ids.tolist()) == whole.train.ids.tolist()
    for part in parts:
        assert not set(part.train.groups["subject"].tolist()) & set(part.test.groups["subject"].tolist())
        assert len(part.train) + len(part.test) == len(whole.train)
        assert part.val.ids.tolist() == whole.val.ids.tolist()


def test_inner_folds_lie_within_each_other(load_made: Callable[..., Loaded]) -> None:
    whole = make_splits(load_made(samples(), protocols=(RULE,), classes=("a", "b")), RULE)
    outer, both = held_out(whole, RULE, [(2, 0)]), held_out(whole, RULE, [(2, 0), (3, 1)])
    assert set(both.test.ids.tolist()) < set(outer.train.ids.tolist())


def test_more_folds_than_groups_are_refused(load_made: Callable[..., Loaded]) -> None:
    whole = make_splits(load_made(samples(), protocols=(RULE,), classes=("a", "b")), RULE)
    with pytest.raises(DataError, match="cannot be divided into 9 folds"):
        held_out(whole, RULE, [(9, 0)])
