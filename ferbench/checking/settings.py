"""Checks of what a model states as plain data: recipe, options, search space, requirements, citation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ferbench.checking.made_up import spec_of
from ferbench.checking.report import Outcome, Subject, failed, first_fault, noted, passed, skipped
from ferbench.checking.trial import raw_size, seen_size
from ferbench.errors import FerbenchError, SettingsError, UnknownNameError
from ferbench.identity import canonical_json
from ferbench.nouns.dataset import split_protocol
from ferbench.nouns.model import Choice, Model, Range
from ferbench.nouns.paper import Paper, Reported
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.reference import resolve
from ferbench.nouns.requirement import Requirement, check_given, requirements_of
from ferbench.nouns.sampler import Sampler, reads_of
from ferbench.nouns.settings import revised
from ferbench.nouns.suite import Suite
from ferbench.plugins import Installed, Kind
from ferbench.running.records import Configured
from ferbench.running.requiring import check_chain, configured_as
from ferbench.training.modalities import recipe_misfit

DRAWS = 50
PERCENT_METRICS = 1.0
"""Above this no metric that tables show times 100 can lie."""


def resolves(subject: Subject[Model]) -> Outcome:
    """What it names can be imported, its recipe and options are plain data that say the same when read again."""
    model = subject.item
    for role in ("build", "estimator", "predictor", "objective"):
        named = resolve(getattr(model, role))
        if named is not None and not callable(named):
            return failed(f"{role} names {named!r:.60}, which cannot be called")
    for what, settings in (("recipe", model.recipe), ("options", model.options)):
        canonical_json(settings.model_dump(mode="json"))
        again = type(settings).model_validate(settings.model_dump(mode="json"))
        if again != settings:
            return failed(f"its {what}, written down and read again, is another", "Use fields that JSON can hold.")
    why = recipe_misfit(model.recipe, model.modality)
    if why:
        return failed(why, "Take it out of the recipe, or say which modality the model takes.")
    if model.build is not None:
        seen_size(model.recipe, raw_size(model.recipe, spec_of(model).size))
    if faults := _faults_of(model, dict(model.small)):
        return failed(f"its small settings: {'; '.join(faults)}")
    if not set(spec_of(model).inputs) >= set(model.inputs):
        return failed(
            f"its reference has no shape for {', '.join(sorted(set(model.inputs) - set(spec_of(model).inputs)))}"
        )
    return passed()


def search_space(subject: Subject[Model]) -> Outcome:
    """Fifty seeded draws from its search space are all valid settings."""
    model = subject.item
    if not model.search_space:
        return skipped("it has none")
    rng = np.random.default_rng(0)
    faults: dict[str, None] = {}
    for _ in range(DRAWS):
        drawn = {key: draw(space, rng) for key, space in model.search_space.items()}
        for fault in _faults_of(model, drawn):
            faults[fault] = None
    mend = "Keys are dotted (recipe.optimizer.lr, model.options.width); whole numbers need a Choice."
    return first_fault(list(faults), mend, f"{len(model.search_space)} settings, {DRAWS} draws")


def draw(space: Choice | Range, rng: np.random.Generator) -> Any:
    """One value of a choice or range."""
    if isinstance(space, Choice):
        return space.values[int(rng.integers(len(space.values)))]
    if space.log:
        return float(math.exp(rng.uniform(math.log(space.low), math.log(space.high))))
    return float(rng.uniform(space.low, space.high))


def _faults_of(model: Model, drawn: dict[str, Any]) -> list[str]:
    faults = [
        f"{key} begins with neither recipe. nor model.options."
        for key in drawn
        if not key.startswith(("recipe.", "model.options."))
    ]
    for root, settings in (("recipe", model.recipe), ("model.options", model.options)):
        changes = {key.removeprefix(f"{root}."): value for key, value in drawn.items() if key.startswith(f"{root}.")}
        try:
            revised(settings, changes, root)
        except SettingsError as error:
            faults += [str(problem) for problem in error.problems]
    return faults


def requirements(subject: Subject[Any]) -> Outcome:
    """The models that it requires are installed, take what is asked of them, and do not require it in turn."""
    item = subject.item
    needs = requirements_of(item, item.options)
    reads = reads_of(item, item.options) if isinstance(item, Sampler) else ()
    if not needs and not reads:
        return skipped("it requires none")
    if isinstance(item, Model):
        check_given(item, needs)
        asker = Configured(item, item.recipe, item.options.model_dump(mode="json"), ())
    else:
        asker = Configured(Model(item.name), Recipe(), {}, ())
    faults: list[str] = []
    for each in reads:
        try:
            subject.everything().dataset(each.dataset)
        except UnknownNameError as error:
            faults += [] if each.optional else [f"it reads {each.dataset}: {error}"]
    for role, needed in needs.items():
        try:
            _walk(role, needed, (asker,), subject.everything())
        except FerbenchError as error:
            faults.append(f"{role}: {' '.join(str(error).split())}")
    listed = ", ".join(f"{role}: {needed.model}" for role, needed in needs.items())
    return first_fault(faults, "Install the plugin that brings it, or name another model.", listed)


def _walk(role: str, needed: Requirement, chain: tuple[Configured, ...], installed: Installed) -> None:
    """Follow a chain of requirements to its end. Raises FerbenchError where it has none, or something is missing."""
    configured = configured_as(needed, role, chain[-1], installed)
    check_chain(chain, configured)
    for name, further in configured.requires.items():
        _walk(name, further, (*chain, configured), installed)


def citation(subject: Subject[Any]) -> Outcome:
    """It says where it comes from, and published numbers are fractions with the place where they stand."""
    item = subject.item
    rows = list(getattr(item, "reported", ()))
    faults = paper_faults(item.paper) if item.paper else []
    if rows and item.paper is None:
        faults.append("it has reported numbers and no paper")
    faults += [fault for row in rows for fault in reported_faults(row)]
    if not faults and item.paper is None:
        return noted("no paper", "For a published method, state it: paper=Paper(title, authors, year, url).")
    numbers = f", {len(rows)} reported numbers" if rows else ""
    return first_fault(faults, "", f"{item.paper.title}{numbers}" if item.paper else "")


def paper_faults(paper: Paper) -> list[str]:
    """What a citation lacks."""
    faults = [f"its paper has no {field}" for field in ("title", "authors") if not getattr(paper, field).strip()]
    if not 1700 <= paper.year <= 2200:
        faults.append(f"its paper is of the year {paper.year}")
    return faults


def reported_faults(row: Reported) -> list[str]:
    """What a reported number lacks."""
    where = f"the number reported for {row.dataset}@{row.protocol}"
    faults = [] if row.locator.strip() else [f"{where} has no locator (such as 'Table 2')"]
    if not math.isfinite(row.value) or (abs(row.value) > PERCENT_METRICS and row.metric in ("accuracy", "macro-f1")):
        faults.append(f"{where} is {row.value:g}: write a fraction, 0.702 and not 70.2")
    return faults


def everything_named(subject: Subject[Suite]) -> Outcome:
    """All that a suite names is installed."""
    suite, installed, faults = subject.item, subject.everything(), []
    parts: list[Any] = [suite, *suite.rows]
    kinds: tuple[Kind, ...] = ("datasets", "models", "samplers", "metrics")
    for kind in kinds:
        names = [name for part in parts for name in getattr(part, kind, None) or ()]
        if kind == "datasets":
            own = {f"compose:{name}" for name in suite.compose}
            within = [name for composition in suite.compose.values() for name in composition.datasets]
            names = [name for name in names if split_protocol(name)[0] not in own] + within
        try:
            installed.expand(kind, list(dict.fromkeys(names)))
        except FerbenchError as error:
            faults.append(" ".join(str(error).split()))
    return first_fault(faults, "Name the packages that it needs among the plugin's dependencies.")
