"""Everything a cell works with, made again from its record: plugins, data, splits, recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferbench.data.inner import held_out
from ferbench.data.registry import load
from ferbench.data.splits import limited, make_splits
from ferbench.data.stored import Loaded
from ferbench.errors import DataError, PluginError, UnknownNameError, did_you_mean
from ferbench.nouns.dataset import Dataset, ProtocolRule
from ferbench.nouns.metric import Metric
from ferbench.nouns.model import Model
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.sampler import Sampler
from ferbench.nouns.settings import Options, validated
from ferbench.nouns.split import Splits
from ferbench.plugins import Installed, discover


@dataclass(frozen=True)
class Setup:
    """A cell's parts."""

    installed: Installed
    record: Mapping[str, Any]
    loaded: Loaded
    rule: ProtocolRule
    splits: Splits
    model: Model
    sampler: Sampler
    recipe: Recipe
    model_options: Options
    sampler_options: Options

    @property
    def dataset(self) -> Dataset:
        """The data set."""
        return self.loaded.dataset

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the outputs."""
        return self.splits.train.classes


def rebuild(record: Mapping[str, Any], installed: Installed | None = None) -> Setup:
    """Make the parts of the cell that ``record`` (its ``cell.json``) describes, from what is ``installed`` here.

    Without ``installed`` the cell's own plugins alone are loaded: those of its data, sampler and model. Raises
    DataError when the data on this machine are not those that the cell was planned on, MissingDataError and PluginError
    when something is gone.
    """
    row = record["row"]
    if installed is None:
        installed = discover(only=record["plugins"], files=[Path(name) for name in record["plugin_files"]])
    check_sources(installed, record)
    dataset = installed.dataset(row["dataset"])
    loaded = as_planned(dataset, row["fingerprint"])
    rule = find_protocol(dataset, row["protocol"])
    splits = make_splits(loaded, rule, record["fold"])
    if row["limit"] is not None:
        splits = Splits(limited(splits.train, row["limit"]), splits.val, splits.test, splits.notes)
    splits = held_out(splits, rule, row.get("inner", ()))
    model, sampler = installed.model(full_name(row)), installed.sampler(row["sampler"])
    return Setup(
        installed=installed,
        record=record,
        loaded=loaded,
        rule=rule,
        splits=splits,
        model=model,
        sampler=sampler,
        recipe=recipe_of(row["recipe"]),
        model_options=validated(type(model.options), row["model_options"]),
        sampler_options=validated(type(sampler.options), row["sampler_options"]),
    )


def as_planned(dataset: Dataset, fingerprint: str) -> Loaded:
    """Load the copy of a data set on which a cell was planned. Raises DataError where another one is registered."""
    loaded = load(dataset)
    if loaded.fingerprint != fingerprint:
        raise DataError(
            f"The registered copy of {dataset.name} is {loaded.fingerprint}, but this cell was planned on "
            f"{fingerprint}. Register the former copy again, or start a new run."
        )
    return loaded


def metrics_of(setup: Setup) -> list[Metric]:
    """All metrics by name. The plugins that bring nothing else to the cell are loaded only now.

    A cell asks when its predictions are made, so that no other plugin's code can have a part in them.
    """
    record = setup.record
    names, files = record.get("metric_plugins", ()), [Path(name) for name in record.get("metric_files", ())]
    everything = [discover(only=names, files=files), setup.installed]
    found = {name: each.metric(name) for each in everything for name in each.names("metrics")}
    return [found[name] for name in sorted(found)]


def check_sources(installed: Installed, record: Mapping[str, Any]) -> None:
    """Raise PluginError when a plugin's code is no longer the one that the cell's id names."""
    current = {info.name: info.source_hash for info in installed.plugins}
    for name, planned in record["sources"].items():
        if current.get(name) != planned:
            raise PluginError(
                f"The code of plugin {name} changed since the cell was planned ({planned[:8]} → "
                f"{current.get(name, 'gone')[:8]}). Start the run again: it plans new cells for the new code."
            )


def full_name(row: Mapping[str, Any]) -> str:
    """``model@variant`` of a row key."""
    return f"{row['model']}@{row['variant']}" if row["variant"] else str(row["model"])


def recipe_of(data: Mapping[str, Any]) -> Recipe:
    """The recipe of a row key (an estimator's holds its ``input`` alone)."""
    return validated(Recipe, data, "recipe")


def find_protocol(dataset: Dataset, name: str) -> ProtocolRule:
    """The data set's protocol of that name; empty: its default. Raises UnknownNameError."""
    known = {rule.name: rule for rule in dataset.protocols}
    if not name:
        return dataset.default_protocol
    if name not in known:
        hint = did_you_mean(name, known)
        raise UnknownNameError(f"{dataset.name} has no protocol {name!r}.{hint} Known: {', '.join(known)}.")
    return known[name]
