"""The recipe tables in the plugins' READMEs are what the installed models resolve to."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from ferbench import SGD, Affine, Model, Options, Recipe
from ferbench.plugins import discover
from tools.recipe_table import named, rewritten

PLUGINS = sorted((Path(__file__).parents[1] / "plugins").glob("*/pyproject.toml"))


class _Options(Options):
    width: int = 8


BASE = Model("net", recipe=Recipe(epochs=7, optimizer=SGD(lr=0.03)), options=_Options(), build="nowhere:net")
MODELS: Mapping[str, Model] = {
    "net": BASE,
    "net@wide": Model("net", variant="wide", recipe=BASE.recipe, options=_Options(width=16), build="nowhere:net"),
    "net@warped": Model(
        "net",
        variant="warped",
        recipe=BASE.recipe.model_copy(update={"augmentation": (Affine(degrees=9),)}),
        options=_Options(),
        build="nowhere:net",
    ),
    "net@same": Model("net", variant="same", recipe=BASE.recipe, options=_Options(), build="nowhere:net"),
}


def _block(name: str, body: str = "") -> str:
    return f"<!-- recipe: {name} -->\n{body}<!-- /recipe -->\n"


def _rewritten(text: str) -> str:
    return rewritten(text, MODELS.__getitem__)


@pytest.mark.parametrize("project", PLUGINS, ids=lambda path: path.parent.name)
def test_every_model_has_a_recipe_table_that_is_up_to_date(project: Path) -> None:
    installed = discover()
    entries = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["entry-points"]["ferbench"]
    owned = [name for name in installed.names("models") if installed.plugin_of("models", name).name in entries]
    models = [name for name in owned if installed.model(name).predictor is None]  # what is not trained has no recipe
    text = project.with_name("README.md").read_text(encoding="utf-8")
    assert sorted(named(text)) == models, "one pair of <!-- recipe: NAME --> and <!-- /recipe --> for each model"
    assert rewritten(text, installed.model) == text, "run: python tools/recipe_table.py"


def test_a_table_says_what_was_set_and_leaves_out_defaults_that_say_nothing() -> None:
    text = _rewritten("Before\n" + _block("net") + "after")
    assert "| `recipe.epochs` | 7 |\n" in text
    assert "| `recipe.optimizer` | sgd |\n| `recipe.optimizer.lr` | 0.03 |\n" in text
    assert "| `model.options.width` | 8 |\n" in text
    assert "nesterov" not in text
    assert "ema" not in text
    assert text.startswith("Before\n<!-- recipe: net -->\n")
    assert text.endswith("<!-- /recipe -->\nafter")


def test_a_variant_says_only_what_differs_from_its_default_variant() -> None:
    text = _rewritten(_block("net") + _block("net@wide") + _block("net@warped") + _block("net@same"))
    _, wide, warped, same = text.split("<!-- /recipe -->\n")[:4]
    head = "| differs from `net` | value |\n|---|---|\n"
    assert wide.endswith(head + "| `model.options.width` | 16 |\n")
    assert "| `recipe.augmentation.0` | affine: degrees 9, p 1 |\n" in warped
    assert "epochs" not in warped
    assert same.endswith("Recipe and options are those of `net`.\n")
    assert "`recipe.epochs`" in _rewritten(_block("net@wide"))  # all of it where the default variant stands elsewhere


def test_a_changed_value_is_mended_and_a_third_column_typed_by_hand_stays() -> None:
    old = _block("net", "| setting | value | source |\n|---|---|---|\n| `recipe.epochs` | 9 | table 2 |\n")
    text = _rewritten(old)
    assert "| setting | value | source |\n|---|---|---|\n" in text
    assert "| `recipe.epochs` | 7 | table 2 |\n" in text
    assert "| `recipe.batch_size` | 128 |  |\n" in text
    assert _rewritten(text) == text
