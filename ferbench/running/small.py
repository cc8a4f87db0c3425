"""Models under the small settings that they state, for suites that show that every method runs."""

from __future__ import annotations

from ferbench.nouns.model import Model
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.settings import Options, revised
from ferbench.suites import override, under


def under_small_settings(model: Model, small: bool) -> tuple[Recipe, Options, list[str]]:
    """A model's recipe and options, under its small settings where ``small``, and the keys that these change.

    Raises SettingsError for a key that it does not have, or a value that does not fit.
    """
    if not small:
        return model.recipe, model.options, []
    overrides = [override(key, value) for key, value in model.small.items()]
    place = f"{model.full_name}: small"
    recipe = revised(model.recipe, under("recipe", overrides), place)
    options = revised(model.options, under("model.options", overrides), place)
    names = [key.removeprefix("recipe.").removeprefix("model.") for key in model.small]
    return recipe, options, names
