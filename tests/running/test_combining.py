"""Rules by which scores are joined, and what val decides."""

from __future__ import annotations

import numpy as np
import pytest

from ferbench.evaluating.combining import Joint, Rule, chosen, decide, experts, fitted_weights, joined

TRUTH = np.array([0, 0, 1, 1, 2, 2])


def guessing(classes: list[int]) -> np.ndarray:
    """Probabilities [n, 3] of a member that guesses ``classes``: sure where it is right, less so where it is wrong."""
    share = np.where(np.array(classes) == TRUTH, 0.8, 0.5)
    scores = np.repeat((1 - share)[:, None] / 2, 3, axis=1)
    scores[np.arange(len(classes)), classes] = share
    return scores


FIRST, SECOND, THIRD = guessing([0, 0, 0, 0, 2, 2]), guessing([1, 1, 1, 1, 2, 0]), guessing([0, 0, 1, 0, 1, 1])
ALL = np.stack([FIRST, SECOND, THIRD])


@pytest.mark.parametrize("rule", ["mean", "logit", "vote", "class-tree"])
def test_every_rule_gives_probabilities(rule: Rule) -> None:
    scores = joined(rule, ALL, decide(rule, ALL, TRUTH, 0, None, weigh=False))
    assert scores.shape == (6, 3)
    np.testing.assert_allclose(scores.sum(axis=1), 1)


def test_rules_differ_as_they_should() -> None:
    one = np.array([[[0.9, 0.1, 0.0]], [[0.3, 0.4, 0.3]], [[0.3, 0.4, 0.3]]])
    every = Joint((0, 1, 2))
    np.testing.assert_allclose(joined("mean", one, every), [[0.5, 0.3, 0.2]])
    assert joined("vote", one, every).argmax() == 1, "two members of three"
    assert joined("vote", one[:2], Joint((0, 1))).argmax() == 0, "between equals the mean decides"
    geometric = np.array([0.9 * 0.09, 0.1 * 0.16, 1e-7 * 0.09]) ** (1 / 3)
    np.testing.assert_allclose(joined("logit", one, every)[0], geometric / geometric.sum())


def test_each_class_goes_to_the_member_that_is_best_at_it() -> None:
    assert experts(ALL, TRUTH) == (2, 1, 0)
    scores = joined("class-tree", ALL, Joint((0, 1, 2), (), (2, 1, 0)))
    own = np.stack([THIRD[:, 0], SECOND[:, 1], FIRST[:, 2]], axis=1)
    np.testing.assert_allclose(scores, own / own.sum(axis=1, keepdims=True))


def test_a_member_that_helps_is_taken_before_a_better_one_that_does_not() -> None:
    twins = np.stack([FIRST, FIRST, SECOND])
    assert chosen("mean", twins, TRUTH, 2, None) == (0, 2)
    assert chosen("mean", twins, TRUTH, 2, "disagreement") == (0, 2)
    assert chosen("mean", twins, TRUTH, 2, "double-fault") == (0, 2)


def test_weights_make_val_most_likely() -> None:
    weights = fitted_weights(ALL, TRUTH)
    best = np.log(np.tensordot(weights, ALL, axes=1)[np.arange(6), TRUTH]).mean()
    assert weights.sum() == pytest.approx(1)
    for other in np.random.default_rng(0).dirichlet(np.ones(3), 200):
        assert np.log(np.tensordot(other, ALL, axes=1)[np.arange(6), TRUTH]).mean() <= best + 1e-6


def test_where_each_expert_denies_its_own_class_the_mean_decides() -> None:
    sure = np.array([[[0.0, 0.0, 1.0]], [[0.0, 1.0, 0.0]], [[0.0, 1.0, 0.0]]])
    scores = joined("class-tree", sure, Joint((0, 1, 2), (), (0, 0, 1)))
    np.testing.assert_allclose(scores, [[0, 2 / 3, 1 / 3]])
    tiny = joined("class-tree", sure * 1e-9, Joint((0, 1, 2), (), (0, 1, 0)))
    np.testing.assert_allclose(tiny.sum(axis=1), 1)
