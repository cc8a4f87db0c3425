"""What publications report beside what was measured, and when the two may be subtracted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ferbench.nouns.metric import Metric
from ferbench.nouns.paper import Paper, Reported
from ferbench.reporting.board import QUICK, Block, Record
from ferbench.reporting.rows import Row


@dataclass(frozen=True)
class Claim:
    """The number reported for a row, and why it cannot be compared (nothing: it can)."""

    item: Reported
    obstacles: tuple[str, ...]


def reported_of(facts: Mapping[str, Any]) -> list[Reported]:
    """The reported numbers of a row's model, from the facts of its cell; older cells do not name the papers."""
    found = []
    for item in facts.get("reported", []):
        paper = item.get("paper")
        found.append(Reported(**_known(Reported, item) | {"paper": Paper(**_known(Paper, paper)) if paper else None}))
    return found


def _known(noun: type[Paper] | type[Reported], plain: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in plain.items() if name in noun.__dataclass_fields__}


def claim_for(row: Row, metric: str) -> Claim | None:
    """The reported number that fits a measured row best, None where its model reports none for the data set."""
    found = [
        Claim(item, tuple(_obstacles(item, row)))
        for item in reported_of(row.facts)
        if item.dataset == row.key["dataset"] and item.metric == metric
    ]
    return min(found, key=lambda claim: len(claim.obstacles), default=None)


def _obstacles(item: Reported, row: Row) -> list[str]:
    key, facts = row.key, row.facts
    classes = len(facts["classes"])
    found = []
    if item.protocol != key["protocol"]:
        found.append(f"reported under protocol {item.protocol}")
    if item.split != "test":
        found.append(f"reported on {item.split}")
    if item.classes not in (0, classes):
        found.append(f"reported for {item.classes} classes, here {classes}")
    if row.selection not in ("", "fixed", item.selection):
        found.append(f"reported with selection {item.selection}, here {row.selection}")
    if not facts.get("inference_only") and bool(item.extra_data) != bool(facts.get("extra_data")):
        found.append(
            f"reported with extra data ({item.extra_data})" if item.extra_data else "extra data were used here"
        )
    if facts.get("modified"):
        found.append("the recipe is modified")
    if facts.get("tried_out"):
        found.append("what it requires was trained for fewer or more epochs")
    if key["sampler"] != "plain":
        found.append(f"sampler {key['sampler']} is not the recipe's")
    if key["limit"] is not None:
        found.append("trained on a part of the data")
    if key.get("small"):
        found.append("small settings")
    if facts.get("partial"):
        found.append("the copy of the data is partial")
    return found


def all_claims(rows: Sequence[Row], extra: Sequence[Reported], metrics: Sequence[str]) -> list[tuple[str, Reported]]:
    """Reported numbers for the data sets of the rows, each once, with the name of its method.

    A number that several variants of a model report is one number: it stands under the first of them.
    """
    datasets = {row.key["dataset"] for row in rows}
    named = [(item.method or row.model, item) for row in rows for item in reported_of(row.facts)]
    present = {row.model for row in rows}
    named += [(item.method, item) for item in extra if present.isdisjoint(item.models)]
    kept: dict[tuple[Any, ...], tuple[str, Reported]] = {}
    for method, item in named:
        if item.dataset in datasets and item.metric in metrics:
            name = method.partition("@")[0]
            identity = (name, item.dataset, item.protocol, item.split, item.metric, item.value, item.locator)
            kept.setdefault(identity, (method, item))
    return list(kept.values())


def remark(item: Reported, classes: int | None) -> str:
    """What a reader of a reported number must know: where it stands, and how it differs from the block's protocol."""
    found = [f"reported in {item.locator}"]
    if item.paper is not None:
        first, *others = item.paper.authors.split(",")
        authors = f"{first.strip()} et al." if others else first.strip()
        found = [f"reported in {authors} ({item.paper.year})", item.locator]
    if item.split != "test":
        found.append(f"on {item.split}")
    if item.classes not in (0, classes):
        found.append(f"{item.classes} classes")
    if item.caveat:
        found.append(item.caveat)
    if item.extra_data:
        found.append(f"extra data: {item.extra_data}")
    return ", ".join(found).replace("; ", ", ")


def with_claims(
    blocks: list[Block],
    rows: Sequence[Row],
    extra: Sequence[Reported],
    metrics: Sequence[Metric],
    columns: Sequence[str],
) -> list[Block]:
    """Add reported rows to the block of their data set and protocol; those without one share a block per data set."""
    names = [metric.name for metric in metrics]
    classes = {(row.key["dataset"], row.key["protocol"]): len(row.facts["classes"]) for row in rows}
    placed: dict[tuple[str, str], list[Record]] = {}
    for method, item in all_claims(rows, extra, names):
        here = placed.setdefault((item.dataset, item.protocol), [])
        record = _reported_record(method, item, columns, classes.get((item.dataset, item.protocol)))
        twin = next((other for other in here if _same_source(other, record, item.metric)), None)
        if twin is None:
            here.append(record)
        else:
            twin[f"{item.metric}_mean"] = item.value
    result = []
    for block in blocks:
        mine = [record for protocol in block.protocols for record in placed.pop((block.dataset, protocol), [])]
        result.append(replace(block, rows=(*block.rows, *by_value(mine, block.metrics))))
    for dataset in dict.fromkeys(dataset for dataset, _ in placed):
        apart = {protocol: records for (owner, protocol), records in placed.items() if owner == dataset}
        title = f"{dataset} · {' · '.join(apart)} · reported only"
        records = by_value([record for found in apart.values() for record in found], metrics)
        result.append(Block(title, dataset, tuple(apart), tuple(metrics), tuple(records)))
    return result


def _reported_record(method: str, item: Reported, columns: Sequence[str], classes: int | None) -> Record:
    model, _, variant = method.partition("@")
    return dict.fromkeys(columns) | {
        "kind": "reported",
        "dataset": item.dataset,
        "protocol": item.protocol,
        "sampler": "",
        "model": model,
        "variant": variant,
        "selection": item.selection,
        f"{item.metric}_mean": item.value,
        "extra_data": item.extra_data,
        "reported": item.value,
        "notes": remark(item, classes),
        "row_id": "",
    }


def _same_source(known: Record, new: Record, metric: str) -> bool:
    compared = ("model", "variant", "selection", "extra_data", "notes")
    return all(known[name] == new[name] for name in compared) and known[f"{metric}_mean"] is None


def by_value(records: list[Record], metrics: Sequence[Metric]) -> list[Record]:
    """Sort rows: ranked ones first, the best of each kind first; a quick row stands where its score puts it."""
    if not metrics:
        return records
    name, sign = f"{metrics[0].name}_mean", -1 if metrics[0].higher_is_better else 1

    def place(record: Record) -> tuple[bool, bool, float]:
        value = record[name]
        return record["rank"] is None and record["kind"] != QUICK, value is None, 0.0 if value is None else sign * value

    return sorted(records, key=place)
