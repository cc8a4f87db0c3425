"""What models and samplers require, as a plan sees it: looked up, configured as asked for, and never in a circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ferbench.data.registry import load
from ferbench.data.sampling import common
from ferbench.errors import MissingDataError, PluginError, Problem, SettingsError, UnknownNameError
from ferbench.identity import canonical_json
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.requirement import Requirement, check_given, requirements_of
from ferbench.nouns.sampler import reads_of
from ferbench.nouns.settings import revised, validated
from ferbench.plugins import Installed
from ferbench.running.initial import UnfitError
from ferbench.running.records import Configured, Place, Sampling, found_at
from ferbench.running.small import under_small_settings

DEEPEST = 20
"""A longer chain is taken for one that never ends."""


def required_of(sampling: Sampling, configured: Configured) -> dict[str, Requirement]:
    """What a cell requires, its sampler's part first. Raises SettingsError or PluginError for what cannot be."""
    sampler = sampling.sampler
    options = validated(type(sampler.options), sampling.options, f"{sampler.name}: options")
    for_sampler, for_model = requirements_of(sampler, options), configured.requires
    both = sorted(set(for_sampler) & set(for_model))
    if both:
        message = f"sampler {sampler.name} and the model both require a {', '.join(both)}"
        raise SettingsError([Problem(configured.model.full_name, message)])
    given = [role for role, needed in for_sampler.items() if needed.gives]
    if given:
        raise PluginError(
            f"{sampler.name}: {given[0]} gives {for_sampler[given[0]].gives}, which estimators alone take."
        )
    check_given(configured.model, for_model)
    return {**for_sampler, **for_model}


def readable(place: Place, sampling: Sampling, installed: Installed, named: bool) -> dict[str, str]:
    """Fingerprints of the data sets that a sampler reads, by name; optional ones where they are of use.

    Raises UnfitError where one is missing or has none of the samples; MissingDataError or UnknownNameError where it is
    missing and the sampler was asked for by name (``named``).
    """
    sampler, found = sampling.sampler, {}
    for each in reads_of(sampler, validated(type(sampler.options), sampling.options, f"{sampler.name}: options")):
        try:
            other = load(installed.dataset(each.dataset))
        except (MissingDataError, UnknownNameError) as error:
            if each.optional:
                continue
            if named:
                raise type(error)(f"The sampler {sampler.name} reads {each.dataset}. {error}") from None
            raise UnfitError(f"the sampler {sampler.name} reads {each.dataset}, which is not here") from None
        if common(place.loaded, other):
            found[each.dataset] = other.fingerprint
        elif not each.optional:
            raise UnfitError(f"the sampler {sampler.name} reads {each.dataset}, which has none of the samples")
    return found


def configured_as(
    needed: Requirement,
    role: str,
    asker: Configured,
    installed: Installed,
    epochs: int | None = None,
    small: bool = False,
) -> Configured:
    """A required model with the options and the recipe that are asked for, on top of the suite's ``small``.

    ``--epochs`` reaches it as well.

    Raises UnknownNameError, SettingsError that name who asks.
    """
    place = f"{asker.shown} requires as {role}: {needed.model}"
    try:
        model = installed.model(needed.model)
    except UnknownNameError as error:
        raise UnknownNameError(f"{asker.shown} requires as {role}: {error}") from None
    small_recipe, small_options, modified = under_small_settings(model, small)
    options = revised(small_options, needed.options, f"{place}: options")
    recipe: Recipe = revised(small_recipe, needed.recipe, f"{place}: recipe")
    own, new = model.recipe.model_dump(mode="json"), recipe.model_dump(mode="json")
    asked = tuple(key for key in needed.recipe if found_at(new, key) != found_at(own, key))
    had, has = model.options.model_dump(mode="json"), options.model_dump(mode="json")
    modified += [*asked, *(f"options.{key}" for key in needed.options if found_at(has, key) != found_at(had, key))]
    meant = recipe.total_epochs
    if epochs is not None and model.build is not None:
        modified += ["epochs"] if epochs != recipe.total_epochs and "epochs" not in modified else []
        recipe = recipe.with_epochs(epochs)
    other = meant if model.build is not None and recipe.total_epochs != meant else None
    return Configured(model, recipe, has, tuple(dict.fromkeys(modified)), asked, small, meant_epochs=other)


def check_chain(chain: Sequence[Configured], needed: Configured) -> None:
    """Raise SettingsError where ``needed`` requires itself, or the chain that leads to it seems to have no end."""
    path = [link.shown for link in (*chain, needed)]
    if _identity(needed) in map(_identity, chain):
        raise SettingsError([Problem(path[0], f"requires itself: {' → '.join(path)}")])
    if len(chain) > DEEPEST:
        message = f"requires a chain of more than {DEEPEST} models: {' → '.join([*path[:4], '…', path[-1]])}"
        raise SettingsError([Problem(path[0], message)])


def inner_folds(role: str, needed: Requirement) -> Iterator[tuple[str, tuple[int, int]]]:
    """The further cells that out-of-fold scores need: ``role/1-of-5`` and so on, each with its (folds, fold)."""
    for fold in range(needed.out_of_fold):
        yield f"{role}/{fold + 1}-of-{needed.out_of_fold}", (needed.out_of_fold, fold)


def told(role: str, needed: Requirement, configured: Configured, below: Sequence[str]) -> str:
    """A requirement for people, what it requires in turn behind it: ``teacher student (rounds=1) ← teacher cnn``."""
    text = f"{role} {configured.shown}"
    text += f", out of {needed.out_of_fold} folds" if needed.out_of_fold else ""
    text += f", its {needed.gives}" if needed.gives else ""
    return f"{text} ← {' and '.join(below)}" if below else text


def _identity(configured: Configured) -> str:
    options: Mapping[str, object] = configured.options
    # What a sampler requires is trained without it, so it may well be the same model.
    return canonical_json([configured.model.full_name, dict(options), configured.key, configured.sampler])
