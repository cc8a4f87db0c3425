"""The statistics of one row, and the notes that belong beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ferbench.nouns.metric import Metric, Scored
from ferbench.reporting.board import QUICK
from ferbench.reporting.claims import claim_for
from ferbench.reporting.rows import Row
from ferbench.reporting.samples import SampleFacts
from ferbench.reporting.slices import Slice
from ferbench.reporting.statistics import Estimate, Replicates, Resampling, estimate

_FEW_GROUPS = 20
_BEFORE_SCORES = (
    *("rank", "kind", "dataset", "protocol", "sampler", "model", "variant", "row"),
    *("seeds", "folds", "n_test", "n_leakfree", "selection"),
)
_WORST_GROUP = tuple(f"worst_group{part}" for part in ("", "_n", "_mean", "_ci_low", "_ci_high"))
_AFTER_SCORES = ("params", "flops", "train_seconds", "images_per_second", "extra_data", "reported", "delta", "notes")


@dataclass(frozen=True)
class Measured:
    """A row with its statistics. ``leak_free``: metrics without copied samples, ``n_leak_free`` what then is left."""

    row: Row
    estimates: Mapping[str, Estimate]
    leak_free: Mapping[str, float]
    n_leak_free: int | None
    groups: int | None
    faults: tuple[str, ...]


def measure(row: Row, metrics: Sequence[Metric], resampling: Resampling, facts: SampleFacts) -> Measured:
    """Compute all scalar metrics of a row. A metric that raises is left out and named in ``faults``."""
    seeds = [replace(scored, groups=facts.groups, votes=facts.votes).locked() for scored in row.scored]
    replicates = Replicates(seeds, resampling)
    estimates: dict[str, Estimate] = {}
    leak_free: dict[str, float] = {}
    faults = []
    for metric in metrics:
        try:
            estimates[metric.name] = estimate(metric, replicates, f"{row.id} {metric.name}")
        except Exception as error:  # whatever a plugin's metric raises costs its own column, not the table
            faults.append(f"{metric.name} could not be computed ({type(error).__name__}: {error})")
            continue
        if facts.copied is None:
            continue
        try:
            leak_free[metric.name] = _without(facts.copied, metric, seeds, estimates[metric.name].mean)
        except Exception as error:  # it may not stand what is left, such as a side that lacks a class
            faults.append(f"{metric.name} could not be computed without copies ({type(error).__name__}: {error})")
    left = None if facts.copied is None else int((~facts.copied).sum())
    groups = None if facts.groups is None else resampling.count
    return Measured(row, estimates, leak_free, left, groups, tuple(faults))


def _without(copied: np.ndarray, metric: Metric, seeds: Sequence[Scored], whole: float) -> float:
    if not copied.any():
        return whole
    keep = ~copied
    if not keep.any():
        return math.nan
    return float(np.mean([metric.compute(scored.take(keep)) for scored in seeds]))


def columns_of(metrics: Sequence[Metric], train: Sequence[str], groups: bool = False) -> tuple[str, ...]:
    """Names of all columns, in order; ``groups``: with those of the worst group."""
    scores = [f"{m.name}_{part}" for m in metrics for part in ("mean", "std", "ci_low", "ci_high", "leakfree")]
    worst = _WORST_GROUP if groups else ()
    return (*_BEFORE_SCORES, *scores, *worst, *(f"train_{name}" for name in train), *_AFTER_SCORES)


def record_of(
    measured: Measured, columns: Sequence[str], primary: str, rank: int | None, notes: list[str]
) -> dict[str, Any]:
    """One row of the table: numbers unrounded, None where there is none. ``row_id`` comes with it, in no column."""
    row, key, facts = measured.row, measured.row.key, measured.row.facts
    claim = claim_for(row, primary)
    found = measured.estimates.get(primary)
    comparable = claim is not None and not claim.obstacles and found is not None
    if claim is not None:
        notes = [*notes, *([f"no delta: {', '.join(claim.obstacles)}"] if claim.obstacles else [])]
    params = row.status_same("params")
    record: dict[str, Any] = dict.fromkeys(columns)
    record |= {
        "rank": rank,
        "kind": row.kind,
        **{name: key[name] for name in ("dataset", "protocol", "model", "variant")},
        "sampler": row.sampler,
        "row": row.name,
        "seeds": len(row.seeds),
        "folds": row.folds,
        "n_test": len(row.ids),
        "n_leakfree": measured.n_leak_free,
        "selection": row.selection,
        **_scores(measured),
        **{f"train_{name}": value for name, value in row.train_metrics.items() if f"train_{name}" in record},
        "params": facts.get("params") if params is None else params,
        "flops": row.status_same("flops"),
        "train_seconds": row.status_mean("train_seconds"),
        "images_per_second": row.status_mean("images_per_second"),
        "extra_data": facts.get("extra_data") or "",
        "reported": claim.item.value if claim else None,
        "delta": found.mean - claim.item.value if comparable and found and claim else None,
        "notes": "; ".join(note.replace("; ", ", ") for note in dict.fromkeys(notes)),
    }
    return {name: _defined(record[name]) for name in columns} | {"row_id": row.id}


def worst_columns(worst: Slice | None) -> dict[str, Any]:
    """The columns of the worst group, by the first metric; none where nothing is known of groups."""
    if worst is None:
        return {}
    values = (f"{worst.attribute}: {worst.name}", worst.n, worst.mean, worst.low, worst.high)
    return {name: _defined(value) for name, value in zip(_WORST_GROUP, values, strict=True)}


def _defined(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _scores(measured: Measured) -> dict[str, float]:
    scores: dict[str, float] = {}
    for name, found in measured.estimates.items():
        values = {"mean": found.mean, "std": found.std, "ci_low": found.low, "ci_high": found.high}
        scores |= {f"{name}_{part}": value for part, value in values.items()}
    return scores | {f"{name}_leakfree": value for name, value in measured.leak_free.items()}


def notes_of(measured: Measured) -> list[str]:
    """What a reader must know of a row by itself, the weightiest first."""
    row, key, facts = measured.row, measured.row.key, measured.row.facts
    notes = list(measured.faults)
    if facts.get("kind") == QUICK:
        notes.append(f"quick, unranked: {facts['why_unranked']}")
    if row.selection == "oracle":
        whose = f" of {', '.join(facts['oracle_in'])}" if facts.get("oracle_in") else ""
        notes.append(f"oracle: weights{whose} chosen on the test set, not ranked")
    if row.selection == "unknown":
        notes.append("not ranked: nobody says how its weights were chosen")
    if key.get("small"):
        notes.append("small settings, to show that it runs: not ranked, not comparable with anything")
    notes += _merged_notes(row)
    if key["limit"] is not None:
        notes.append(f"trained on {part_of_training(key['limit'])} only (--limit)")
    if facts.get("partial"):
        notes.append(f"partial copy of the data: {facts['partial']}")
    if facts.get("synthetic"):
        notes.append("synthetic data")
    if "epochs" in facts.get("modified", []):
        whole = facts.get("recipe_epochs")
        epochs = "1 epoch" if facts.get("epochs") == 1 else f"{facts.get('epochs')} epochs"
        notes.append(f"try-out: {epochs}" + (f" instead of the recipe's {whole}" if whole else ""))
    for what in facts.get("tried_out", []):
        notes.append(f"try-out: {what}")
    changed = [_setting(row, name) for name in facts.get("modified", []) if name != "epochs"]
    if changed:
        notes.append(f"changed: {', '.join(changed)}")
    if len(row.seeds) < row.planned:
        notes.append(f"{len(row.seeds)} of {row.planned} seeds")
    if len(row.seeds) == 1 and not facts.get("deterministic"):
        notes.append("one seed: the interval leaves out the chance of training")
    if measured.groups is not None and measured.groups < _FEW_GROUPS:
        notes.append(f"only {measured.groups} {facts['unit']}s: the interval is rough")
    mixed = row.mixed_environment()
    if mixed:
        notes.append(f"mixed environments: {', '.join(mixed)}")
    told = [note for cell in row.cells for note in cell.status.get("notes") or []]
    needs = [f"requires {need}" for need in facts.get("needs", [])]
    return [*notes, *needs, *map(str, facts.get("notes", [])), *map(str, told)]


def _merged_notes(row: Row) -> list[str]:
    """Where merged cells come from, and what of them was checked here."""
    notes = []
    for cell in row.cells:
        merged = cell.status.get("merged")
        if not merged:
            continue
        environment = cell.folder.environment
        where = ", ".join(filter(None, [environment.get("machine"), environment.get("device_name")]))
        checked = "only its metrics were" if merged["labels"] else "its samples, labels and metrics were"
        notes.append(f"merged from {merged['pack']}, trained elsewhere ({where or 'unknown'}), {checked} checked here")
        if merged["labels"]:
            notes.append(f"not ranked: its labels were not checked here ({merged['labels']})")
        if merged["code"]:
            notes.append(f"its code is not known here ({merged['code']})")
        notes += [f"found when it was merged: {remark}" for remark in merged["remarks"][:3]]
    return notes


def part_of_training(limit: int | float) -> str:
    """A limit for people: ``2,000 training samples``, ``10 % of the training samples``."""
    return f"{limit:,} training samples" if limit >= 1 else f"{100 * limit:g} % of the training samples"


def _setting(row: Row, name: str) -> str:
    """``optimizer.lr = 0.01`` for a changed key of the recipe, ``options.depth = 3`` for one of the model's options."""
    node: Any = {**row.key["recipe"], "options": row.key["model_options"]}
    for part in name.removeprefix("recipe.").split("."):
        if not isinstance(node, dict) or part not in node:
            return name
        node = node[part]
    return name if isinstance(node, dict | list) else f"{name} = {node}"
