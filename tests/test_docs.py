"""The pages name everything that there is, and what they show can be used."""

from __future__ import annotations

import re
import tomllib
import typing
from pathlib import Path

import pytest

from ferbench import Recipe, Requirement
from ferbench.data.finished import Card
from ferbench.nouns.augmentation import Augmentation
from ferbench.nouns.initial import Init
from ferbench.nouns.losses import Loss, Term
from ferbench.nouns.optimizers import Optimization, Optimizer
from ferbench.nouns.recipe import Input
from ferbench.nouns.schedules import Schedule, Scheduling
from ferbench.nouns.views import TestViews
from ferbench.suites import parse_suite
from tests.contract import Contract

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "recipe.md").read_text(encoding="utf-8")
REQUIREMENTS = (DOCS / "requirements.md").read_text(encoding="utf-8")
UNIONS = {"optimizer": Optimizer, "schedule": Schedule, "loss": Loss, "term": Term, "init": Init}
UNIONS |= {"augmentation": Augmentation, "tta": TestViews}


@pytest.mark.parametrize("union", UNIONS)
def test_every_part_is_named(union: str) -> None:
    kinds = typing.get_args(typing.get_args(UNIONS[union])[0])
    names = {kind.model_fields["name"].default for kind in kinds}
    missing = {name for name in names if not re.search(rf"`{name}\b|\"{name}\"", PAGE)}
    assert len(names) > 1 and not missing


@pytest.mark.parametrize("settings", [Recipe, Input, Optimization, Scheduling])
def test_every_key_is_named(settings: type[Recipe]) -> None:
    hidden = {"input", "optimizer", "schedule", "loss", "augmentation", "size"}
    missing = {name for name in settings.model_fields if name not in hidden and not re.search(rf"\b{name}\b", PAGE)}
    assert not missing


def test_its_suite_is_one() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    suite = parse_suite(text, "docs/recipe.md")
    assert [row.name for row in suite.rows][-2:] == ["300 epochs", "a tenth of the data"]


def test_the_page_on_requirements_names_every_field() -> None:
    assert [name for name in Requirement.__dataclass_fields__ if f"`{name}`" not in REQUIREMENTS] == []


def test_the_card_of_a_finished_model_is_one_with_every_key() -> None:
    page = (DOCS / "inference-only.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    plain = tomllib.loads(text)
    assert set(plain) == set(Card.model_fields)
    assert Card.model_validate(plain).input.normalise == "imagenet"


def test_its_plugin_trains_a_chain_a_fusion_and_a_classifier_of_features(contract: Contract, tmp_path: Path) -> None:
    (source,) = re.findall(r"```python\n(.*?)```", REQUIREMENTS, re.DOTALL)
    plugin = tmp_path / "distil.py"
    plugin.write_text(source, encoding="utf-8")
    options = {"pupil:model.options.rounds": 2, "pupil:model.options.teacher": "tiny"}
    options |= {"stacking:model.options.members": ["tiny", "nearest"], "stacking:model.options.folds": 2}
    models = ["pupil", "stacking", "deep-linear"]
    result = contract.run(models=models, seeds=1, epochs=1, set=options, plugins=[plugin], jobs=2)
    assert not result.failed
    assert len(result.done) == 11
    rows = {row["model"]: row["notes"] or "" for row in result.leaderboard.rows}
    assert "requires member-1 tiny, out of 2 folds, its scores" in rows["stacking"]
    assert "requires backbone small-cnn, its features" in rows["deep-linear"]
