"""Rows of the leaderboard and runs of ferbench, as MLflow is told of them."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ferbench.identity import with_options
from ferbench.nouns.metric import Metric
from ferbench.reporting.board import Block, Leaderboard, Record
from ferbench.reporting.formats import to_csv, to_json, to_markdown
from ferbench.tracking.cells import described, marked, result_key, settings
from ferbench.tracking.entry import Entry, Point, Status, clean, milliseconds, rounded

ENDED = ("done", "failed")


@dataclass(frozen=True)
class Told:
    """A cell's record and status, read once."""

    record: Mapping[str, Any]
    status: Mapping[str, Any]

    @property
    def state(self) -> str:
        """The cell's state."""
        return str(self.status["state"])


def run_key(run_id: str) -> str:
    """The key of a run's entry."""
    return f"run:{run_id}"


def run_entry(run: Mapping[str, Any], cells: Sequence[Told], board: Leaderboard | None) -> Entry:
    """A run of ferbench, the parent of its rows; ``board`` once it is known."""
    states = [cell.state for cell in cells]
    status: Status = "FINISHED"
    if len(states) < len(run["cells"]) or any(state not in ENDED for state in states):
        status = "RUNNING" if "running" in states else "KILLED"
    elif "failed" in states:
        status = "FAILED"
    start = milliseconds(run["started"])
    synthetic = any(cell.record["facts"]["synthetic"] for cell in cells)
    counts = f"{states.count('done')} done, {states.count('failed')} failed, of {len(run['cells'])}"
    files = {"run.json": json.dumps(run, indent=1)}
    if board is not None:
        tables = {"csv": to_csv, "json": to_json, "md": to_markdown}
        files |= {f"leaderboard.{ending}": write(board) for ending, write in tables.items()}
    return Entry(
        key=run_key(str(run["id"])),
        kind="run",
        name=f"run {run['id']}" + (" (synthetic)" if synthetic else ""),
        status=status,
        start=start,
        end=max([start, *(milliseconds(cell.status.get("ended")) for cell in cells)]) if status != "RUNNING" else None,
        tags={
            "cells": counts,
            "suite": str(run["suite"]["name"]),
            "ferbench.run": str(run["id"]),
            "ferbench.synthetic": "yes" if synthetic else "no",
            **({"command": str(run["command"])[:1000]} if run.get("command") else {}),
        },
        files=files,
    )


def result_entry(cells: Sequence[Told], run_id: str, found: tuple[Block, Record] | None) -> Entry:
    """A row of the table, the parent of its ``cells``; without ``found`` one that has no result (yet)."""
    record = cells[0].record
    row, facts = record["row"], record["facts"]
    method = f"{row['model']}@{row['variant']}" if row["variant"] else str(row["model"])
    name = f"{method} · {row['dataset']}@{row['protocol']}"
    sampler = with_options(row["sampler"], row["sampler_options"], facts.get("sampler_modified", []))
    name += f" · {sampler}" if row["sampler"] != "plain" else ""
    called = str(found[1]["row"]) if found and found[1].get("row") else ""
    name = marked(f"{name} · {called}" if called else name, facts)
    begun = [time for cell in cells if (time := milliseconds(cell.status.get("started")))]
    start = min(begun, default=0)
    ended = max((milliseconds(cell.status.get("ended")) for cell in cells), default=0)
    failed = all(cell.state == "failed" for cell in cells)
    open_ = any(cell.state not in ENDED for cell in cells)
    tags = {**described(record), "ferbench.run": run_id, "seeds": _seeds(cells), **({"row": called} if called else {})}
    return Entry(
        key=result_key(str(record["row_id"])),
        kind="result",
        name=ranked(name, found[1]) if found else name,
        status="FINISHED" if found else "FAILED" if failed else "RUNNING" if open_ else "KILLED",
        start=start,
        end=max(start, ended) if found or not open_ else None,
        parent=run_key(run_id),
        tags={**tags, **(_told(*found) if found else {})},
        params=settings(record),
        points=tuple(_numbers(*found)) if found else (),
    )


def reported_entry(block: Block, record: Record, run_id: str, start: int) -> Entry:
    """A published number that stands in the table beside what was measured; not measured here."""
    names = ("dataset", "protocol", "model", "variant", "selection", "extra_data", "notes")
    about = {name: str(record[name]) for name in names if record[name]}
    method = f"{record['model']}@{record['variant']}" if record["variant"] else str(record["model"])
    identity = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:20]
    return Entry(
        key=f"reported:{identity}",
        kind="result",
        name=f"† {method} · {record['dataset']}@{record['protocol']} (reported)",
        status="FINISHED",
        start=start,
        end=start,
        parent=run_key(run_id),
        tags={**about, "ferbench.run": run_id, "ferbench.reported": "yes", **_told(block, record)},
        points=tuple(_numbers(block, record)),
    )


def ranked(name: str, record: Record) -> str:
    """``#2 small-cnn · …``: a list of runs shows names first, and has no other place for the rank."""
    return f"#{record['rank']} {name}" if record["rank"] is not None else f"– {name}"


def _seeds(cells: Sequence[Told]) -> str:
    return f"{sum(cell.state == 'done' for cell in cells)} of {len(cells)} cells done"


def _told(block: Block, record: Record) -> dict[str, str]:
    """What is no number: the interval, the claim beside it, and the notes."""
    told = {"kind": str(record["kind"]), "table": block.title, "mlflow.note.content": _page(block, record)}
    if record["notes"]:
        told["notes"] = str(record["notes"])
    primary = block.metrics[0].name if block.metrics else ""
    low, high = record.get(f"{primary}_ci_low"), record.get(f"{primary}_ci_high")
    if low is not None and high is not None:
        told["interval"] = f"{low:.3f} – {high:.3f}"
    if record["reported"] is not None and record["kind"] != "reported":
        told["paper"] = f"{record['reported']:.3f}" + ("" if record["delta"] is None else f" ({record['delta']:+.3f})")
    return told


def _numbers(block: Block, record: Record) -> Iterator[Point]:
    if record["rank"] is not None:
        yield Point("rank", float(record["rank"]))
    for metric in block.metrics:
        parts = {"mean": "", "std": " sd", "ci_low": " low", "ci_high": " high", "leakfree": " leak-free"}
        for part, ending in parts.items():
            yield from _number(f"{metric.name}{ending}", record.get(f"{metric.name}_{part}"))
        yield from _number(f"{metric.name} train", record.get(f"train_{metric.name}"))
    for name in ("reported", "delta", "params", "flops"):
        yield from _number(name, record[name])
    for name in ("train_seconds", "images_per_second"):
        yield from _number(name, None if record[name] is None else float(f"{record[name]:.3g}"))


def _number(name: str, value: float | None) -> Iterator[Point]:
    if value is not None and math.isfinite(value):
        yield Point(clean(name), rounded(float(value)))


def _page(block: Block, record: Record) -> str:
    """What a reader of this row sees first, as Markdown."""
    if record["kind"] == "reported":
        return f"**A published number, not measured here:** {record['notes']}"
    parts = []
    if block.metrics and record[f"{block.metrics[0].name}_mean"] is not None:
        parts.append(_headline(block.metrics[0], record))
    place = "not ranked" if record["rank"] is None else f"rank {record['rank']}"
    parts.append(f"{place} in *{block.title}*")
    notes = [f"- {note}" for note in str(record["notes"]).split("; ") if note]
    return "\n".join([", ".join(parts) + ".", *(["", *notes] if notes else [])])


def _headline(metric: Metric, record: Record) -> str:
    mean, low, high = (record[f"{metric.name}_{part}"] for part in ("mean", "ci_low", "ci_high"))
    interval = f" (95 % interval {low:.3f} – {high:.3f})" if low is not None and high is not None else ""
    return f"**{metric.name} {mean:.3f}**{interval}"
