"""The listed numbers: all of them, where they belong, and what speaks against each."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import ferbench_published
import pytest

from ferbench import Reported
from ferbench.plugins import discover

ROWS = list(ferbench_published.ferbench_reported())


def _row(method: str, dataset: str = "fer2013") -> Reported:
    (found,) = (row for row in ROWS if row.method == method and row.dataset == dataset)
    return found


def test_every_row_of_both_tables_and_of_the_texts_is_there() -> None:
    assert Counter(row.dataset for row in ROWS) == {"fer2013": 17, "emo2018": 2, "ck-plus": 7, "jaffe": 3}
    assert len({(row.dataset, row.method, row.value) for row in ROWS}) == len(ROWS)


def test_every_number_is_a_fraction_with_method_paper_and_place() -> None:
    for row in ROWS:
        assert 0.5 < row.value < 1
        assert row.method and row.locator and row.split and row.protocol
        assert row.paper is not None and row.paper.title


@pytest.mark.parametrize(
    ("method", "value"), [("Fisherface", 0.892), ("Salient facial patch", 0.918), ("CNN + SVM", 0.9531)]
)
def test_numbers_of_jaffe_are_not_shown_as_numbers_of_ck_plus(method: str, value: float) -> None:
    row = _row(method, "jaffe")
    assert row.value == value
    assert "listed under CK+" in row.caveat


def test_only_numbers_of_the_challenges_own_division_stand_beside_it() -> None:
    official = [(row.method, row.split) for row in ROWS if row.dataset == "fer2013" and row.protocol == "official"]
    bavesh = ("state of the art (Bavesh)", "val")
    assert bavesh in official
    assert {method: split for method, split in official if (method, split) != bavesh} == {
        "Deep-Emotion": "test",
        "Inception (Pramerdorfer)": "test",
        "Tang L2-SVM CNN": "test",
        "ResNet (Pramerdorfer)": "test",
        "VGG (Pramerdorfer)": "test",
        "VGGNet (Khaireddin)": "val",
        "state of the art (Bavesh)": "test",
        "ResNet18 (Yuan)": "test",
    }


def test_doubtful_claims_say_why() -> None:
    assert "disputed" in _row("CNN-LSTM or CNN with attention (Adel)").caveat
    assert "PublicTest" in _row("VGGNet (Khaireddin)").caveat
    assert "72.7" in _row("VGG (Pramerdorfer)").caveat
    assert _row("ResNet18 (Yuan)").selection == "oracle"
    assert "99.69" in _row("FAN", "ck-plus").caveat
    assert {row.value: row.caveat[:10] for row in ROWS if row.method == "humans"} == {
        0.65: "± 5 points",
        0.68: "± 5 points",
    }


def test_the_readme_lists_every_number() -> None:
    text = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    listed = [line for line in text.splitlines() if line.startswith("| ")]
    for row in ROWS:
        cells = f"| {row.dataset} | {row.protocol} | {row.method} | {100 * row.value:g} |"
        assert any(line.startswith(cells) for line in listed), cells


def test_rows_name_installed_models_that_make_the_same_claim() -> None:
    """So that a table with the model has the claim once; a slip of the listing stands for what it misquotes."""
    installed = discover()
    named = [(row, installed.model(name)) for row in ROWS for name in row.models]
    assert len(named) == 14
    for row, model in named:
        claimed = [item.value for item in model.reported if item.dataset == row.dataset]
        assert min(abs(value - row.value) for value in claimed) < (0.011 if "slip" in row.caveat else 0.001)


def test_a_claim_has_the_protocol_that_its_model_reports_or_the_data_set_knows() -> None:
    """Otherwise the same number stands in another table as soon as its model is run."""
    adel, deep = _row("CNN-LSTM or CNN with attention (Adel)"), _row("Deep-Emotion", "ck-plus")
    installed = discover()
    for row in (adel, deep, *(_row(f"{name} (Giannopoulos)") for name in ("AlexNet", "GoogLeNet"))):
        (name,) = row.models
        assert {item.protocol for item in installed.model(name).reported if item.dataset == row.dataset} == {
            row.protocol
        }
    assert deep.protocol in {rule.name for rule in installed.dataset("ck-plus").protocols}


def test_no_division_is_called_random_where_the_table_gives_sizes_alone() -> None:
    assert not any("random" in row.split for row in ROWS)
