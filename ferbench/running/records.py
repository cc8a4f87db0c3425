"""What goes into ``cell.json``: the row key, what the cell loads, and facts for the table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ferbench.data.labels import joined_kind
from ferbench.data.splits import limited_count
from ferbench.data.stored import Loaded
from ferbench.data.summary import Division
from ferbench.errors import DataError
from ferbench.identity import ENGINE_VERSION, RowKey, with_options
from ferbench.nouns.augmentation import MIXING
from ferbench.nouns.dataset import Dataset, ProtocolRule
from ferbench.nouns.emotions import LABEL_KIND_OF_TASK, LabelKind
from ferbench.nouns.losses import LABEL_KINDS
from ferbench.nouns.model import Model
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.requirement import Requirement, requirements_of
from ferbench.nouns.sampler import Sampler
from ferbench.nouns.settings import validated
from ferbench.nouns.suite import RunSettings
from ferbench.plugins import Installed, PluginInfo

SCHEMA = 1
Inner = tuple[tuple[int, int], ...]
"""(folds, fold) of each inner division of the training side, the outer one first."""


@dataclass(frozen=True)
class Place:
    """Where rows are compared: a data set under a protocol, and how that divides it."""

    loaded: Loaded
    rule: ProtocolRule
    division: Division


@dataclass(frozen=True)
class Configured:
    """A model with its recipe and options after suite and overrides; ``modified`` are the keys that these changed.

    ``asked``: keys of the recipe that whoever requires it asks for. ``sampler``: that of its training data.
    ``meant_epochs``: those of a required model, where ``--epochs`` gives it others.
    """

    model: Model
    recipe: Recipe
    options: Mapping[str, Any]
    modified: tuple[str, ...]
    asked: tuple[str, ...] = ()
    small: bool = False
    sampler: str = "plain"
    meant_epochs: int | None = None

    @property
    def shown(self) -> str:
        """Its name for people, with options that are not its own: ``student (rounds=2)``."""
        own = self.model.options.model_dump(mode="json")
        changed = {key: value for key, value in self.options.items() if value != own[key]}
        parts = [f"{key}={value}" for key, value in changed.items()]
        brief = {"stages": [stage.model_dump(mode="json", exclude_defaults=True) for stage in self.recipe.stages]}
        parts += [f"{key}={found_at(brief if key == 'stages' else self.key, key)}" for key in self.asked]
        return f"{self.model.full_name} ({', '.join(parts)})" if parts else self.model.full_name

    @property
    def requires(self) -> dict[str, Requirement]:
        """What it requires with these options, by role."""
        return requirements_of(self.model, validated(type(self.model.options), self.options))

    @property
    def key(self) -> dict[str, Any]:
        """The recipe as part of the row key: ``input`` alone where the engine does not train; not even that if raw."""
        if self.model.raw:
            return {}
        if self.model.build is None:
            return {"input": self.recipe.input.model_dump(mode="json")}
        return self.recipe.model_dump(mode="json")


def found_at(data: Mapping[str, Any], key: str) -> Any:
    """The value at a dotted key of plain data; None where there is none."""
    node: Any = data
    for part in key.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


@dataclass(frozen=True)
class Sampling:
    """A sampler with its options after overrides; ``reads``: fingerprints of the data sets that it reads, by name."""

    sampler: Sampler
    options: Mapping[str, Any]
    reads: Mapping[str, str] = field(default_factory=dict)

    @property
    def modified(self) -> list[str]:
        """The options that are not its own."""
        own = self.sampler.options.model_dump(mode="json")
        return [key for key, value in self.options.items() if value != own.get(key)]


def row_key(
    place: Place,
    sampling: Sampling,
    configured: Configured,
    limit: int | float | None,
    weights: Mapping[str, str],
    inner: Inner,
    requires: Mapping[str, str],
) -> RowKey:
    """The key of the row to which a cell belongs; ``weights``: the initial ones by name, with their SHA-256.

    ``requires``: ids of the rows of required cells.
    """
    return RowKey(
        dataset=place.loaded.dataset.name,
        fingerprint=place.loaded.fingerprint,
        protocol=place.rule.name,
        division=place.division.digest,
        sampler=sampling.sampler.name,
        sampler_options=sampling.options,
        model=configured.model.name,
        variant=configured.model.variant,
        model_options=configured.options,
        recipe=configured.key,
        weights=dict(weights),
        limit=None if configured.model.predictor else limit,
        small=configured.small,
        inner=inner,
        requires=dict(requires),
        reads=dict(sampling.reads),
    )


def label(place: Place, sampling: Sampling, configured: Configured, seed: int, fold: int, inner: Inner = ()) -> str:
    """A cell's name for people."""
    text = f"{configured.shown} · {place.loaded.dataset.name}@{place.rule.name} · seed {seed}"
    text += f" · fold {fold}" if len(place.division.folds) > 1 else ""
    text += "".join(f" · without part {part + 1} of {folds}" for folds, part in inner)
    if sampling.sampler.name == "plain":
        return text
    return f"{text} · {with_options(sampling.sampler.name, sampling.options, sampling.modified)}"


def cell_record(
    row: RowKey, identity: Mapping[str, Any], loads: Mapping[str, Any], facts: Mapping[str, Any], run: RunSettings
) -> dict[str, Any]:
    """``cell.json``: ``identity`` holds id, label, seed, fold, folds, requires and sources."""
    return {
        "schema": SCHEMA,
        "row_id": row.id,
        "row": row.as_dict(),
        "engine": ENGINE_VERSION,
        **identity,
        **loads,
        "facts": dict(facts),
        "run": run.model_dump(mode="json"),
    }


def what_to_load(installed: Installed, infos: Iterable[PluginInfo], files: Sequence[Path]) -> dict[str, Any]:
    """The plugins that a cell loads by name, and which of them are single files; those of metrics alone come later."""
    needed = {info.name: info for info in infos}
    scoring = [installed.plugin_of("metrics", name) for name in installed.names("metrics")]
    later = {info.name: info for info in scoring if info.name not in needed}
    given = [str(path.expanduser().resolve()) for path in files]

    def single(plugins: Mapping[str, PluginInfo]) -> list[str]:
        return [name for name in given if name in {info.location for info in plugins.values()}]

    return {
        "plugins": sorted(needed),
        "plugin_files": single(needed),
        "metric_plugins": sorted(later),
        "metric_files": single(later),
    }


def facts(
    place: Place,
    configured: Configured,
    fold: int,
    limit: int | float | None,
    trained_on: Sequence[str] = (),
    needs: Sequence[str] = (),
) -> dict[str, Any]:
    """What the table shows beside the results, none of it part of the id.

    ``trained_on``: what its initial weights have seen beyond the row's own training data. ``needs``: what it requires,
    for people.
    """
    model, dataset, sizes = configured.model, place.loaded.dataset, place.division.folds[fold]
    trained, finished = model.build is not None, model.predictor is not None
    seen = ", ".join(dict.fromkeys(filter(None, [model.extra_data, *trained_on])))
    return {
        "task": dataset.task,
        "classes": list(sizes.classes),
        "ranking": place.rule.ranking or place.rule.name,
        "unit": place.rule.unit,
        "n_train": limited_count(None if finished else limit, sizes.n_train),
        "n_val": sizes.n_val,
        "n_test": sizes.n_test,
        "notes": [*(_finished_notes(dataset, seen) if finished else ()), *sizes.notes],
        "partial": place.loaded.partial,
        "synthetic": dataset.synthetic,
        "deterministic": model.deterministic or finished,
        "floor": model.floor,
        "estimator": not trained,
        "inference_only": finished,
        "modified": list(configured.modified),
        "extra_data": seen,
        "epochs": configured.recipe.total_epochs if trained else None,
        "recipe_epochs": model.recipe.total_epochs if trained else None,
        "needs": list(needs),
        "fits": model.fits,
        "reported": [asdict(replace(item, paper=item.paper or model.paper)) for item in model.reported],
    }


def _finished_notes(dataset: Dataset, seen: str) -> tuple[str, ...]:
    """That nothing was trained here, and, where its training data name this very data set, what that may mean."""
    note = "inference-only: trained elsewhere, under no protocol that was checked here"
    named = [name for name in _names(dataset) if _plain(name) in _plain(seen)]
    if not named:
        return (note,)
    which = "this data set" if named == [dataset.name] else ", ".join(named)
    warning = f"WARNING: possibly trained on the test side: its training data name {which} ({seen})"
    return (warning, note)


def _names(dataset: Dataset) -> list[str]:
    """The names of a data set and of all from which it is made."""
    return [dataset.name, *(name for base in dataset.bases for name in _names(base))]


def _plain(text: str) -> str:
    """Letters and digits alone, so that FER-2013 and fer2013 are one; FER+ is ferplus."""
    return re.sub(r"[^a-z0-9]", "", text.lower().replace("+", "plus"))


def misfit(place: Place, sampler: Sampler, model: Model) -> str:
    """Why a combination cannot be trained; empty if it can."""
    loaded, dataset = place.loaded, place.loaded.dataset
    kind, _ = label_kinds(place)
    if dataset.task not in model.tasks:
        return f"the data set's task is {dataset.task}, the model takes {', '.join(model.tasks)}"
    if kind not in model.label_kinds:
        return f"training labels are {kind}, the model takes {', '.join(model.label_kinds)}"
    if dataset.modality != model.modality:
        return f"the data are {dataset.modality}, the model takes {model.modality}"
    if model.fits == "val" and sampler.name != "plain":
        return f"the model is fitted on val, which the sampler {sampler.name} does not change"
    missing = set(model.inputs) - set(dataset.inputs)
    if missing:
        return f"the data have no input {', '.join(sorted(missing))}"
    if loaded.inputs is None and not sampler.streams:
        return f"sampler {sampler.name} needs the data in memory, and these stream from disk"
    if model.predictor is not None and sampler.name != "plain":
        return "nothing of a finished model is trained, so a sampler makes no difference"
    if loaded.inputs is None and model.estimator is not None:
        return "estimators need the data in memory, and these stream from disk"
    return ""


def label_kinds(place: Place) -> tuple[LabelKind, LabelKind]:
    """The form of the labels on which models train, and of those on which they are chosen and tested."""
    tested = LABEL_KIND_OF_TASK[place.loaded.dataset.task]
    return place.rule.train_labels or tested, tested


def unsuited(kinds: tuple[LabelKind, LabelKind], configured: Configured) -> str:
    """Why a network's recipe cannot be trained on labels of these kinds (in training, at val); empty if it can.

    A model with an objective of its own is judged by its ``label_kinds`` alone: the recipe's loss is not used.
    """
    model, recipe = configured.model, configured.recipe
    if model.build is None:
        return ""
    train_kind, task_kind = kinds
    for stage in recipe.planned_stages():
        try:
            kind = joined_kind(train_kind, task_kind) if "val" in stage.sides else train_kind
        except DataError as error:
            return f"a stage trains on val as well: {error}"
        used = [] if model.objective is not None or stage.loss is None else [("loss", stage.loss.name)]
        for what, name in [*used, *(("term", term.name) for term in recipe.terms)]:
            if kind not in LABEL_KINDS[name]:
                return f"training labels are {kind}, the {what} {name} takes {', '.join(LABEL_KINDS[name])}"
        mixing = [op.name for op in stage.augmentation or () if isinstance(op, MIXING)]
        if mixing and kind == "accepted":
            return f"{mixing[0]} mixes labels by shares, and of accepted ones each is right as a whole"
        if mixing and kind in ("hard", "drawn") and "soft" not in model.label_kinds:
            return f"{mixing[0]} makes soft labels, and the model takes {', '.join(model.label_kinds)} ones alone"
    return ""
