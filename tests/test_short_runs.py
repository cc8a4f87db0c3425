"""Every recipe of this repository left the majority class in a short run on the demo, or is listed with why not."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from ferbench import Model
from ferbench.nouns.requirement import requirements_of
from ferbench.plugins import Installed, discover

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
TABLES = ("demo-recipes.csv", "demo-short.csv")
OF_ITSELF = "majority"


def _needs_weights(model: Model, installed: Installed) -> bool:
    """Whether it, or a model that it requires, begins with weights that a user has to get."""
    needed = requirements_of(model, model.options).values()
    begins = model.recipe.init_from
    return bool(begins and begins.weights) or any(
        _needs_weights(installed.model(each.model), installed) for each in needed
    )


def _recipes() -> set[str]:
    """Models that are trained on pictures with one label each, and that need nothing but the data."""
    installed = discover()
    models = {name: installed.model(name) for name in installed.names("models")}
    return {
        name
        for name, model in models.items()
        if model.predictor is None and "single-label" in model.tasks and model.modality == "image" and not model.floor
        if not _needs_weights(model, installed)
    }


def _rows() -> list[dict[str, str]]:
    return [
        row for table in TABLES for row in csv.DictReader((RESULTS / table).read_text(encoding="utf-8").splitlines())
    ]


def _shown() -> set[str]:
    """Recipes with a row whose interval lies above the majority's share."""
    rows = _rows()
    (share,) = {float(row["accuracy_mean"]) for row in rows if row["model"] == OF_ITSELF}
    return {
        f"{row['model']}@{row['variant']}".removesuffix("@") for row in rows if float(row["accuracy_ci_low"]) > share
    }


def _listed() -> set[str]:
    text = (RESULTS / "README.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^### Not shown on the demo\n(.*?)^##", text, re.DOTALL | re.MULTILINE)
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall("`([^`]+)`", cell)}


def test_every_recipe_beats_the_majority_in_a_short_run_or_is_listed_with_why_not() -> None:
    assert _recipes() - _shown() == _listed()


def test_the_readme_of_a_package_says_of_its_own_why_a_short_run_does_not_show_it() -> None:
    installed = discover()
    plugins = Path(__file__).parents[1] / "plugins"
    readmes = [path.read_text(encoding="utf-8") for path in sorted(plugins.glob("*/README.md"))]
    for name in _listed():
        assert installed.model(name).full_name == name
        told = [text for text in readmes if f"<!-- recipe: {name} -->" in text]
        assert len(told) == 1
        assert "majority class" in told[0] or "most frequent class" in told[0]
