"""Each rule of the kit finds the fault that it is there for, and none in sound objects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ferbench import TenCrop
from ferbench.checking import learning
from ferbench.checking.report import GFLOPS, Outcome, Subject, looked_at
from ferbench.checking.rules import rules_for
from ferbench.plugins import Installed, Kind, discover

FLAWED = Path(__file__).with_name("flawed.py")

FAULTS: list[tuple[Kind, str, str, str]] = [
    ("models", "four-classes", "builds", "for 2 classes: scores of shape [3, 4] for 3 pictures and 2 classes"),
    ("models", "not-a-number", "builds", "scores that are not finite"),
    ("models", "sociable", "company", "alone, scores differ by up to"),
    ("models", "maskless", "company", "alone, scores differ by up to"),
    ("models", "mirrored-eeg", "resolves", "horizontal-flip changes pictures, and the data are eeg"),
    ("models", "dicing", "company", "the same batch twice gives different scores"),
    ("models", "forgetful", "saved", "after saving and loading"),
    ("models", "forgetful", "device", "cuda:0 and cpu! (flawed, line"),
    ("models", "far", "device", "cuda:0 and cpu! (flawed, line"),
    ("models", "homesick", "device", "what it returns lies on the CPU"),
    ("models", "idle", "gradients", "unused.weight never gets a gradient; unused.bias never gets a gradient"),
    ("models", "blind", "learns", "25% right on its own 16 training pictures at best"),
    ("models", "stale", "learns", "right on its own 16 training pictures at best"),
    ("models", "unseeded", "repeats", "body.0.weight differs"),
    ("models", "unresolved", "resolves", "'no_such_module:build' cannot be loaded"),
    ("models", "lost-in-space", "search-space", "there is no 'rate' at optimizer"),
    ("models", "lost-in-space", "search-space", "epochs begins with neither recipe. nor model.options."),
    ("models", "stunted", "resolves", "its small settings: recipe.input.sise"),
    ("models", "halved", "search-space", "recipe.batch_size"),
    ("models", "orphan", "requires", "teacher: There is no model 'no-such-model'"),
    ("models", "boastful", "citation", "has no locator (such as 'Table 2')"),
    ("models", "boastful", "citation", "70.2: write a fraction"),
    ("models", "logits", "fits", "scores that are no probabilities"),
    ("models", "amnesic", "saved", "restored, it scores differently"),
    ("models", "moody", "repeats", "two fits with one seed differ"),
    ("models", "relative", "company", "predicted one by one, scores differ"),
    ("models", "loud", "scores", "32 × 32 pixels, 1 channels: loud gave scores that are no probabilities"),
    ("models", "crowded", "company", "predicted one by one, scores differ"),
    ("models", "fickle", "repeats", "made twice, it scores differently"),
    ("samplers", "unseeded-sampler", "seeded", "one seed gave two answers"),
    ("samplers", "scribbler", "untouched", "it changed the targets of its split"),
    ("samplers", "too-far", "decides", "indices from 0 to 60 for 60 samples"),
    ("samplers", "looking", "streams", "on clips that stream it raised AssertionError: these are not in memory"),
    ("samplers", "all-classes", "few", "one class alone: it raised IndexError"),
    ("metrics", "percentage", "finite", "though percent=True says it is a fraction"),
    ("metrics", "endless", "finite", "nan"),
    ("metrics", "backwards", "direction", "all right 1, all wrong 0"),
    ("metrics", "first-ten", "order", "shuffled"),
    ("metrics", "disagreeing", "shortcuts", "of_confusion gives"),
    ("metrics", "second-sample", "undefined", "one sample: it raised IndexError"),
]


@pytest.fixture(scope="module")
def installed() -> Installed:
    return discover(only=["builtin"], files=[FLAWED])


def item_of(installed: Installed, kind: Kind, name: str) -> Any:
    find = {"models": installed.model, "samplers": installed.sampler, "metrics": installed.metric}
    return find[kind](name)


def outcome_of(installed: Installed, kind: Kind, name: str, check: str) -> Outcome:
    item = item_of(installed, kind, name)
    subject = Subject(item, installed.plugin_of(kind, name), installed, lambda: installed, "quick")
    (rule,) = (rule for rule in rules_for(kind, item) if rule.check == check)
    return looked_at(rule, subject)[0]


@pytest.mark.parametrize(("kind", "name", "check", "words"), FAULTS, ids=[f"{f[1]} {f[2]}" for f in FAULTS])
def test_a_fault_is_found(
    installed: Installed, kind: Kind, name: str, check: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "RATES", learning.RATES[:1])  # a network that cannot learn takes all its time at each
    outcome = outcome_of(installed, kind, name, check)
    assert outcome.state == "fail"
    assert words in outcome.detail


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("models", "sound"),
        ("models", "mean"),
        ("models", "even"),
        ("models", "masked"),
        ("models", "electrodes"),
        ("samplers", "keep-all"),
        ("samplers", "looking-by-word"),
        ("metrics", "share"),
    ],
)
def test_a_sound_object_keeps_every_rule(installed: Installed, kind: Kind, name: str) -> None:
    rules = rules_for(kind, item_of(installed, kind, name))
    outcomes = {rule.check: outcome_of(installed, kind, name, rule.check) for rule in rules}
    assert {check: outcome for check, outcome in outcomes.items() if outcome.state == "fail"} == {}


def test_every_rule_is_broken_by_something_above() -> None:
    installed = discover(only=["builtin"], files=[FLAWED])
    kinds: dict[Kind, str] = {"models": "sound", "samplers": "keep-all", "metrics": "share"}
    rules = {
        (kind, rule.check) for kind, name in kinds.items() for rule in rules_for(kind, item_of(installed, kind, name))
    }
    tried = {(kind, check) for kind, _, check, _ in FAULTS}
    assert rules - tried == {("samplers", "requires"), ("metrics", "documented")}


def test_what_every_stage_freezes_needs_no_gradient(installed: Installed) -> None:
    outcome = outcome_of(installed, "models", "head-only", "gradients")
    assert outcome.state == "pass"
    assert "4 tensors frozen" in outcome.detail


def test_what_numbers_alone_decide_ends_the_look_at_its_device(installed: Installed) -> None:
    outcome = outcome_of(installed, "models", "reading", "device")
    assert outcome.state == "skip"
    assert outcome.detail.startswith("seen in part: then it asks for numbers")
    assert "(flawed, line" in outcome.detail


def test_running_statistics_may_follow_slowly(installed: Installed) -> None:
    assert outcome_of(installed, "models", "slow", "learns").state == "pass"


def test_a_model_without_a_paper_is_noted(installed: Installed) -> None:
    outcome = outcome_of(installed, "models", "idle", "citation")
    assert (outcome.state, outcome.detail) == ("note", "no paper")


def test_a_finished_model_whose_package_is_missing_is_not_judged(installed: Installed) -> None:
    outcome = outcome_of(installed, "models", "unpacked", "scores")
    assert (outcome.state, outcome.detail) == (
        "skip",
        "it needs the package no_such_module, which is not installed: pip install no-such-package",
    )


def test_a_large_network_whose_views_are_of_a_fixed_size_is_tried_on_smaller_pictures(
    installed: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(GFLOPS, "quick", 1e-9)
    sound = installed.model("sound")
    recipe = sound.recipe.model_copy(update={"tta": TenCrop(size=12)})
    subject = Subject(
        replace(sound, recipe=recipe), installed.plugin_of("models", "sound"), installed, lambda: installed, "quick"
    )
    (rule,) = (rule for rule in rules_for("models", sound) if rule.check == "repeats")
    assert looked_at(rule, subject)[0].state == "pass"
