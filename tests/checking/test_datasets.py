"""Data sets: what is promised, what stands on several sides, and what is said where data are missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferbench import Dataset, Fold, Parsed, ProtocolRule, ReadContext, Samples, given_split
from ferbench.checking.report import Outcome, Subject, looked_at
from ferbench.checking.rules import DATASET
from ferbench.plugins import Installed, PluginInfo

COUNT = 60
GIVEN = given_split("train", "val", "test")


def parsed(ids: np.ndarray | None = None, copies: bool = False, targets: np.ndarray | None = None) -> Parsed:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (COUNT, 8, 8)).astype(np.uint8)
    if copies:
        pictures[50] = pictures[0]  # a test sample that is a training sample too
    names = np.array([f"p{index:02d}" for index in range(COUNT)]) if ids is None else ids
    origin = np.array(["train"] * 40 + ["val"] * 5 + ["test"] * 15)
    labels = np.arange(COUNT) % 3 if targets is None else targets
    return Parsed(Samples(names, labels, origin), {"image": pictures})


def read(path: Path | None, context: ReadContext) -> Parsed:
    return parsed()


def read_copies(path: Path | None, context: ReadContext) -> Parsed:
    return parsed(copies=True)


CALLS = count()


def read_changing(path: Path | None, context: ReadContext) -> Parsed:
    return parsed(ids=np.array([f"{next(CALLS)}-{index}" for index in range(COUNT)]))


def read_two_classes(path: Path | None, context: ReadContext) -> Parsed:
    return parsed(targets=np.arange(COUNT) % 2)


def dealt_apart(samples: Samples) -> list[Fold]:
    """Sides that do not follow the data set's own: sample 0 in train, its copy 50 in test."""
    test = np.arange(44, 60)
    return [Fold(np.arange(0, 40), np.arange(40, 44), test)]


BASE = Dataset(
    "patches",
    f"{COUNT} pictures of noise",
    ("anger", "fear", "neutral"),
    (ProtocolRule("official", GIVEN),),
    read,
    embedded=True,
    licence="CC0",
)


@pytest.fixture
def look(data_root: Path) -> Callable[..., Outcome]:
    def _look(check: str, **changes: Any) -> Outcome:
        dataset: Dataset = replace(BASE, **changes)
        (rule,) = (rule for rule in DATASET if rule.check == check)
        installed = Installed(())
        return looked_at(rule, Subject(dataset, PluginInfo("made-up"), installed, lambda: installed))[0]

    return _look


def test_a_sound_data_set_keeps_every_rule(look: Callable[..., Outcome]) -> None:
    outcomes = {rule.check: look(rule.check).state for rule in DATASET}
    assert set(outcomes.values()) == {"pass"}


def test_a_promise_that_is_not_kept_is_found(look: Callable[..., Outcome]) -> None:
    outcome = look("counts", description="35,887 pictures of noise")
    assert (outcome.state, outcome.detail) == ("fail", "60 samples, and its description says 35,887")


def test_ids_that_change_are_found(look: Callable[..., Outcome]) -> None:
    outcome = look("ids", read=read_changing)
    assert (outcome.state, outcome.detail) == ("fail", "read again, the ids are others")


def test_a_class_without_samples_is_found(look: Callable[..., Outcome]) -> None:
    outcome = look("targets", read=read_two_classes)
    assert outcome.state == "fail"
    assert "neutral" in outcome.detail


def test_copies_across_an_official_split_are_noted(look: Callable[..., Outcome]) -> None:
    outcome = look("protocols", read=read_copies)
    assert outcome.state == "note"
    assert outcome.detail == "official: 1 test samples have their exact pixels in train or val"


def test_copies_across_sides_that_the_protocol_made_are_a_fault(look: Callable[..., Outcome]) -> None:
    outcome = look("protocols", read=read_copies, protocols=(ProtocolRule("dealt", dealt_apart),))
    assert outcome.state == "fail"
    assert "dealt, fold 0: 1 test samples" in outcome.detail


def test_a_protocol_may_say_that_it_leaks(look: Callable[..., Outcome]) -> None:
    rule = ProtocolRule("dealt", dealt_apart, allow_leak=True)
    assert look("protocols", read=read_copies, protocols=(rule,)).state == "note"


def test_missing_data_must_say_how_to_get_them(look: Callable[..., Outcome]) -> None:
    outcome = look("how-to-get", embedded=False)
    assert (outcome.state, outcome.detail) == ("fail", "how_to_get is empty")
    assert look("how-to-get", embedded=False, how_to_get="Write to the authors.").state == "pass"


def test_what_needs_data_is_skipped_without_them(look: Callable[..., Outcome]) -> None:
    for check in ("counts", "ids", "targets", "protocols", "second-load"):
        assert look(check, embedded=False).state == "skip"
