"""A finished cell, from its files to what MLflow is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ferbench.store.store import CellFolder
from ferbench.tracking.confusion import confusion_picture
from ferbench.tracking.entry import MAX_TEXT, Content, Entry, Point, clean, flat, milliseconds, rounded

COSTS = ("train_seconds", "images_per_second", "params", "flops", "peak_memory_mb", "chosen_epoch", "epochs_run")
CURVES = "by epoch"
"""The group of the curves: MLflow shows groups in alphabetical order, and these are to come first."""
BOOKKEEPING = ("epoch", "stage", "step", "seconds", "samples")
FILES = ("cell.json", "environment.json", "metrics.json", "sampler.json", "history.csv", "predictions.parquet")
LOG_CHARACTERS = 1500


def cell_key(cell_id: str) -> str:
    """The key of a cell's entry."""
    return f"cell:{cell_id}"


def result_key(row_id: str) -> str:
    """The key of the entry of a row of the table."""
    return f"result:{row_id}"


def cell_entry(folder: CellFolder, record: Mapping[str, Any], status: Mapping[str, Any]) -> Entry:
    """The entry of a cell that is done or failed. Raises StoreError when its files are damaged."""
    done = status["state"] == "done"
    metrics = folder.metrics() if done else {}
    facts, cause = record["facts"], str(status.get("cause", ""))
    start = milliseconds(status.get("started"))
    return Entry(
        key=cell_key(str(record["id"])),
        kind="cell",
        name=marked(str(record["label"]), facts),
        status="FINISHED" if done else "FAILED",
        start=start,
        end=milliseconds(status.get("ended")) or start,
        parent=result_key(str(record["row_id"])),
        tags={
            **described(record),
            "seed": str(record["seed"]),
            "fold": str(record["fold"]),
            "ferbench.cell": str(record["id"]),
            **({"merged from": str(status["merged"]["pack"])} if status.get("merged") else {}),
            **({} if done else {"cause": cause[:MAX_TEXT], "mlflow.note.content": _failure(folder, cause)}),
        },
        params={**settings(record), "seed": str(record["seed"]), "fold": str(record["fold"]), **_machine(folder)},
        points=(*_curves(folder, start), *_scores(metrics), *_costs(status)),
        files=_files(folder, record, metrics),
    )


def described(record: Mapping[str, Any]) -> dict[str, str]:
    """Tags by which cells and rows are found, those of synthetic data marked as such."""
    row, facts = record["row"], record["facts"]
    return {
        **{name: str(row[name]) for name in ("dataset", "protocol", "sampler", "model") if row[name]},
        **({"variant": str(row["variant"])} if row["variant"] else {}),
        "ferbench.row": str(record["row_id"]),
        "ferbench.synthetic": "yes" if facts["synthetic"] else "no",
        **({"data": "synthetic"} if facts["synthetic"] else {}),
    }


def settings(record: Mapping[str, Any]) -> dict[str, str]:
    """Everything in the row key, flat: the recipe's keys as ``--set`` takes them."""
    row = record["row"]
    plain = {name: row[name] for name in ("dataset", "protocol", "sampler", "model", "variant", "limit")}
    nested = {"recipe": row["recipe"], "model.options": row["model_options"], "sampler.options": row["sampler_options"]}
    return {name: text for name, text in flat({**plain, **nested}) if text}


def marked(name: str, facts: Mapping[str, Any]) -> str:
    """A name that says so where the data are synthetic."""
    return f"{name} (synthetic)" if facts["synthetic"] else name


def _machine(folder: CellFolder) -> dict[str, str]:
    environment = folder.environment
    told = {name: environment.get(name) for name in ("device", "device_name", "threads", "precision", "python")}
    return {name: text for name, text in flat({**told, "version": environment.get("versions")}) if text}


def _curves(folder: CellFolder, start: int) -> Iterator[Point]:
    """Values of the history at their rows: an epoch each, or a part of one where val is looked at more often.

    A row's time is when it ended, counted from the start of the cell.
    """
    seconds = 0.0
    for step, row in enumerate(folder.history()):
        seconds += float(row.get("seconds") or 0)
        for name, text in row.items():
            if name not in BOOKKEEPING and text:
                yield Point(clean(f"{CURVES}/{name}"), rounded(float(text)), step, start + int(1000 * seconds))


def _scores(metrics: Mapping[str, Any]) -> Iterator[Point]:
    for side in ("test", "val", "train"):
        for name, value in (metrics.get(side) or {}).items():
            if isinstance(value, int | float):
                yield Point(clean(f"{side}/{name}"), rounded(float(value)))


def _costs(status: Mapping[str, Any]) -> Iterator[Point]:
    for name in COSTS:
        if isinstance(status.get(name), int | float):
            yield Point(f"cost/{name}", rounded(float(status[name])))


def _files(folder: CellFolder, record: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Content]:
    files: dict[str, Content] = {name: folder.path / name for name in FILES if (folder.path / name).exists()}
    log = folder.path / "log.txt"
    if log.exists():
        files["log.txt"] = log.read_bytes  # not by its path: a later try would write on into it
    matrix = (metrics.get("test") or {}).get("confusion-matrix")
    if matrix:
        classes = record["facts"]["classes"]
        files["confusion.json"] = json.dumps({"classes": classes, "rows": "true class", "counts": matrix})
        files["confusion.png"] = _picture(matrix, classes, marked(str(record["label"]), record["facts"]))
    return files


def _picture(matrix: list[list[float]], classes: list[str], title: str) -> Callable[[], bytes]:
    return lambda: confusion_picture(matrix, classes, title)


def weights_of(folder: CellFolder) -> dict[str, Content]:
    """The weights that were chosen, where they are still there."""
    path = folder.path / "best.safetensors"
    return {f"weights/{path.name}": path} if path.exists() else {}


def _failure(folder: CellFolder, cause: str) -> str:
    """Cause and the end of the log, as Markdown."""
    log = folder.path / "log.txt"
    tail = log.read_text(encoding="utf-8", errors="replace")[-LOG_CHARACTERS:] if log.exists() else ""
    text = f"**Failed:** {cause or 'no cause was recorded'}"
    return f"{text}\n\n```\n{tail.replace('```', '')}\n```" if tail else text


def read_cell(path: Path) -> Entry | None:
    """The entry of a cell that ended; None for one that has not."""
    folder = CellFolder(path)
    status = folder.status
    return cell_entry(folder, folder.record, status) if status["state"] in ("done", "failed") else None
