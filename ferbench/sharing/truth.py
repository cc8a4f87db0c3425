"""What this machine knows of a cell's data and code, against which what was brought is held."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ferbench.data.registry import load
from ferbench.data.splits import limited_count, make_splits
from ferbench.data.summary import describe_division
from ferbench.errors import DataError, MissingDataError, UnknownNameError
from ferbench.evaluating.setup import find_protocol, full_name, recipe_of
from ferbench.identity import ENGINE_VERSION
from ferbench.nouns.split import Splits
from ferbench.plugins import Installed
from ferbench.running.outside import Outside, arrange
from ferbench.running.records import Configured, Place, Sampling, facts
from ferbench.store.predictions import Predictions


@dataclass(frozen=True)
class Truth:
    """One fold of a protocol as this machine has it; ``why`` it has none, where ``splits`` is None."""

    place: Place | None = None
    splits: Splits | None = None
    why: str = ""


def find_place(installed: Installed, dataset: str, fingerprint: str, protocol: str) -> Place | str:
    """The data set of that fingerprint under a protocol as it is here; or why it is not."""
    try:
        loaded = load(installed.dataset(dataset))
        if loaded.fingerprint != fingerprint:
            return f"the copy of {dataset} that is registered here is another ({loaded.fingerprint[:8]})"
        rule = find_protocol(loaded.dataset, protocol)
        return Place(loaded, rule, describe_division(loaded, rule))
    except UnknownNameError:
        return f"no plugin here has {dataset}@{protocol}"
    except MissingDataError:
        return f"{dataset} is not registered on this machine"
    except DataError as error:
        return f"{dataset}@{protocol} cannot be used here: {error}"


def truth_of(place: Place | str, fold: int, division: str | None = None) -> Truth:
    """One fold of a place; ``division`` is the digest that its protocol must have."""
    if isinstance(place, str):
        return Truth(why=place)
    if division not in (None, place.division.digest):
        return Truth(place, why=f"{place.loaded.dataset.name}@{place.rule.name} divides its data otherwise here")
    try:
        return Truth(place, make_splits(place.loaded, place.rule, fold))
    except DataError as error:
        return Truth(place, why=str(error))


def check_samples(found: Predictions, truth: Truth, needs_val: bool, name: str) -> None:
    """Raise DataError where samples or labels are not those of the protocol here; the real side is named."""
    assert truth.place is not None and truth.splits is not None
    place, loaded = f"{truth.place.loaded.dataset.name}@{truth.place.rule.name}", truth.place.loaded
    for side, split in (("test", truth.splits.test), ("val", truth.splits.val)):
        mine, where = found.side(side), f"the {side} side of {place}"
        if side == "val" and not len(mine.ids) and not needs_val:
            continue
        if mine.classes != split.classes or mine.targets.ndim != np.ndim(split.targets):
            raise DataError(f"{name}: it was scored for {', '.join(mine.classes)}, and {where} has other labels.")
        hard = mine.targets.ndim == 1
        try:
            arrange(Outside(mine.ids, mine.targets if hard else None, mine.scores, False), split, loaded, where)
        except DataError as error:
            raise DataError(f"{name}: {error}") from None
        ours, theirs = np.argsort(split.ids), np.argsort(mine.ids)
        if not hard and not np.array_equal(np.asarray(split.targets)[ours], mine.targets[theirs]):
            raise DataError(f"{name}: its labels are not those of {where}.")


def check_table(found: Predictions, table: Path, protocol: str, folds: int, name: str) -> list[str]:
    """Raise DataError where samples do not stand in the table of the data set, or on another side of the protocol.

    Labels that are not its targets are only told, since a protocol may give its own.
    """
    if not table.exists():
        return []
    side_column = f"split_{protocol}"
    names = ["id", "target", *([side_column] if side_column in pq.read_schema(table).names else [])]
    data = pq.read_table(table, columns=names)
    ids = np.array(data["id"].to_pylist(), dtype=str)
    order = np.argsort(ids)
    place = order[np.clip(np.searchsorted(ids, found.ids, sorter=order), 0, len(ids) - 1)]
    strange = int((ids[place] != found.ids).sum())
    if strange:
        raise DataError(f"{name}: {strange:,} of its samples do not stand in the table of its data set.")
    relabelled = _relabelled(found, data, place)
    if folds > 1 or side_column not in names or data[side_column].null_count:
        return relabelled
    sides = np.array(data[side_column].to_pylist(), dtype=str)
    for side in dict.fromkeys(found.split.tolist()):
        mine = found.split == side
        if (sides[place[mine]] != side).any() or int((sides == side).sum()) != int(mine.sum()):
            counts = Counter(sides[place[mine]].tolist())
            stand = ", ".join(f"{count:,} in {other or 'none'}" for other, count in sorted(counts.items()))
            raise DataError(
                f"{name}: its {int(mine.sum()):,} samples of {side} are not the {int((sides == side).sum()):,} that "
                f"the table of its data set has for {protocol}; there they stand: {stand}."
            )
    return relabelled


def _relabelled(found: Predictions, data: pa.Table, place: np.ndarray) -> list[str]:
    """How many labels are not the targets in the table's rows at ``place``, where both are single ones."""
    known = json.loads((data.schema.metadata or {}).get(b"classes", b"[]"))
    if found.targets.ndim > 1 or not pa.types.is_integer(data["target"].type) or not set(found.classes) <= set(known):
        return []
    targets = np.asarray(data["target"].to_numpy())[place]
    count = int((np.array([known.index(each) for each in found.classes])[found.targets] != targets).sum())
    return [f"{count:,} labels are not the targets in the table that came with it"] if count else []


def doubts_of_code(record: Mapping[str, Any], installed: Installed) -> str:
    """Why the code that made a cell is not the code here; empty where it is."""
    row, sources = record["row"], record["sources"]
    current = {info.name: info.source_hash for info in installed.plugins if info.state == "ok"}
    for plugin, planned in sources.items():
        if current.get(plugin) != planned:
            return f"plugin {plugin} {'has other code' if plugin in current else 'is not installed'} here"
    try:
        named = {
            installed.plugin_of("models", full_name(row)).name,
            installed.plugin_of("samplers", row["sampler"]).name,
        }
    except UnknownNameError:
        return f"no plugin here has {full_name(row)}"
    if named - set(sources):
        return f"it does not say with which code of {', '.join(sorted(named - set(sources)))} it was made"
    return "" if record["engine"] == ENGINE_VERSION else f"engine {record['engine']} made it, here is {ENGINE_VERSION}"


def facts_here(record: Mapping[str, Any], truth: Truth, installed: Installed, code_known: bool) -> dict[str, Any]:
    """The facts of ``cell.json`` with all that follows from data and code taken from those that are here."""
    brought, row = dict(record["facts"]), record["row"]
    if truth.place is not None and truth.splits is not None:
        sizes, dataset = truth.place.division.folds[record["fold"]], truth.place.loaded.dataset
        brought |= {
            "task": dataset.task,
            "classes": list(sizes.classes),
            "ranking": truth.place.rule.ranking or truth.place.rule.name,
            "unit": truth.place.rule.unit,
            "n_train": limited_count(row["limit"], sizes.n_train),
            "n_val": sizes.n_val,
            "n_test": sizes.n_test,
            "partial": truth.place.loaded.partial,
            "synthetic": dataset.synthetic,
        }
    if not code_known or truth.place is None or truth.splits is None or brought.get("kind") == "imported":
        return brought | {"reported": []}
    model = installed.model(full_name(row))
    recipe = recipe_of(row["recipe"])
    configured = Configured(model, recipe, row["model_options"], tuple(brought["modified"]))
    seen = brought["extra_data"] or ", ".join(row["weights"])
    beyond = [] if model.extra_data and seen == model.extra_data else [seen.removeprefix(f"{model.extra_data}, ")]
    ours = facts(truth.place, configured, record["fold"], row["limit"], beyond)
    taken = ("deterministic", "floor", "estimator", "epochs", "recipe_epochs", "reported", "extra_data")
    sampling = Sampling(installed.sampler(row["sampler"]), row["sampler_options"])
    changed = {"modified": _modified(configured), "sampler_modified": sampling.modified}
    if record["requires"]:  # what it requires may depend on seeds where the model does not
        changed["deterministic"] = brought["deterministic"] and ours["deterministic"]
    return brought | {key: ours[key] for key in taken} | changed


def _modified(configured: Configured) -> list[str]:
    """The keys that a cell says were changed, and those that were although it does not say so."""
    model, told = configured.model, list(configured.modified)
    stock = model.recipe
    if model.build is not None and configured.recipe.total_epochs != stock.total_epochs:
        told += [] if any("epochs" in key for key in told) else ["epochs"]
        stock = stock.with_epochs(configured.recipe.total_epochs)
    pairs = [
        (key, configured.key[key], value)
        for key, value in replace(configured, recipe=stock).key.items()
        if key != "selection"
    ]
    options = model.options.model_dump(mode="json")
    pairs += [(f"options.{key}", configured.options.get(key), value) for key, value in options.items()]
    changed = [key for key, mine, value in pairs if mine != value and key != "epochs"]
    return told + [key for key in changed if not any(each.removeprefix("recipe.").startswith(key) for each in told)]
