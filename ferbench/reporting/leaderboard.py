"""The leaderboard: what stands in a store, ranked by significance, beside what publications report."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ferbench.data.slicing import Attribute
from ferbench.errors import UnknownNameError, did_you_mean
from ferbench.nouns.emotions import Task
from ferbench.nouns.metric import Metric
from ferbench.nouns.paper import Reported
from ferbench.reporting.about import about_data, data_captions, uses_by_dataset
from ferbench.reporting.attributes import attribute_in, known_in, registered_in
from ferbench.reporting.board import QUICK, Block, Failure, Leaderboard
from ferbench.reporting.captions import (
    block_captions,
    block_title,
    human_captions,
    missing_metrics,
    run_captions,
    title_of,
)
from ferbench.reporting.claims import by_value, with_claims
from ferbench.reporting.collecting import Collected, collect
from ferbench.reporting.declared import Declared, declared_sides, misdeclared
from ferbench.reporting.measured import (
    Measured,
    columns_of,
    measure,
    notes_of,
    record_of,
    worst_columns,
)
from ferbench.reporting.rows import Row
from ferbench.reporting.samples import SampleFacts, sample_facts
from ferbench.reporting.sliced import group_captions, part_of, slice_block, slice_columns, worst_groups
from ferbench.reporting.slices import Part
from ferbench.reporting.statistics import Ranking, Resampling, rank
from ferbench.store.uses import Use


def build(
    out: Sequence[Path],
    metrics: Sequence[Metric],
    run: str | None = None,
    sort: str | None = None,
    reported: Sequence[Reported] = (),
    beside: Sequence[Path] = (),
    by: str | None = None,
) -> Leaderboard:
    """Build the leaderboard of a run (default: the latest of each folder in ``out``).

    Of ``metrics`` those of the run's suite are shown, where it names any; for a task to which none of them applies, all
    that do. The one named by ``sort``, else the first, ranks the rows. ``reported`` are published numbers of methods
    that have no model here. All finished rows of the stores ``beside`` stand with them. ``by`` names an attribute of
    the samples: measured rows then are cut into its slices, by the first metric alone. Raises UnknownNameError for an
    unknown ``sort`` or ``by``, StoreError for a folder without results or an unknown run.
    """
    found = collect(out, run, beside)
    _refuse_misdeclared(found)
    uses = uses_by_dataset([*out, *beside])
    scalars = [metric for metric in metrics if metric.kind == "scalar"]
    tasks = {row.facts["task"] for row in found.rows}
    shown = _sorted_by(sort, scalars, _of_suite(found.metrics, scalars, tasks))
    trained = {name for row in found.rows for name in row.train_metrics}
    attributed = any(registered_in(row.table) for row in found.rows)
    columns = columns_of(shown, [metric.name for metric in shown if metric.name in trained], attributed)
    groups: dict[Hashable, list[Row]] = {}
    for row in found.rows:
        groups.setdefault(_ranking_group(row), []).append(row)
    whole_first = sorted(groups.values(), key=lambda rows: _is_part(rows[0]))
    if by is not None:
        return _by_attribute(found, by, shown[0], whole_first, groups)
    blocks = [_measured_block(rows, shown, columns, groups, uses) for rows in whole_first]
    blocks = with_claims(blocks, found.rows, reported, shown, columns)
    captions = (*run_captions(found), *missing_metrics(found.metrics, metrics))
    return Leaderboard(title_of(found), columns, shown, tuple(blocks), tuple(found.failures), captions)


def _by_attribute(
    found: Collected, by: str, metric: Metric, blocks: Sequence[list[Row]], groups: dict[Hashable, list[Row]]
) -> Leaderboard:
    known = list(dict.fromkeys(name for row in found.rows for name in known_in(row.table)))
    if by not in known:
        raise UnknownNameError(
            f"The samples of these results have no attribute {by!r}.{did_you_mean(by, known)} "
            f"Known: {', '.join(known) or 'none'}. `ferbench data attributes` adds one."
        )
    drawn: list[Block] = []
    without: dict[str, None] = {}
    for rows in blocks:
        cut: list[tuple[Row, Part, Attribute]] = []
        facts: dict[Hashable, SampleFacts] = {}
        resamplings: dict[str, Resampling] = {}
        for row in rows:
            samples = _samples_of(row)
            attribute = attribute_in(row.table, by, row.ids)
            if attribute is None or row.facts["task"] not in metric.tasks:
                why = f"no {by}" if attribute is None else f"{metric.name} does not apply"
                without[f"{row.key['dataset']}@{row.key['protocol']} ({why})"] = None
                continue
            cut.append((row, part_of(row, samples, _facts_of(row, samples, facts), resamplings), attribute))
        if cut:
            drawn.append(slice_block(block_title(rows[0], groups), cut, by, metric))
    left_out = [f"Left out: {', '.join(without)}."] if without else []
    failures = tuple(found.failures)
    return Leaderboard(title_of(found), slice_columns(metric), (metric,), tuple(drawn), failures, tuple(left_out))


def _refuse_misdeclared(found: Collected) -> None:
    """Move rows whose test predictions are not of the declared test side to the failures.

    The table of a data set knows the first fold alone, so that rows of several folds cannot be looked up.
    """
    known: dict[tuple[Path, str], Declared] = {}
    for row in [row for row in found.rows if row.folds == 1]:
        place = (row.table, row.key["protocol"])
        if place not in known:
            known[place] = declared_sides(*place)
        if why := misdeclared(row, known[place]):
            found.rows.remove(row)
            found.failures.append(Failure(row.cells[0].id, str(row.record["label"]), f"Refused: {why}"))


def _of_suite(named: Sequence[str], scalars: Sequence[Metric], tasks: set[Task]) -> list[Metric]:
    """The suite's metrics in its order, and all that apply to a task for which it names none."""
    known = {metric.name: metric for metric in scalars}
    chosen = [known[name] for name in named if name in known] or list(scalars)
    bare = {task for task in tasks if not any(task in metric.tasks for metric in chosen)}
    chosen += [metric for metric in scalars if bare & set(metric.tasks) and metric not in chosen]
    return [metric for metric in chosen if tasks & set(metric.tasks)] or chosen


def _sorted_by(sort: str | None, scalars: Sequence[Metric], shown: Sequence[Metric]) -> tuple[Metric, ...]:
    names = [metric.name for metric in scalars]
    if sort is not None and sort not in names:
        raise UnknownNameError(f"There is no metric {sort!r}.{did_you_mean(sort, names)} Known: {', '.join(names)}.")
    first = tuple(metric for metric in scalars if metric.name == sort)
    return (*first, *(metric for metric in shown if metric not in first))


def _ranking_group(row: Row) -> Hashable:
    key, facts = row.key, row.facts
    return (
        key["dataset"],
        key["fingerprint"],
        facts.get("ranking") or key["protocol"],
        tuple(facts["classes"]),
        key["limit"],
        key.get("small", False),
        facts.get("partial", ""),
    )


def _is_part(row: Row) -> bool:
    return row.key["limit"] is not None or row.key.get("small", False) or bool(row.facts.get("partial"))


def _measured_block(
    rows: list[Row],
    shown: Sequence[Metric],
    columns: Sequence[str],
    groups: dict[Hashable, list[Row]],
    uses: Mapping[str, Sequence[Use]],
) -> Block:
    first = rows[0]
    resamplings: dict[str, Resampling] = {}
    samples: dict[str, str] = {}
    known: dict[Hashable, SampleFacts] = {}
    facts_of = {row.id: _facts_of(row, samples.setdefault(row.id, _samples_of(row)), known) for row in rows}
    voted = any(facts.votes is not None for facts in facts_of.values())
    applying = (metric for metric in shown if first.facts["task"] in metric.tasks)
    metrics = tuple(metric for metric in applying if voted or not metric.votes)
    measured = []
    for row in rows:
        facts = facts_of[row.id]
        if samples[row.id] not in resamplings:
            units = row.ids if facts.groups is None else facts.groups
            resamplings[samples[row.id]] = Resampling(units, samples[row.id])
        measured.append(measure(row, metrics, resamplings[samples[row.id]], facts))
    ranks, notes = _ranked(measured, metrics[0], samples) if metrics else ({}, {})
    primary = metrics[0].name if metrics else ""
    worst = worst_groups(rows, metrics[0], samples, facts_of) if metrics else {}
    records = [
        record_of(item, columns, primary, ranks.get(item.row.id), [*notes.get(item.row.id, []), *notes_of(item)])
        | worst_columns(worst.get(item.row.id))
        for item in measured
    ]
    by_protocol = {row.key["protocol"]: row for row in reversed(rows)}
    about = [about_data(row, uses.get(row.key["dataset"], ())) for row in reversed(by_protocol.values())]
    told = dict.fromkeys(caption for each in about for caption in data_captions(each))
    return Block(
        title=block_title(first, groups),
        dataset=first.key["dataset"],
        protocols=tuple(dict.fromkeys(row.key["protocol"] for row in rows)),
        metrics=metrics,
        rows=tuple(by_value(records, metrics)),
        captions=(
            *block_captions(measured, metrics),
            *human_captions(measured, facts_of),
            *group_captions(worst),
            *told,
        ),
        floors=tuple(dict.fromkeys(row.model for row in rows if row.facts.get("floor"))),
        data=tuple(each.plain() for each in about),
    )


def _samples_of(row: Row) -> str:
    """A digest of the test samples and their targets: rows that share it are compared sample by sample."""
    text = "\0".join(row.ids.tolist()).encode()
    parts = (text, row.folds_of.astype(np.int64).tobytes(), np.ascontiguousarray(row.scored[0].targets).tobytes())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _facts_of(row: Row, samples: str, known: dict[Hashable, SampleFacts]) -> SampleFacts:
    """Facts of a row's test samples, looked up once for all rows that share them."""
    table = row.table
    unit = row.facts.get("unit") or "sample"
    key = (table, row.key["protocol"], unit, row.training_sides, samples)
    if key not in known:
        asked = (row.ids, row.folds_of, row.training_sides, row.facts["classes"])
        known[key] = sample_facts(table, row.key["protocol"], unit, *asked)
    return known[key]


def _ranked(
    measured: Sequence[Measured], metric: Metric, samples: dict[str, str]
) -> tuple[dict[str, int], dict[str, list[str]]]:
    """Ranks and ranking notes by row id.

    Oracles, imports whose selection is unknown, small settings, quick rows, merged rows whose labels could not be
    checked, and rows on other samples than most are not ranked, and change no rank.
    """
    notes: dict[str, list[str]] = {item.row.id: [] for item in measured}
    honest = [item for item in measured if _is_contender(item.row)]
    common = Counter(samples[item.row.id] for item in honest).most_common(1)
    contenders = []
    for item in honest:
        found = item.estimates.get(metric.name)
        if samples[item.row.id] != common[0][0]:
            notes[item.row.id].append("not ranked: its test samples are not those of the other rows")
        elif found is None or np.isnan(found.mean):
            notes[item.row.id].append(f"not ranked: {metric.name} is undefined")
        else:
            contenders.append(item)
    ranking = rank([item.estimates[metric.name] for item in contenders], metric.higher_is_better)
    for index, floor in enumerate(contenders):
        if floor.row.facts.get("floor"):
            _note_floor(index, floor, contenders, ranking, notes)
    ranks = {item.row.id: place for item, place in zip(contenders, ranking.ranks, strict=True)}
    return ranks, notes


def _is_contender(row: Row) -> bool:
    honest = row.selection not in ("oracle", "unknown") and not row.unchecked
    return honest and row.facts.get("kind") != QUICK and not row.key.get("small")


def _note_floor(
    index: int, floor: Measured, contenders: Sequence[Measured], ranking: Ranking, notes: dict[str, list[str]]
) -> None:
    for other, item in enumerate(contenders):
        if not item.row.facts.get("floor") and not ranking.better[other][index]:
            notes[item.row.id].append(f"not significantly above the floor ({floor.row.model})")
