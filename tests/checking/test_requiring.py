"""The kit follows what a model requires, and gives estimators stand-ins of what required cells would."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ferbench import Batch
from ferbench.checking.made_up import spec_of
from ferbench.checking.report import Outcome, Subject, looked_at
from ferbench.checking.rules import rules_for
from ferbench.checking.trial import required_of
from ferbench.plugins import Installed, discover
from tests.contract import PLUGIN

REQUIRING = Path(__file__).parents[1] / "requirements_plugin.py"


@pytest.fixture(scope="module")
def installed() -> Installed:
    return discover(only=["builtin"], files=[PLUGIN, REQUIRING])


def outcome_of(installed: Installed, name: str, check: str) -> Outcome:
    model = installed.model(name)
    subject = Subject(model, installed.plugin_of("models", name), installed, lambda: installed, "quick")
    (rule,) = (rule for rule in rules_for("models", model) if rule.check == check)
    return looked_at(rule, subject)[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("circle-a", "requires itself: circle-a → circle-b → circle-a"),
        ("misnamed", "Did you mean 'tiny'"),
        ("misoptioned", "Did you mean 'width'"),
        ("in-sample", "scores of the samples on which it was trained"),
    ],
)
def test_a_faulty_requirement_is_found(installed: Installed, name: str, words: str) -> None:
    outcome = outcome_of(installed, name, "requires")
    assert outcome.state == "fail"
    assert words in outcome.detail


def test_a_chain_is_followed(installed: Installed) -> None:
    assert outcome_of(installed, "link", "requires") == Outcome("pass", "teacher: tiny")


@pytest.mark.parametrize("target", [torch.tensor([2, 0]), torch.tensor([[0.0, 0.1, 0.9], [0.8, 0.2, 0.0]])])
def test_a_stand_in_for_a_teacher_says_what_is_right(installed: Installed, target: torch.Tensor) -> None:
    model = installed.model("link")
    subject = Subject(model, installed.plugin_of("models", "link"), installed, lambda: installed, "quick")
    teacher = required_of(subject, spec_of(model, classes=3), len(target))["teacher"]
    assert teacher.logits(Batch({}, target)).argmax(1).tolist() == [2, 0]


@pytest.mark.parametrize("check", ["company", "saved", "repeats"])
def test_an_estimator_without_pictures_is_given_made_up_scores_and_features(installed: Installed, check: str) -> None:
    assert outcome_of(installed, "on-val", check).state == "pass"
