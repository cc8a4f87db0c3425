"""The plan of a run: every cell with its record, required cells before those that need them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from ferbench.data.registry import Loaded, load
from ferbench.data.splits import count_folds, make_splits
from ferbench.errors import DataError, Problem, SettingsError
from ferbench.evaluating.setup import find_protocol
from ferbench.identity import ENGINE_VERSION, RowKey, cell_id
from ferbench.nouns.dataset import ProtocolRule
from ferbench.nouns.emotions import LABEL_KIND_OF_TASK
from ferbench.nouns.model import Model
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.sampler import Sampler
from ferbench.nouns.split import Splits
from ferbench.nouns.suite import RunSettings, Suite
from ferbench.plugins import Installed
from ferbench.running.request import Request, resolve_suite, run_settings, unmatched
from ferbench.suites import Override, applied, dotted, overrides_of, under

SCHEMA = 1


@dataclass(frozen=True)
class Skipped:
    """A combination that does not fit, and why."""

    what: str
    why: str


@dataclass(frozen=True)
class PlannedCell:
    """A cell to train: its id, what goes into ``cell.json``, and the ids of required cells."""

    id: str
    label: str
    record: dict[str, Any]
    requires: tuple[str, ...]
    network: bool


@dataclass(frozen=True)
class Plan:
    """All cells of a run in an order in which they can be trained."""

    suite: Suite
    run: RunSettings
    cells: tuple[PlannedCell, ...]
    skipped: tuple[Skipped, ...]
    tables: dict[str, Loaded] = field(default_factory=dict)


@dataclass(frozen=True)
class Configured:
    """A model with its recipe and options after suite and overrides."""

    model: Model
    recipe: Recipe
    options: dict[str, Any]
    modified: tuple[str, ...]

    @property
    def key(self) -> dict[str, Any]:
        """The recipe as part of the row key: an estimator's is its ``input`` alone."""
        if self.model.build is None:
            return {"input": self.recipe.input.model_dump(mode="json")}
        return self.recipe.model_dump(mode="json")


def make_plan(request: Request, installed: Installed) -> Plan:
    """Look everything up and lay out the cells. Raises SettingsError, UnknownNameError, DataError."""
    suite = resolve_suite(request, installed)
    return Planner(request, installed, suite).plan()


class Planner:
    """Builds one plan; remembers cells by id so that shared requirements appear once."""

    def __init__(self, request: Request, installed: Installed, suite: Suite) -> None:
        self.request, self.installed, self.suite = request, installed, suite
        self.run = run_settings(request, suite)
        self.overrides: tuple[Override, ...] = overrides_of(suite, request.overrides)
        self.used: set[str] = set()
        self.cells: dict[str, PlannedCell] = {}
        self.skipped: list[Skipped] = []
        self.tables: dict[str, Loaded] = {}
        self.splits: dict[tuple[str, str, int], Splits] = {}

    def plan(self) -> Plan:
        """Make the plan."""
        for metric in self.suite.metrics:
            self.installed.metric(metric)
        models = [self.installed.model(name) for name in self.installed.expand("models", self.suite.models)]
        samplers = [self.installed.sampler(name) for name in self.installed.expand("samplers", self.suite.samplers)]
        for loaded, rule in self._datasets():
            for sampler in samplers:
                for model in models:
                    self._row(loaded, rule, sampler, model)
        narrowed = self.request.models or self.request.samplers
        known = [key for model in models for key in keys_of(model)]
        known += [key for sampler in samplers for key in dotted(sampler.options, "sampler.options")]
        unmatched(self.request.overrides if narrowed else self.overrides, self.used, known)
        if not self.cells:
            reasons = "\n".join(f"  {item.what}: {item.why}" for item in self.skipped)
            raise SettingsError([Problem("suite", f"nothing fits together, so there is nothing to run:\n{reasons}")])
        return Plan(self.suite, self.run, tuple(self.cells.values()), tuple(self.skipped), self.tables)

    def _datasets(self) -> Iterator[tuple[Loaded, ProtocolRule]]:
        plain = [name for name in self.suite.datasets if "@" not in name]
        names = [name for name in self.suite.datasets if "@" in name]
        for entry in [*self.installed.expand("datasets", plain), *names]:
            name, _, protocol = entry.partition("@")
            dataset = self.installed.dataset(name)
            rule = find_protocol(dataset, protocol)
            loaded = self.tables.get(name) or load(dataset)
            self.tables[name] = loaded
            if rule.name not in loaded.protocols:
                offered = ", ".join(loaded.protocols)
                raise DataError(
                    f"The registered copy of {name} cannot offer protocol {rule.name!r}; it offers {offered}. "
                    f"Use -d {name}@{loaded.protocols[0]}, or register another copy."
                )
            yield loaded, rule

    def _row(self, loaded: Loaded, rule: ProtocolRule, sampler: Sampler, model: Model) -> None:
        what = f"{model.full_name} on {loaded.dataset.name}@{rule.name}"
        why = misfit(loaded, rule, sampler, model)
        if why:
            self.skipped.append(Skipped(what, why))
            return
        configured = self._configure(model)
        options, _ = applied(sampler.options, self._under("sampler.options", ""), "sampler.options")
        once = model.deterministic and sampler.name == "plain" and not model.requires
        for fold in range(count_folds(loaded, rule)):
            for seed in self.suite.seeds[:1] if once else self.suite.seeds:
                self._cell(loaded, rule, sampler, options.model_dump(mode="json"), configured, seed, fold, ())

    def _configure(self, model: Model, required: bool = False) -> Configured:
        """Apply suite, ``--epochs`` and ``--set``; of these, a required model only follows ``--epochs``."""
        recipe, options, modified = model.recipe, model.options, []
        if self.suite.selection is not None and model.build is not None:
            recipe = recipe.model_copy(update={"selection": self.suite.selection})
        if self.suite.epochs is not None and model.build is not None:
            modified += ["epochs"] if self.suite.epochs != recipe.total_epochs else []
            recipe = recipe.with_epochs(self.suite.epochs)
        if not required:
            name = model.full_name
            changes = self._under("recipe", name)
            if model.build is None:
                changes = {key: value for key, value in changes.items() if key.startswith("input.")}
            if "epochs" in changes and recipe.stages:
                mend = "its recipe has stages; use --epochs (all are scaled) or recipe.stages.0.epochs"
                raise SettingsError([Problem(f"{name}: recipe.epochs", mend)])
            revised_recipe, keys = applied(recipe, changes, f"{name}: recipe")
            revised_options, option_keys = applied(options, self._under("model.options", name), f"{name}: options")
            assert isinstance(revised_recipe, Recipe)
            recipe, options = revised_recipe, type(options).model_validate(revised_options.model_dump())
            modified += [*keys, *(f"options.{key}" for key in option_keys)]
            self._use("recipe", name, keys)
            self._use("model.options", name, option_keys)
        return Configured(model, recipe, options.model_dump(mode="json"), tuple(modified))

    def _under(self, root: str, scope: str) -> dict[str, Any]:
        changes = under(root, self.overrides, scope)
        if root == "sampler.options":
            self._use(root, scope, tuple(changes))
        return changes

    def _use(self, root: str, scope: str, keys: tuple[str, ...]) -> None:
        for key in keys:
            self.used |= {f"{root}.{key}", f"{scope}:{root}.{key}"}

    def _cell(
        self,
        loaded: Loaded,
        rule: ProtocolRule,
        sampler: Sampler,
        sampler_options: dict[str, Any],
        configured: Configured,
        seed: int,
        fold: int,
        chain: tuple[str, ...],
    ) -> str:
        model = configured.model
        if model.full_name in chain:
            raise SettingsError([Problem(model.full_name, f"requires itself: {' → '.join([*chain, model.full_name])}")])
        requires = {}
        for role, name in {**sampler.requires, **model.requires}.items():
            needed = self.installed.model(name)
            why = misfit(loaded, rule, self.installed.sampler("plain"), needed)
            if why:
                raise SettingsError([Problem(model.full_name, f"requires {name}, which does not fit: {why}")])
            own_seed = self.suite.seeds[0] if needed.deterministic and not needed.requires else seed
            plain = self.installed.sampler("plain")
            inner = (*chain, model.full_name)
            needs = self._configure(needed, required=True)
            requires[role] = self._cell(loaded, rule, plain, {}, needs, own_seed, fold, inner)
        row = RowKey(
            dataset=loaded.dataset.name,
            fingerprint=loaded.fingerprint,
            protocol=rule.name,
            sampler=sampler.name,
            sampler_options=sampler_options,
            model=model.name,
            variant=model.variant,
            model_options=configured.options,
            recipe=configured.key,
            limit=self.suite.limit,
        )
        plugins = {
            info.name: info
            for info in (
                self.installed.plugin_of("models", model.full_name),
                self.installed.plugin_of("samplers", sampler.name),
            )
        }
        sources = {name: info.source_hash for name, info in plugins.items()}
        identity = cell_id(row, seed, fold, requires, sources)
        if identity not in self.cells:
            label = f"{model.full_name} · {loaded.dataset.name}@{rule.name} · seed {seed}"
            label += f" · fold {fold}" if count_folds(loaded, rule) > 1 else ""
            label += f" · {sampler.name}" if sampler.name != "plain" else ""
            record = {
                "schema": SCHEMA,
                "id": identity,
                "row_id": row.id,
                "label": label,
                "row": row.as_dict(),
                "seed": seed,
                "fold": fold,
                "folds": count_folds(loaded, rule),
                "requires": requires,
                "sources": sources,
                "engine": ENGINE_VERSION,
                **self._plugins_of(loaded, plugins),
                "facts": self._facts(loaded, rule, fold, configured),
                "run": self.run.model_dump(mode="json"),
            }
            network = model.build is not None
            self.cells[identity] = PlannedCell(identity, label, record, tuple(requires.values()), network)
        return identity

    def _plugins_of(self, loaded: Loaded, plugins: dict[str, Any]) -> dict[str, Any]:
        """The plugins that the cell loads, by name, and the files among them."""
        infos = [*plugins.values(), self.installed.plugin_of("datasets", loaded.dataset.name)]
        infos += [self.installed.plugin_of("metrics", name) for name in self.installed.names("metrics")]
        files = [str(path.absolute()) for path in self.request.plugins]
        used = {info.name for info in infos}
        return {
            "plugins": sorted(used),
            "plugin_files": [name for name in files if any(info.location == name for info in infos)],
        }

    def _facts(self, loaded: Loaded, rule: ProtocolRule, fold: int, configured: Configured) -> dict[str, Any]:
        """What the table shows beside the results, none of it part of the id."""
        key = (loaded.dataset.name, rule.name, fold)
        if key not in self.splits:
            self.splits[key] = make_splits(loaded, rule, fold)
        splits, model, dataset = self.splits[key], configured.model, loaded.dataset
        return {
            "task": dataset.task,
            "classes": list(splits.test.classes),
            "ranking": rule.ranking or rule.name,
            "unit": rule.unit,
            "n_train": len(splits.train) if self.suite.limit is None else min(self.suite.limit, len(splits.train)),
            "n_val": len(splits.val),
            "n_test": len(splits.test),
            "notes": list(splits.notes),
            "partial": loaded.partial,
            "synthetic": dataset.synthetic,
            "deterministic": model.deterministic,
            "floor": model.floor,
            "estimator": model.build is None,
            "modified": list(configured.modified),
            "extra_data": model.extra_data,
            "epochs": configured.recipe.total_epochs if model.build is not None else None,
            "recipe_epochs": model.recipe.total_epochs if model.build is not None else None,
            "reported": [asdict(item) | {"paper": None} for item in model.reported],
        }


def keys_of(model: Model) -> list[str]:
    """All keys of a model's recipe and options, as ``--set`` takes them."""
    return [*dotted(model.recipe, "recipe"), *dotted(model.options, "model.options")]


def misfit(loaded: Loaded, rule: ProtocolRule, sampler: Sampler, model: Model) -> str:
    """Why a combination cannot be trained; empty if it can."""
    dataset = loaded.dataset
    kind = rule.train_labels or LABEL_KIND_OF_TASK[dataset.task]
    if dataset.task not in model.tasks:
        return f"the data set's task is {dataset.task}, the model takes {', '.join(model.tasks)}"
    if kind not in model.label_kinds:
        return f"training labels are {kind}, the model takes {', '.join(model.label_kinds)}"
    if dataset.modality != model.modality:
        return f"the data are {dataset.modality}, the model takes {model.modality}"
    missing = set(model.inputs) - set(dataset.inputs)
    if missing:
        return f"the data have no input {', '.join(sorted(missing))}"
    if loaded.inputs is None and not sampler.streams:
        return f"sampler {sampler.name} needs the data in memory, and these stream from disk"
    if loaded.inputs is None and model.build is None:
        return "estimators need the data in memory, and these stream from disk"
    return ""
