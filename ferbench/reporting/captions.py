"""What stands above and below the tables of a leaderboard, in words."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

from ferbench.data.votes import human_agreement
from ferbench.nouns.metric import Metric
from ferbench.reporting.collecting import Collected
from ferbench.reporting.measured import Measured, part_of_training
from ferbench.reporting.rows import Row
from ferbench.reporting.samples import SampleFacts
from ferbench.reporting.statistics import ALPHA, LEVEL


def block_title(row: Row, groups: dict[Hashable, list[Row]]) -> str:
    """The data, protocol and marks that all rows of a block share; ``groups``: the rows of every block."""
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


def block_captions(measured: Sequence[Measured], metrics: Sequence[Metric]) -> tuple[str, ...]:
    """What holds for the scores of a block: what leak-free means, and what intervals resample."""
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


def human_captions(measured: Sequence[Measured], facts_of: Mapping[str, SampleFacts]) -> list[str]:
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


def title_of(found: Collected) -> str:
    """Suites and runs."""
    suites = [name for name in dict.fromkeys(found.suites) if name]
    parts = [f"Leaderboard: {', '.join(suites)}" if suites else "Leaderboard"]
    parts += [f"run {', '.join(dict.fromkeys(found.runs))}"] if found.runs else []
    return " · ".join(parts)


def run_captions(found: Collected) -> tuple[str, ...]:
    """What holds for all blocks, and what the run has not finished or skipped."""
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


def missing_metrics(named: Sequence[str], metrics: Sequence[Metric]) -> list[str]:
    """A caption for metrics of the suite that no installed plugin has."""
    missing = [name for name in named if name not in {metric.name for metric in metrics}]
    return [f"Metrics of the suite that are not installed here: {', '.join(missing)}."] if missing else []
