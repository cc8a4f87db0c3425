"""The leaderboard: what stands in a store, ranked by significance, beside what publications report."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ferbench.data.slicing import Attribute
from ferbench.data.votes import human_agreement
from ferbench.errors import UnknownNameError, did_you_mean
from ferbench.nouns.emotions import Task
from ferbench.nouns.metric import Metric
from ferbench.nouns.paper import Reported
from ferbench.reporting.about import about_data, data_captions, uses_by_dataset
from ferbench.reporting.attributes import attribute_in, known_in, registered_in
from ferbench.reporting.board import QUICK, Block, Failure, Leaderboard
from ferbench.reporting.claims import by_value, with_claims
from ferbench.reporting.collecting import Collected, collect
from ferbench.reporting.declared import Declared, declared_sides, misdeclared
from ferbench.reporting.measured import (
    Measured,
    columns_of,
    measure,
    notes_of,
    part_of_training,
    record_of,
    worst_columns,
)
from ferbench.reporting.rows import Row
from ferbench.reporting.samples import SampleFacts, sample_facts
from ferbench.reporting.sliced import group_captions, part_of, slice_block, slice_columns, worst_groups
from ferbench.reporting.slices import Part
from ferbench.reporting.statistics import ALPHA, LEVEL, Ranking, Resampling, rank
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
    captions = (*_captions(found), *_missing(found.metrics, metrics))
    return Leaderboard(_title(found), columns, shown, tuple(blocks), tuple(found.failures), captions)


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
            drawn.append(slice_block(_block_title(rows[0], groups), cut, by, metric))
    left_out = [f"Left out: {', '.join(without)}."] if without else []
    failures = tuple(found.failures)
    return Leaderboard(_title(found), slice_columns(metric), (metric,), tuple(drawn), failures, tuple(left_out))


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
        title=_block_title(first, groups),
        dataset=first.key["dataset"],
        protocols=tuple(dict.fromkeys(row.key["protocol"] for row in rows)),
        metrics=metrics,
        rows=tuple(by_value(records, metrics)),
        captions=(
            *_block_captions(measured, metrics),
            *_human_captions(measured, facts_of),
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


def _block_title(row: Row, groups: dict[Hashable, list[Row]]) -> str:
    key, facts = row.key, row.facts
    parts = [key["dataset"], facts.get("ranking") or key["protocol"]]
    copies = {rows[0].key["fingerprint"] for rows in groups.values() if rows[0].key["dataset"] == key["dataset"]}
    parts += [f"copy {key['fingerprint'][:8]}"] if len(copies) > 1 else []
    parts += ["synthetic"] if facts.get("synthetic") else []
    parts += [part_of_training(key["limit"])] if key["limit"] is not None else []
    parts += ["small settings, not comparable"] if key.get("small") else []
    parts += ["partial copy"] if facts.get("partial") else []
    parts.append(f"{len(row.ids):,} test samples")
    what = "values" if facts["task"] == "regression" else "classes"
    return " · ".join([*parts, f"{len(facts['classes'])} {what}"])


def _block_captions(measured: Sequence[Measured], metrics: Sequence[Metric]) -> tuple[str, ...]:
    if not metrics:
        return ("None of the metrics applies to this task.",)
    captions = []
    copied = {len(item.row.ids) - item.n_leak_free for item in measured if item.n_leak_free is not None}
    if copied - {0}:
        count = " or ".join(f"{number:,}" for number in sorted(copied))
        captions.append(f"Leak-free: without the {count} test samples whose pixels also stand in the training side.")
    units = {f"{item.groups} {item.row.facts['unit']}s" for item in measured if item.groups is not None}
    if units:
        captions.append(f"Intervals resample whole groups ({', '.join(sorted(units))}), not single samples.")
    if any(item.row.facts.get("synthetic") for item in measured):
        captions.append("Synthetic data: drawn by a program; these scores say nothing about real faces.")
    return tuple(captions)


def _human_captions(measured: Sequence[Measured], facts_of: Mapping[str, SampleFacts]) -> list[str]:
    """How well annotators agree with the labels of the test samples, where the data set keeps their votes."""
    captions: dict[str, None] = {}
    for item in measured:
        votes, targets = facts_of[item.row.id].votes, item.row.scored[0].targets
        agreement = human_agreement(votes, targets) if votes is not None and targets.ndim == 1 else None
        if agreement:
            one, most = (f"{100 * agreement[name]:.1f} %" for name in ("annotator", "majority"))
            text = f"Human annotators: accuracy {one} is to be expected of one of them, {most} of their majority."
            captions[text] = None
    return list(captions)


def _title(found: Collected) -> str:
    suites = [name for name in dict.fromkeys(found.suites) if name]
    parts = [f"Leaderboard: {', '.join(suites)}" if suites else "Leaderboard"]
    parts += [f"run {', '.join(dict.fromkeys(found.runs))}"] if found.runs else []
    return " · ".join(parts)


def _captions(found: Collected) -> tuple[str, ...]:
    captions = []
    if found.rows:
        captions.append(
            f"± standard deviation over seeds; [{100 * LEVEL:.0f} % interval] by bootstrap of seeds and test samples. "
            f"Rank: 1 + the number of significantly better rows (paired, Holm-corrected, {100 * ALPHA:.0f} %)."
        )
    if found.unfinished:
        captions.append(f"{found.unfinished} of {found.planned} cells are not finished; `ferbench run` goes on.")
    if found.skipped:
        why = "; ".join(f"{what} ({reason})" for what, reason in found.skipped[:3])
        more = "; …" if len(found.skipped) > 3 else "."
        captions.append(f"Skipped, because it does not fit together ({len(found.skipped)}): {why}{more}")
    return tuple(captions)


def _missing(named: Sequence[str], metrics: Sequence[Metric]) -> list[str]:
    """A caption for metrics of the suite that no installed plugin has."""
    missing = [name for name in named if name not in {metric.name for metric in metrics}]
    return [f"Metrics of the suite that are not installed here: {', '.join(missing)}."] if missing else []
