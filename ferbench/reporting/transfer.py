"""The transfer matrix: what was trained on one data set and tested on others, from stored evaluations."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.errors import StoreError
from ferbench.nouns.metric import Metric, Scored
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.settings import validated
from ferbench.reporting.collecting import collect
from ferbench.reporting.rows import Cell, Row
from ferbench.reporting.samples import sample_facts
from ferbench.reporting.statistics import Replicates, Resampling, estimate
from ferbench.store.files import read_object

Tested = tuple[Scored, np.ndarray, Mapping[str, Any]]
"""Test predictions of one training, the samples' ids (str [n]), and what its evaluation notes beside them."""

Place = tuple[str, str, str]
"""A test side: data set, protocol, and the fingerprint of the copy."""


@dataclass(frozen=True)
class Transfer:
    """One field of the matrix: a row's score on the test side of ``tested``.

    ``mean`` over ``models`` trainings, with its 95 % interval. ``n`` test samples of ``classes``; ``left_out`` those of
    classes that the model does not know, ``seen`` those that its training knew.
    """

    method: str
    trained: str
    tested: str
    metric: str
    mean: float
    ci_low: float
    ci_high: float
    models: int
    n: int
    classes: tuple[str, ...]
    left_out: int
    seen: int


def transfer_matrix(outs: Sequence[Path], metric: Metric, run: str | None = None) -> list[Transfer]:
    """Every row of a run (default: the latest) on its own test side, then on each data set it was also scored on.

    Evaluations with the chosen weights and the recipe's own views count, no others. Intervals resample the groups of a
    protocol, as the leaderboard's do, where the rows know them. Raises StoreError when a file is damaged or the metric
    cannot be computed.
    """
    found: list[tuple[Row, dict[Place, list[Tested]]]] = []
    for row in collect(outs, run).rows:
        if row.facts["task"] in metric.tasks:
            own: dict[Place, list[Tested]] = {_own_place(row): [(scored, row.ids, {}) for scored in row.scored]}
            found.append((row, own | _elsewhere(row, metric.name)))
    names = _named({place for _, fields in found for place in fields})
    tested_by = {_own_place(row): row for row, _ in found}
    return [
        _field(
            _method(row),
            names[_own_place(row)],
            names[place],
            metric,
            of,
            _units(tested_by.get(place), of[0][1]),
            row.id,
        )
        for row, fields in found
        for place, of in fields.items()
    ]


def _units(row: Row | None, ids: np.ndarray) -> np.ndarray:
    """What is resampled, [n]: the group of each sample where ``row``, whose own test side has them, knows any."""
    unit = "sample" if row is None else row.facts.get("unit") or "sample"
    if row is None or unit == "sample":
        return ids
    groups = sample_facts(row.table, row.key["protocol"], unit, ids, np.zeros(len(ids), np.int64)).groups
    return ids if groups is None else groups


def _own_place(row: Row) -> Place:
    return row.key["dataset"], row.key["protocol"], row.key["fingerprint"]


def _method(row: Row) -> str:
    return row.name or row.model + (f" + {row.key['sampler']}" if row.key["sampler"] != "plain" else "")


def _named(places: Collection[Place]) -> dict[Place, str]:
    """``NAME@PROTOCOL`` of each; with the beginning of its fingerprint where the data set came in several copies."""
    copies = Counter((dataset, protocol) for dataset, protocol, _ in places)
    return {
        place: f"{place[0]}@{place[1]}" + (f" (copy {place[2][:8]})" if copies[place[:2]] > 1 else "")
        for place in places
    }


def _elsewhere(row: Row, metric: str) -> dict[Place, list[Tested]]:
    """What each cell scored on other test sides to which the metric applies."""
    found: dict[Place, list[Tested]] = {}
    for cell in row.cells:
        for key in cell.folder.evaluations():
            facts = read_object(cell.folder.path / "evaluations" / key / "evaluation.json")
            there = (facts["dataset"], facts["protocol"], facts["fingerprint"])
            usual = facts["weights"] == "best" and facts["tta"] == _own_views(cell)
            if there != _own_place(row) and usual and metric in cell.folder.metrics(key).get("test", {}):
                test = cell.folder.predictions(key).side("test")
                order = np.argsort(test.ids)
                scored = Scored(test.targets[order], test.scores[order].astype(np.float64), test.classes)
                found.setdefault(there, []).append((scored, test.ids[order], facts))
    return found


def _own_views(cell: Cell) -> Any:
    """The views of the cell's recipe; an estimator's holds none, and has the usual one."""
    return validated(Recipe, cell.record["row"]["recipe"], "recipe").tta.model_dump(mode="json")


def _field(
    method: str,
    trained: str,
    tested: str,
    metric: Metric,
    of: Sequence[Tested],
    units: np.ndarray,
    row_id: str,
) -> Transfer:
    seeds, facts = [scored for scored, _, _ in of], of[0][2]
    first = seeds[0]
    if any(not np.array_equal(scored.targets, first.targets) for scored in seeds[1:]):
        raise StoreError(f"{method}, trained on {trained}: its seeds were tested on different samples of {tested}.")
    resampling = Resampling(units, f"{tested} {len(first.targets)}")
    try:
        value = estimate(metric, Replicates(seeds, resampling), f"{row_id} {tested} {metric.name}")
    except Exception as error:  # a plugin's metric may raise anything
        raise StoreError(
            f"{metric.name} of {method} on {tested} cannot be computed ({type(error).__name__}: {error})."
        ) from error
    seen = facts.get("seen", {})
    return Transfer(
        method,
        trained,
        tested,
        metric.name,
        value.mean,
        value.low,
        value.high,
        len(seeds),
        len(first.targets),
        first.classes,
        sum(facts.get("left_out", {}).values()),
        int(seen.get("train", 0)) + int(seen.get("val", 0)),
    )


def as_records(fields: Sequence[Transfer]) -> list[dict[str, Any]]:
    """Plain data, unrounded; undefined numbers are None."""
    return [
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in asdict(field).items()
        }
        for field in fields
    ]
