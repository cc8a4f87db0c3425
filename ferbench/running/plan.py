"""The plan of a run: every cell with its record, required cells before those that need them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ferbench.data.composing import remember
from ferbench.data.inner import held_out
from ferbench.data.registry import load
from ferbench.data.splits import limited, make_splits
from ferbench.data.stored import Loaded
from ferbench.data.summary import describe_division
from ferbench.errors import DataError, MissingDataError, Problem, SettingsError
from ferbench.evaluating.setup import find_protocol, full_name
from ferbench.identity import cell_id
from ferbench.nouns.model import Model
from ferbench.nouns.requirement import Requirement
from ferbench.nouns.sampler import Sampler
from ferbench.nouns.suite import Suite
from ferbench.nouns.views import RandomViews
from ferbench.plugins import Installed
from ferbench.running.configuring import configured_model, configured_sampler, keys_of
from ferbench.running.corrupted import check_corrupted
from ferbench.running.inheriting import Inherited, check_val_scores, inherited
from ferbench.running.initial import UnfitError, start_of
from ferbench.running.parts import parts_of
from ferbench.running.planned import Plan, PlannedCell, Skipped
from ferbench.running.records import (
    Configured,
    Inner,
    Place,
    Sampling,
    cell_record,
    facts,
    label,
    label_kinds,
    misfit,
    row_key,
    unsuited,
    what_to_load,
)
from ferbench.running.request import Request, resolve_suite, run_settings, unmatched
from ferbench.running.requiring import check_chain, configured_as, inner_folds, readable, required_of, told
from ferbench.suites import Override, overrides_of
from ferbench.training.modalities import recipe_misfit
from ferbench.training.view_checks import drawn_augmentation, views_misfit

DETERMINISTIC_SEED = 0
"""The seed of models to which seeds make no difference, so that every run shares their one cell."""


def make_plan(request: Request, installed: Installed) -> Plan:
    """Look everything up and lay out the cells. Raises SettingsError, UnknownNameError, DataError."""
    suite = resolve_suite(request, installed)
    for name, composition in suite.compose.items():
        remember(name, composition, installed.dataset)
    return Planner(request, installed, suite).plan()


class Planner:
    """Builds one plan; remembers cells by id so that shared requirements appear once."""

    def __init__(self, request: Request, installed: Installed, suite: Suite) -> None:
        self.request, self.installed, self.suite, self.part = request, installed, suite, suite
        self.run = run_settings(request, suite)
        self.overrides: tuple[Override, ...] = ()
        self.used: set[str] = set()
        self.known: set[str] = set()
        self.names: dict[str, list[str]] = {}
        self.cells: dict[str, PlannedCell] = {}
        self.skipped: list[Skipped] = []
        self.tables: dict[str, Loaded] = {}
        self.plain = Sampling(installed.sampler("plain"), {})

    def plan(self) -> Plan:
        """Make the plan."""
        for metric in self.suite.metrics:
            self.installed.metric(metric)
        suite = self.suite.model_copy(update={"evaluate_on": self._evaluated_on()})
        for part in parts_of(self.suite, self.request, self.installed):
            self._plan_part(part)
        narrowed = self.request.models or self.request.samplers
        meant = self.request.overrides if narrowed else overrides_of(self.suite, self.request.overrides)
        planned = {full_name(cell.record["row"]) for cell in self.cells.values()}
        unmatched(meant, self.used, sorted(self.known), required=planned)
        if not self.cells:
            reasons = "\n".join(f"  {item.what}: {item.why}" for item in self.skipped)
            raise SettingsError([Problem("suite", f"nothing fits together, so there is nothing to run:\n{reasons}")])
        names = {row: ", ".join(names) for row, names in self.names.items()}
        return Plan(suite, self.run, tuple(self.cells.values()), tuple(self.skipped), self.tables, names)

    def _evaluated_on(self) -> tuple[str, ...]:
        """Names of the suite's further data sets; of those that a tag or ``*`` means, the ones that are registered."""
        found = []
        for name in self.installed.expand("datasets", self.suite.evaluate_on) if self.suite.evaluate_on else ():
            dataset, protocol = self.installed.place(name)
            find_protocol(dataset, protocol)
            try:
                load(dataset)
            except MissingDataError:
                if name in self.suite.evaluate_on:
                    raise
                continue
            found.append(name)
        return tuple(found)

    def _plan_part(self, part: Suite) -> None:
        """Plan a named row of the suite, or a suite without rows."""
        earlier, self.part, self.used = self.used, part, set()
        self.overrides = overrides_of(part, self.request.overrides)
        models = [self.installed.model(name) for name in self.installed.expand("models", part.models)]
        samplers = [self.installed.sampler(name) for name in self.installed.expand("samplers", part.samplers)]
        samplings = []
        for sampler in samplers:
            sampling, used = configured_sampler(sampler, self.overrides)
            samplings.append(sampling)
            self.used |= used
        for place in self._places():
            for sampling in samplings:
                for model in models:
                    self._row(place, sampling, model)
        things: list[Model | Sampler] = [*models, *samplers]
        known = {key for thing in things for key in keys_of(thing)}
        if part.name:
            own = [item for item in overrides_of(part) if str(item) not in self.suite.set]
            unmatched(own, self.used, sorted(known), f"the row {part.name!r}")
        self.used |= earlier
        self.known |= known

    def _places(self) -> Iterator[Place]:
        plain = [name for name in self.part.datasets if "@" not in name]
        names = [name for name in self.part.datasets if "@" in name]
        for entry in [*self.installed.expand("datasets", plain), *names]:
            dataset, protocol = self.installed.place(entry)
            name, rule = dataset.name, find_protocol(dataset, protocol)
            try:
                loaded = self.tables.get(name) or load(dataset)
            except MissingDataError:
                if entry in self.part.datasets:
                    raise
                self._skip(name, f"not registered; `ferbench show {name}` says where to get it")
                continue
            check_corrupted(loaded, self.part.allow_corrupted)
            self.tables[name] = loaded
            if rule.name not in loaded.protocols:
                offered = ", ".join(loaded.protocols)
                raise DataError(
                    f"The registered copy of {name} cannot offer protocol {rule.name!r}; it offers {offered}. "
                    f"Use -d {name}@{loaded.protocols[0]}, or register another copy."
                )
            yield Place(loaded, rule, describe_division(loaded, rule))

    def _row(self, place: Place, sampling: Sampling, model: Model) -> None:
        if self._skips(place, model, misfit(place, sampling.sampler, model)):
            return
        configured, used = configured_model(model, self.part, self.overrides)
        self.used |= used
        configured = replace(configured, sampler=sampling.sampler.name)
        modality = place.loaded.dataset.modality
        why = unsuited(label_kinds(place), configured) or recipe_misfit(configured.recipe, modality)
        if self._skips(place, model, why):
            return
        once = sampling.sampler.name == "plain" and self._seedless(configured)
        before = dict(self.cells)
        keys: list[str] = []
        try:
            named = sampling.sampler.name in self.part.samplers
            sampling = replace(sampling, reads=readable(place, sampling, self.installed, named))
            for fold in range(len(place.division.folds)):
                for seed in (DETERMINISTIC_SEED,) if once else self.part.seeds:
                    keys.append(self._cell(place, sampling, configured, seed, fold))
        except UnfitError as error:
            self.cells = before
            self._skips(place, model, str(error))
            return
        for key in keys if self.part.name else []:
            self._name(key)

    def _name(self, cell: str) -> None:
        names = self.names.setdefault(self.cells[cell].record["row_id"], [])
        if self.part.name not in names:
            names.append(self.part.name)

    def _skip(self, what: str, why: str) -> None:
        if Skipped(what, why) not in self.skipped:
            self.skipped.append(Skipped(what, why))

    def _skips(self, place: Place, model: Model, why: str) -> bool:
        """Note why a combination is left out, if it is."""
        if why:
            self._skip(f"{model.full_name} on {place.loaded.dataset.name}@{place.rule.name}", why)
        return bool(why)

    def _cell(
        self,
        place: Place,
        sampling: Sampling,
        configured: Configured,
        seed: int,
        fold: int,
        chain: tuple[Configured, ...] = (),
        inner: Inner = (),
    ) -> str:
        """Plan a cell and what it requires; return its id. ``inner``: the part of train that is held out, if any."""
        _check_views(place, configured)
        start = start_of(configured, self.installed, place.division.folds[fold].classes)
        required = self._required(place, sampling, configured, seed, fold, chain, inner)
        requires = required.ids
        rows = {role: self.cells[needed].record["row_id"] for role, needed in requires.items()}
        row = row_key(place, sampling, configured, self.part.limit, start.hashes, inner, rows)
        infos = {
            info.name: info
            for info in (
                self.installed.plugin_of("models", configured.model.full_name),
                self.installed.plugin_of("samplers", sampling.sampler.name),
            )
        }
        sources = {name: info.source_hash for name, info in infos.items()}
        key = cell_id(row, seed, fold, requires, sources)
        if key not in self.cells:
            name = label(place, sampling, configured, seed, fold, inner)
            datasets = [place.loaded.dataset, *(self.installed.dataset(other) for other in sampling.reads)]
            data_plugins = [info for each in datasets for info in self.installed.plugins_of_dataset(each)]
            identity = {
                "id": key,
                "label": name,
                "seed": seed,
                "fold": fold,
                "folds": len(place.division.folds),
                "requires": requires,
                "sources": sources,
            }
            loads = what_to_load(self.installed, [*infos.values(), *data_plugins], self.request.plugins)
            begun = self.cells[requires[start.role]].record if start.role else None
            seen = (*start.seen(row, begun), *required.inherited.extra_data)
            shown = facts(place, configured, fold, self.part.limit, seen, required.told)
            shown |= {"sampler_modified": sampling.modified, **self._inner_sizes(place, fold, inner)}
            shown |= {**required.inherited.facts, "notes": [*required.inherited.notes, *shown["notes"]]}
            shown["deterministic"] &= required.inherited.deterministic
            record = cell_record(row, identity, loads, shown, self.run)
            network = configured.model.build is not None
            shown_name = f"{name} · {self.part.name}" if self.part.name and not chain else name
            self.cells[key] = PlannedCell(key, shown_name, record, tuple(requires.values()), network)
        return key

    def _required(
        self,
        place: Place,
        sampling: Sampling,
        asker: Configured,
        seed: int,
        fold: int,
        chain: tuple[Configured, ...],
        inner: Inner,
    ) -> Required:
        """Plan the cells that a model and its sampler require, on the training samples that the asker may see."""
        ids: dict[str, str] = {}
        texts = []
        asked: dict[str, Configured] = {}
        chain = (*chain, asker)
        for role, needed in required_of(sampling, asker).items():
            configured = self._configured_as(needed, role, asker)
            check_chain(chain, configured)
            why = misfit(place, self.plain.sampler, configured.model) or unsuited(label_kinds(place), configured)
            why = why or recipe_misfit(configured.recipe, place.loaded.dataset.modality)
            if why:
                raise UnfitError(f"it requires {configured.shown} as {role}, which does not fit: {why}")
            own_seed = DETERMINISTIC_SEED if self._seedless(configured) else seed
            parts = {role: inner} | {key: (*inner, part) for key, part in inner_folds(role, needed)}
            for key, part in parts.items():
                ids[key] = self._cell(place, self.plain, configured, own_seed, fold, chain, part)
            record, asked[role] = self.cells[ids[role]].record, configured
            check_val_scores(asker, role, needed, record)
            texts.append(told(role, needed, configured, record["facts"]["needs"]))
        records = {role: self.cells[ids[role]].record for role in asked}
        return Required(ids, tuple(texts), inherited(records, asked, place.division.folds[fold].notes))

    def _configured_as(self, needed: Requirement, role: str, asker: Configured) -> Configured:
        return configured_as(needed, role, asker, self.installed, self.part.epochs, self.part.small)

    def _seedless(self, configured: Configured, chain: tuple[Configured, ...] = ()) -> bool:
        """Whether seeds make no difference to a model, nor to any that it requires."""
        if not (configured.model.deterministic or configured.model.predictor is not None):
            return False
        chain = (*chain, configured)
        below = [self._configured_as(needed, role, configured) for role, needed in configured.requires.items()]
        for each in below:
            check_chain(chain, each)
        return all(self._seedless(each, chain) for each in below)

    def _inner_sizes(self, place: Place, fold: int, inner: Inner) -> dict[str, int]:
        """Numbers of samples where a part of train is held out."""
        if not inner:
            return {}
        splits = make_splits(place.loaded, place.rule, fold)
        train = splits.train if self.part.limit is None else limited(splits.train, self.part.limit)
        splits = held_out(replace(splits, train=train), place.rule, inner)
        return {"n_train": len(splits.train), "n_test": len(splits.test)}


@dataclass(frozen=True)
class Required:
    """Ids of required cells by role (``role/1-of-5``: without a part of train), and each requirement for people.

    ``inherited``: what the cell that asks takes over from them.
    """

    ids: dict[str, str]
    told: tuple[str, ...]
    inherited: Inherited


def _check_views(place: Place, configured: Configured) -> None:
    """Raise UnfitError or SettingsError for views at test that the model or its recipe cannot give."""
    model, recipe = configured.model, configured.recipe
    if model.build is None:
        return
    why = views_misfit(recipe.tta, model.inputs, place.loaded.dataset.modality)
    if why:
        raise UnfitError(why)
    if isinstance(recipe.tta, RandomViews):
        drawn_augmentation(recipe, f"{model.full_name}: recipe.tta")
