"""An audit is kept with the data that it is of, and goes with them; its page shows pictures only where it may."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferbench.auditing import keeping
from ferbench.auditing.keeping import join_results, kept_audit, kept_or_made
from ferbench.auditing.page import STAMP, page_of
from ferbench.data.places import dataset_root
from ferbench.data.stored import Loaded
from ferbench.data.table import write_table
from ferbench.store.files import read_object
from ferbench.store.store import Store
from tests.auditing.conftest import PROTOCOLS, faces

Make = Callable[..., Loaded]
RULE = PROTOCOLS[0]


@pytest.fixture
def told() -> list[str]:
    return []


def test_it_is_made_once_and_then_read(made: Make, told: list[str]) -> None:
    loaded = made(faces(40))
    assert kept_audit(loaded, RULE) is None
    first = kept_or_made(loaded, RULE, told.append)
    said = len(told)
    assert kept_or_made(loaded, RULE, told.append) == first == kept_audit(loaded, RULE)
    assert len(told) == said > 0
    assert kept_audit(loaded, PROTOCOLS[1]) is None, "another protocol divides them otherwise"
    kept_or_made(loaded, RULE, told.append, fresh=True)
    assert len(told) == 2 * said


def test_other_data_under_the_name_take_it_away(made: Make, told: list[str]) -> None:
    kept_or_made(made(faces(40)), RULE, told.append)
    other = made(faces(40, seed=9), version="2")
    assert kept_audit(other, RULE) is None
    assert not list(dataset_root(other.dataset).glob("*/audit-*"))


def test_another_division_or_version_is_audited_anew(
    made: Make, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = made(faces(40))
    kept_or_made(loaded, RULE, told.append)
    assert kept_audit(loaded, replace(RULE, classes=("fear", "anger"))) is None
    monkeypatch.setattr(keeping, "VERSION", 99)
    assert kept_audit(loaded, RULE) is None


def test_a_folder_that_cannot_be_written_costs_the_copy_alone(
    made: Make, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = made(faces(40))
    monkeypatch.setattr(keeping, "dataset_root", lambda dataset: Path("/proc"))
    assert kept_or_made(loaded, RULE, told.append)["samples"] == 40
    assert told[-1].startswith("The audit is not kept: ")


def test_results_get_the_figures_of_what_was_audited(made: Make, told: list[str], tmp_path: Path) -> None:
    loaded, store = made(faces(40)), Store(tmp_path / "out", create=True)
    write_table(loaded, store.dataset_table(loaded.fingerprint))
    assert join_results(loaded, store) == ()
    assert not store.dataset_audit(loaded.fingerprint).exists()
    made_of_it = kept_or_made(loaded, RULE, told.append)
    assert join_results(loaded, store) == ("official",)
    (found,) = read_object(store.dataset_audit(loaded.fingerprint)).values()
    assert found["across"] == made_of_it["across"] and found["near_pairs"] == 0


@pytest.fixture
def alike(made: Make) -> Callable[..., tuple[dict[str, Any], Loaded]]:
    """A function that audits pictures of which two look alike, one is black, and makes their page."""

    def make(**changes: Any) -> tuple[dict[str, Any], Loaded]:
        pictures = faces(80)
        pictures[60] = np.clip(pictures[0] * 0.7 + 40, 0, 255).astype(np.uint8)
        pictures[7] = 0
        loaded = made(pictures, np.arange(80) % 2, **changes)
        return kept_or_made(loaded, RULE, lambda text: None), loaded

    return make


def test_pictures_stay_out_of_the_page_unless_they_may_be_published(alike: Any) -> None:
    page = page_of(*alike())
    assert "<img" not in page and STAMP not in page
    assert "s060" in page and "s000" in page and "s007" in page
    assert "Their licence keeps pictures out" in page


def test_who_asks_for_private_pictures_gets_a_stamped_page(alike: Any) -> None:
    facts, loaded = alike()
    page = page_of(facts, loaded, private=True)
    assert page.count("<img") > 20 and STAMP in page


def test_public_pictures_are_shown_without_a_stamp(alike: Any) -> None:
    facts, loaded = alike(public=True)
    assert "<img" in page_of(facts, loaded)
    assert STAMP not in page_of(facts, loaded, private=True)


def test_the_page_needs_nothing_beside_it_and_takes_no_name_for_code(alike: Any) -> None:
    facts, loaded = alike(public=True)
    facts["near_duplicates"]["listed"][0]["samples"][0]["id"] = "<script>alert(1)</script>"
    page = page_of(facts, loaded)
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "http" not in page and "src=" in page and 'src="data:image/png;base64,' in page


def test_pages_of_other_modalities_and_tasks_can_be_written(made: Make) -> None:
    signals = np.random.default_rng(0).normal(size=(40, 3, 50)).astype(np.float32)
    eeg = made(signals, modality="eeg")
    assert "these are EEG" in page_of(kept_or_made(eeg, RULE, lambda text: None), eeg)
    values = np.linspace(-1, 1, 80, dtype=np.float32).reshape(40, 2)
    loaded = made(faces(40), values, task="regression", name="values")
    assert "the targets are no classes" in page_of(kept_or_made(loaded, RULE, lambda text: None), loaded)
