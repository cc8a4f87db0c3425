"""Votes of annotators: shares of them, and how well people agree with the labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ferbench import PluginError, ProtocolRule, given_split
from ferbench.data.stored import Loaded
from ferbench.data.summary import class_counts
from ferbench.data.votes import human_agreement, vote_shares, votes_of

from .conftest import CLASSES, toy_samples

Load = Callable[..., Loaded]
VOTES = np.array([[8, 1, 1], [5, 5, 0], [0, 0, 0], [2, 0, 8]])


def test_shares_of_votes_sum_to_one_and_are_unknown_where_nobody_voted() -> None:
    shares = vote_shares(VOTES, CLASSES, CLASSES)
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares[[0, 1, 3]], np.array([[0.8, 0.1, 0.1], [0.5, 0.5, 0.0], [0.2, 0.0, 0.8]]))
    assert np.isnan(shares[2]).all()
    two = vote_shares(VOTES, CLASSES, ("neutral", "anger"))
    np.testing.assert_allclose(two[[0, 1, 3]], [[1 / 9, 8 / 9], [0.0, 1.0], [0.8, 0.2]], rtol=1e-6)


def test_an_annotator_scores_the_share_of_votes_that_the_label_got() -> None:
    shares = vote_shares(VOTES, CLASSES, CLASSES)
    agreement = human_agreement(shares, np.array([0, 1, 1, 0]))
    assert agreement is not None
    assert agreement["annotator"] == pytest.approx((0.8 + 0.5 + 0.2) / 3)
    assert agreement["majority"] == pytest.approx((1 + 0.5 + 0) / 3), "equal votes are drawn from"
    assert human_agreement(shares[2:3], np.array([1])) is None


def test_the_best_that_annotators_draw_is_what_simulated_ones_reach() -> None:
    rng = np.random.default_rng(0)
    votes = rng.multinomial(10, (0.6, 0.3, 0.1), 500)
    targets = votes.argmax(1)
    agreement = human_agreement(vote_shares(votes, CLASSES, CLASSES), targets)
    chosen = np.array([rng.choice(np.repeat(np.arange(3), row), 200) for row in votes])
    assert agreement is not None
    assert agreement["annotator"] == pytest.approx((chosen == targets[:, None]).mean(), abs=0.01)


def test_votes_are_looked_up_by_id_whatever_the_order(load_made: Load) -> None:
    samples, _ = toy_samples()
    loaded = load_made(samples)
    found = votes_of(loaded, CLASSES, samples.ids[[40, 3, 17]])
    assert found is not None
    np.testing.assert_array_equal(found, vote_shares(samples.columns["votes"][[40, 3, 17]], CLASSES, CLASSES))
    assert votes_of(load_made(replace(samples, columns={}), name="silent"), CLASSES, samples.ids) is None


def test_the_summary_of_a_protocol_tells_how_well_people_agree(load_made: Load) -> None:
    samples, _ = toy_samples()
    rule = ProtocolRule("two", given_split("train", "val", "test"), classes=("neutral", "anger"))
    loaded = load_made(samples, protocols=(rule,))
    facts = class_counts(loaded, rule)
    test = (samples.origin == "test") & (samples.targets != 1)
    pairs = samples.columns["votes"][test][:, [2, 0]]
    got = pairs[np.arange(len(pairs)), (samples.targets[test] == 0).astype(int)] / pairs.sum(1)
    assert facts["test"]["human"]["annotator"] == pytest.approx(got.mean())
    assert 0 < facts["test"]["human"]["majority"] < 1
    silent = load_made(replace(samples, columns={}), name="silent", protocols=(rule,))
    assert "human" not in class_counts(silent, rule)["test"]


@pytest.mark.parametrize("votes", [np.ones((60, 2)), np.ones(60), np.full((60, 3), -1), np.full((60, 3), np.nan)])
def test_votes_that_are_not_counts_of_every_class_break_the_contract(load_made: Load, votes: np.ndarray) -> None:
    samples, _ = toy_samples()
    with pytest.raises(PluginError, match=r"votes are not numbers of votes \[60, 3\]"):
        load_made(replace(samples, columns={"votes": votes}))
