"""Suite files and overrides."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferbench import Recipe, SettingsError
from ferbench.suites import Override, applied, parse_override, parse_seeds, parse_suite, read_suite, under

GOOD = """
name = "mine"
datasets = ["demo"]
models = ["small-cnn", "tag:demo"]
seeds = [0, 7]
[set]
"recipe.optimizer.lr" = 0.05
"""


def test_a_suite_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    suite = read_suite(path)
    assert (suite.name, suite.seeds, suite.samplers) == ("mine", (0, 7), ("plain",))
    assert suite.set == {"recipe.optimizer.lr": 0.05}


def test_all_mistakes_of_a_suite_are_named_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        parse_suite('name = "x"\ndatasets = []\nmodel = ["a"]\nepochs = -3\n', "x.toml")
    message = str(caught.value)
    assert "x.toml" in message
    assert "model: unknown key. Did you mean 'models'?" in message
    assert "epochs: Input should be greater than 0 (given: -3)" in message
    assert "datasets" in message
    assert "models: Field required" in message


@pytest.mark.parametrize("text", ["name = ", "name = 'a'\nname = 'b'"])
def test_a_file_that_is_no_toml_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match=r"x\.toml: not valid TOML"):
        parse_suite(text, "x.toml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"gone\.toml"):
        read_suite(tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("recipe.optimizer.lr=0.05", Override("recipe.optimizer.lr", 0.05)),
        ("knn:model.options.neighbours=3", Override("model.options.neighbours", 3, "knn")),
        ("timm:convnext_atto:recipe.epochs=3", Override("recipe.epochs", 3, "timm:convnext_atto")),
        ("run.allow_microbatch=true", Override("run.allow_microbatch", True)),
        ("recipe.precision=fp32", Override("recipe.precision", "fp32")),
        ('recipe.optimizer={name="adam"}', Override("recipe.optimizer", {"name": "adam"})),
    ],
)
def test_overrides_are_parsed(text: str, wanted: Override) -> None:
    assert parse_override(text) == wanted


@pytest.mark.parametrize("text", ["recipe.epochs", "=3", "reicpe.epochs=3", "knn:run.threads=2"])
def test_overrides_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_override(text)


def test_seeds_are_a_number_or_a_list() -> None:
    assert parse_seeds("3") == (0, 1, 2)
    assert parse_seeds("0,7,7") == (0, 7)
    assert parse_seeds("7,") == (7,)
    for wrong in ("0", "-1", "a", "1,-2", ""):
        with pytest.raises(SettingsError):
            parse_seeds(wrong)


def test_scoped_overrides_reach_their_model_only() -> None:
    overrides = (Override("recipe.epochs", 3), Override("recipe.epochs", 5, "knn"))
    assert under("recipe", overrides, "knn") == {"epochs": 5}
    assert under("recipe", overrides, "small-cnn") == {"epochs": 3}


def test_keys_that_settings_do_not_have_are_left_to_others() -> None:
    recipe, keys = applied(Recipe(), {"optimizer.lr": 0.5, "optimizer.betas": [0.9, 0.99]}, "recipe")
    assert keys == ("optimizer.lr",)
    assert recipe == Recipe.model_validate({"optimizer": {"name": "sgd", "lr": 0.5}})
