"""Models and samplers as a suite and the command line want them."""

from __future__ import annotations

from collections.abc import Sequence

from ferbench.errors import Problem, SettingsError
from ferbench.nouns.model import Model
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.sampler import Sampler
from ferbench.nouns.settings import revised
from ferbench.nouns.suite import Suite
from ferbench.running.records import Configured, Sampling
from ferbench.running.small import under_small_settings
from ferbench.suites import Override, applied, dotted, under


def configured_model(model: Model, part: Suite, overrides: Sequence[Override]) -> tuple[Configured, set[str]]:
    """Apply a suite, ``--epochs`` and ``--set`` to a model; return it with the names of the overrides that reached it.

    Raises SettingsError that names what does not fit.
    """
    recipe, options, modified = under_small_settings(model, part.small)
    name = model.full_name
    if part.epochs is not None and model.build is not None:
        modified += ["epochs"] if part.epochs != recipe.total_epochs else []
        recipe = recipe.with_epochs(part.epochs)
    if part.selection is not None and model.build is not None:
        recipe = revised(recipe, {"selection": part.selection}, f"{name}: recipe")
    changes = under("recipe", overrides, name)
    changes = {key: value for key, value in changes.items() if _takes(model, key)}
    if "epochs" in changes and recipe.stages:
        mend = "its recipe has stages; use --epochs (all are scaled) or recipe.stages.0.epochs"
        raise SettingsError([Problem(f"{name}: recipe.epochs", mend)])
    revised_recipe, keys = applied(recipe, changes, f"{name}: recipe")
    option_changes = under("model.options", overrides, name)
    revised_options, option_keys = applied(options, option_changes, f"{name}: options")
    assert isinstance(revised_recipe, Recipe)
    recipe, options = revised_recipe, type(options).model_validate(revised_options.model_dump())
    modified += [*keys, *(f"options.{key}" for key in option_keys)]
    told = tuple(dict.fromkeys(modified))  # small settings and an override may change the same
    configured = Configured(model, recipe, options.model_dump(mode="json"), told, small=part.small)
    return configured, _names("recipe", name, keys) | _names("model.options", name, option_keys)


def configured_sampler(sampler: Sampler, overrides: Sequence[Override]) -> tuple[Sampling, set[str]]:
    """Apply ``--set`` to a sampler; return it with the names of the overrides that reached it."""
    changes = under("sampler.options", overrides, sampler.name)
    options, keys = applied(sampler.options, changes, f"{sampler.name}: options")
    return Sampling(sampler, options.model_dump(mode="json")), _names("sampler.options", sampler.name, keys)


def keys_of(thing: Model | Sampler) -> set[str]:
    """All keys that ``--set`` may give for a model or sampler, with and without its name before them."""
    if isinstance(thing, Sampler):
        return _names("sampler.options", thing.name, dotted(thing.options))
    recipe = [key for key in dotted(thing.recipe) if _takes(thing, key)]
    return _names("recipe", thing.full_name, recipe) | _names("model.options", thing.full_name, dotted(thing.options))


def _takes(model: Model, key: str) -> bool:
    """Whether this key of its recipe means anything to the model: what is not trained here has an ``input`` at most."""
    return model.build is not None or (key.startswith("input.") and not model.raw)


def _names(root: str, scope: str, keys: Sequence[str]) -> set[str]:
    """The names under which overrides may have given these keys: for all, and for one model or sampler."""
    return {name for key in keys for name in (f"{root}.{key}", f"{scope}:{root}.{key}")}
