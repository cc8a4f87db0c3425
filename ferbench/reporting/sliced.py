"""The leaderboard cut by an attribute: for each row its score on every slice of the test samples."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ferbench.data.slicing import Attribute
from ferbench.nouns.metric import Metric
from ferbench.reporting.attributes import attribute_in, registered_in
from ferbench.reporting.board import Block, Record
from ferbench.reporting.rows import Row
from ferbench.reporting.samples import SampleFacts
from ferbench.reporting.slices import (
    FEW_GROUPS,
    SMALL,
    Part,
    Slice,
    places,
    slices_of,
    unknown_slice,
    worst_group,
    worst_of,
)
from ferbench.reporting.statistics import Replicates, Resampling, estimate

ALL, UNKNOWN = "all", "not known"
WORST, FEW = "worst", f"small: below {SMALL}"
_NAMES = ("dataset", "protocol", "sampler", "model", "variant")


def part_of(row: Row, samples: str, facts: SampleFacts, known: dict[str, Resampling]) -> Part:
    """A row's predictions, ready to be cut into slices."""
    seeds = [replace(scored, groups=facts.groups, votes=facts.votes).locked() for scored in row.scored]
    units, unit = (row.ids, "sample") if facts.groups is None else (facts.groups, row.facts["unit"])
    return Part(seeds, units, unit, samples, known)


def worst_groups(
    rows: Sequence[Row], metric: Metric, samples: Mapping[str, str], facts_of: Mapping[str, SampleFacts]
) -> dict[str, Slice]:
    """The worst group of each row by its id, where attributes are registered."""
    found: dict[str, Slice] = {}
    known: dict[str, Resampling] = {}
    aligned: dict[Hashable, dict[str, Attribute]] = {}
    for row in rows:
        table, key = row.table, samples[row.id]
        if (table, key) not in aligned:
            each = {name: attribute_in(table, name, row.ids) for name in registered_in(table)}
            aligned[table, key] = {name: attribute for name, attribute in each.items() if attribute is not None}
        worst = worst_group(part_of(row, key, facts_of[row.id], known), metric, aligned[table, key])
        found |= {row.id: worst} if worst else {}
    return found


def group_captions(worst: Mapping[str, Slice]) -> list[str]:
    """What the column of the worst groups means."""
    if not worst:
        return []
    attributes = ", ".join(sorted({one.attribute for one in worst.values()}))
    return [
        f"Worst group: of those with at least {SMALL} test samples, with its own interval and number of samples; one "
        f"is the worst by chance too. `ferbench leaderboard --by ATTRIBUTE` shows all of an attribute ({attributes})."
    ]


def slice_columns(metric: Metric) -> tuple[str, ...]:
    """Names of the columns of a table cut by an attribute."""
    scores = [f"{metric.name}_{part}" for part in ("mean", "std", "ci_low", "ci_high")]
    return ("kind", *_NAMES, "row", "attribute", "slice", "n_test", "rank", *scores, "notes")


def slice_block(title: str, cut: Sequence[tuple[Row, Part, Attribute]], name: str, metric: Metric) -> Block:
    """A block of rows that may be compared; the one that is best on all test samples comes first."""
    lines: list[tuple[float, list[Record]]] = []
    for row, part, attribute in cut:
        whole = _whole(row, part, metric, name)
        slices = slices_of(part, metric, name, attribute)
        ranks = places(slices, metric.higher_is_better)
        worst = worst_of(slices, metric.higher_is_better)
        unknown = unknown_slice(part, metric, name, attribute)
        records = [_record(row, metric, whole, ALL, None, "")]
        records += [
            _record(row, metric, one, one.name, rank, WORST if one is worst else "")
            for one, rank in zip(slices, ranks, strict=True)
        ]
        records += [_record(row, metric, unknown, UNKNOWN, None, "")] if unknown else []
        lines.append((whole.mean, records))
    sign = -1 if metric.higher_is_better else 1
    lines.sort(key=lambda line: (math.isnan(line[0]), sign * line[0]))
    first = cut[0][0]
    return Block(
        title=f"{title} · by {name}",
        dataset=first.key["dataset"],
        protocols=tuple(dict.fromkeys(row.key["protocol"] for row, _, _ in cut)),
        metrics=(metric,),
        rows=tuple(record for _, records in lines for record in records),
        captions=_captions([part for _, part, _ in cut], cut[0][2], name),
        floors=tuple(dict.fromkeys(row.model for row, _, _ in cut if row.facts.get("floor"))),
        attribute=name,
    )


def _whole(row: Row, part: Part, metric: Metric, name: str) -> Slice:
    """All test samples, as in the ordinary table."""
    if part.key not in part.known:
        part.known[part.key] = Resampling(part.units, part.key)
    try:
        found = estimate(metric, Replicates(part.seeds, part.known[part.key]), f"{row.id} {metric.name}")
    except Exception as error:  # a plugin's metric costs its own line, not the table
        fault = f"{metric.name} could not be computed ({type(error).__name__}: {error})"
        return Slice(name, ALL, len(row.ids), math.nan, fault=fault)
    return Slice(name, ALL, len(row.ids), found.mean, found.std, found.low, found.high)


def _record(row: Row, metric: Metric, one: Slice, shown: str, rank: int | None, note: str) -> Record:
    scores = {"mean": one.mean, "std": one.std, "ci_low": one.low, "ci_high": one.high}
    notes = [note, FEW if one.small else "", one.fault]
    record: dict[str, Any] = {
        "kind": row.kind,
        **{name: row.key[name] for name in _NAMES},
        "row": row.name,
        "attribute": one.attribute,
        "slice": shown,
        "n_test": one.n,
        "rank": rank,
        **{f"{metric.name}_{part}": None if math.isnan(value) else value for part, value in scores.items()},
        "notes": "; ".join(filter(None, notes)),
    }
    return record | {"row_id": row.id}


def _captions(parts: Sequence[Part], attribute: Attribute, name: str) -> tuple[str, ...]:
    captions = [
        "Each interval is of its slice alone. One of several slices is the worst by chance too: look whether its "
        "interval leaves out the score on all.",
        f"Slices of fewer than {SMALL} test samples are marked, and have no rank.",
    ]
    if attribute.rule:
        captions.append(f"{name}: {attribute.rule}.")
    unit = parts[0].unit
    if unit not in ("sample", name):
        captions.append(
            f"Intervals resample whole {unit}s; a slice of fewer than {FEW_GROUPS} of them has no interval."
        )
    if unit == name:
        captions.append(f"Each slice is one {unit}: its interval is about that {unit}, and resamples its samples.")
    return tuple(captions)
