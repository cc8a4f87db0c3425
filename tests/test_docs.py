"""The page on recipes names everything that a recipe can hold, and its suite can be used; commands can be given."""

from __future__ import annotations

import re
import shlex
import typing
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from ferbench import Recipe
from ferbench.cli.main import app
from ferbench.nouns.augmentation import Augmentation
from ferbench.nouns.initial import Init
from ferbench.nouns.losses import Loss, Term
from ferbench.nouns.optimizers import Optimization, Optimizer
from ferbench.nouns.recipe import Input
from ferbench.nouns.schedules import Schedule, Scheduling
from ferbench.nouns.views import TestViews
from ferbench.suites import parse_suite

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "recipe.md").read_text(encoding="utf-8")
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
    hidden = {"input", "optimizer", "schedule", "loss", "augmentation", "train_frames", "test_frames", "size"}
    missing = {name for name in settings.model_fields if name not in hidden and not re.search(rf"\b{name}\b", PAGE)}
    assert not missing


def test_its_suite_is_one() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    suite = parse_suite(text, "docs/recipe.md")
    assert [row.name for row in suite.rows][-2:] == ["300 epochs", "a tenth of the data"]


@pytest.mark.parametrize("page", ["docs/results.md", "docs/recipe.md", "CONTRIBUTING.md", "README.md"])
def test_its_commands_can_be_given(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    lines = re.findall(r"^(?:uv run (?:--no-sync )?)?ferbench (.+?)(?:\s+#.*)?$", "\n".join(blocks), re.MULTILINE)
    assert lines
    for line in lines:
        words, node = shlex.split(line), get_command(app)
        while isinstance(node, TyperGroup):
            assert words[0] in node.commands, line
            name = words.pop(0)
            node = node.commands[name]
        node.make_context(name, words).close()
