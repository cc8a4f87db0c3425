"""A block of the leaderboard as people read it: rounded cells, footnotes, captions. Terminal and Markdown share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ferbench.nouns.metric import Metric
from ferbench.reporting.board import QUICK, Block, Record


@dataclass(frozen=True)
class Column:
    """``weight``: columns of the highest weight are the first to go where the page is too narrow (0: never)."""

    header: str
    cells: tuple[str, ...]
    weight: int = 0
    right: bool = True
    best: int | None = None


@dataclass(frozen=True)
class Sheet:
    """``columns`` all have one cell a row; ``reported``: from which row on the rows are reported ones."""

    title: str
    columns: tuple[Column, ...]
    reported: int
    footnotes: tuple[str, ...]
    captions: tuple[str, ...]


def sheet_of(block: Block) -> Sheet:
    """Lay a block out."""
    if block.attribute:
        return Sheet(block.title, tuple(_slices(block)), len(block.rows), (), block.captions)
    rows = block.rows
    measured = [row for row in rows if row["kind"] != "reported"]
    shared = _shared_notes(measured)
    notes = [[note for note in _notes(row) if note not in shared] for row in rows]
    footnotes = tuple(dict.fromkeys(note for own in notes for note in own))
    marks = [", ".join(str(footnotes.index(note) + 1) for note in own) for own in notes]
    columns = [*_names(block), *_scores(block), *_costs(block), *_claims(block)]
    if not measured:
        # Published numbers alone have neither seeds nor costs.
        columns = [column for column in columns if any(column.cells)]
    if footnotes:
        columns.append(Column("notes", tuple(marks), right=False))
    told = [note for note in shared if note != "synthetic data"]
    captions = [*block.captions, *([f"All measured rows: {', '.join(told)}."] if told else [])]
    if len(measured) < len(rows):
        captions.append("† reported by the authors, not measured here.")
    return Sheet(block.title, tuple(columns), len(measured), footnotes, tuple(captions))


def _notes(row: Record) -> list[str]:
    return [note for note in row["notes"].split("; ") if note]


def _shared_notes(measured: list[Record]) -> list[str]:
    """Notes of every measured row, which are told once below the table."""
    if not measured:
        return []
    common = [note for note in _notes(measured[0]) if all(note in _notes(row) for row in measured)]
    return common if len(measured) > 1 else [note for note in common if note == "synthetic data"]


def _slices(block: Block) -> list[Column]:
    """Columns of a block that is cut by an attribute; what a row is called stands in its first line alone."""
    rows, metric = block.rows, block.metrics[0]
    first = [not i or row["row_id"] != rows[i - 1]["row_id"] for i, row in enumerate(rows)]
    methods = (_method(row, block) for row in rows)
    columns = [Column("method", tuple(m if new else "" for m, new in zip(methods, first, strict=True)), right=False)]
    for name, told in (
        ("row", any(row["row"] for row in rows)),
        ("sampler", any(row["sampler"] != "plain" for row in rows)),
        ("protocol", len(block.protocols) > 1),
    ):
        cells = (row[name] if new else "" for row, new in zip(rows, first, strict=True))
        columns += [Column(name, tuple(cells), right=False)] if told else []
    columns.append(Column(block.attribute, tuple(row["slice"] for row in rows), right=False))
    columns.append(Column("n", tuple(f"{row['n_test']:,}" for row in rows)))
    columns.append(replace(_primary(block, metric), best=None))
    columns.append(Column("place", tuple("" if row["rank"] is None else str(row["rank"]) for row in rows)))
    return [*columns, Column("notes", tuple(row["notes"] for row in rows), right=False)]


def _names(block: Block) -> list[Column]:
    rows = block.rows
    columns = [
        Column("#", tuple(_rank(row) for row in rows)),
        Column("method", tuple(_method(row, block) for row in rows), right=False),
    ]
    if any(row["row"] for row in rows):
        columns.append(Column("row", tuple(row["row"] or "" for row in rows), right=False))
    if any(row["sampler"] not in ("", "plain") for row in rows):
        columns.append(Column("sampler", tuple(row["sampler"] for row in rows), right=False))
    if len(block.protocols) > 1:
        columns.append(Column("protocol", tuple(row["protocol"] for row in rows), right=False))
    folds = any((row["folds"] or 1) > 1 for row in rows)
    header = "seeds\n× folds" if folds else "seeds"
    columns.append(Column(header, tuple(_seeds(row, folds) for row in rows), weight=1))
    return columns


def _rank(row: Record) -> str:
    if row["kind"] == "reported":
        return "†"
    if row["kind"] == QUICK:
        return "quick"
    return "–" if row["rank"] is None else str(row["rank"])


def _method(row: Record, block: Block) -> str:
    name = f"{row['model']}@{row['variant']}" if row["variant"] else str(row["model"])
    return f"{name} (floor)" if name in block.floors and row["kind"] != "reported" else name


def _seeds(row: Record, folds: bool) -> str:
    if row["seeds"] is None:
        return ""
    return f"{row['seeds']} × {row['folds']}" if folds else str(row["seeds"])


def _scores(block: Block) -> list[Column]:
    if not block.metrics:
        return []
    primary, *others = block.metrics
    columns = [_primary(block, primary)]
    for metric in others:
        columns.append(_score(block, metric, f"{metric.name}_mean", _header(metric), weight=2, best=True))
    leaks = any(row["n_leakfree"] not in (None, row["n_test"]) for row in block.rows)
    if leaks:
        columns.append(_score(block, primary, f"{primary.name}_leakfree", "leak-free", weight=1))
    if any(row.get("worst_group") for row in block.rows):
        columns.append(Column("worst group", tuple(_worst(row, primary) for row in block.rows), weight=1, right=False))
    if any(row.get(f"train_{primary.name}") is not None for row in block.rows):
        columns.append(_score(block, primary, f"train_{primary.name}", "train", weight=3))
    return columns


def _worst(row: Record, metric: Metric) -> str:
    """``age: from 60, 41.2 [35.0, 47.1]`` and how many test samples."""
    if not row.get("worst_group"):
        return ""
    low, high = (number(row[f"worst_group_ci_{end}"], metric) for end in ("low", "high"))
    interval = f" [{low}, {high}]" if low and high else ""
    return f"{row['worst_group']}\n{number(row['worst_group_mean'], metric)}{interval}, n {row['worst_group_n']:,}"


def _header(metric: Metric) -> str:
    """The metric's name, a line a word."""
    return metric.name.replace("-", "\n") + (" %" if metric.percent else "")


def _score(block: Block, metric: Metric, key: str, header: str, weight: int, best: bool = False) -> Column:
    cells = tuple(number(row.get(key), metric) for row in block.rows)
    return Column(header, cells, weight, best=_best(block, metric) if best else None)


def _best(block: Block, metric: Metric) -> int | None:
    """Index of the best ranked row; None where there is nothing to choose from."""
    key = f"{metric.name}_mean"
    known = [i for i, row in enumerate(block.rows) if row["rank"] is not None and row.get(key) is not None]
    if len(known) < 2:
        return None
    choose: Callable[..., int] = max if metric.higher_is_better else min
    return choose(known, key=lambda i: block.rows[i][key])


def _primary(block: Block, metric: Metric) -> Column:
    """Mean ± standard deviation [interval], aligned under each other."""
    name = metric.name
    means = [number(row[f"{name}_mean"], metric) for row in block.rows]
    deviations = [row[f"{name}_std"] for row in block.rows]
    spreads = ["" if value is None else f"± {number(value, metric)}" for value in deviations]
    bounds = [(number(row[f"{name}_ci_low"], metric), number(row[f"{name}_ci_high"], metric)) for row in block.rows]
    wide = [max(map(len, texts), default=0) for texts in (means, spreads)]
    bound = max((len(text) for pair in bounds for text in pair), default=0)
    cells = []
    for mean, spread, (low, high) in zip(means, spreads, bounds, strict=True):
        interval = f"[{low.rjust(bound)}, {high.rjust(bound)}]" if low and high else ""
        cells.append(" ".join(part for part in (mean.rjust(wide[0]), spread.ljust(wide[1]), interval) if part).rstrip())
    header = _header(metric).replace("\n", " ")
    if any(row["kind"] != "reported" for row in block.rows):
        header += "\n± sd [95 % interval]"
    return Column(header, tuple(cells), right=False, best=_best(block, metric))


def number(value: float | None, metric: Metric) -> str:
    """A score for people: percent with one decimal, other scales with three."""
    if value is None:
        return ""
    return f"{100 * value:.1f}" if metric.percent else f"{value:.3f}"


def _costs(block: Block) -> list[Column]:
    return [
        Column("params", tuple(count(row["params"]) for row in block.rows), weight=4),
        Column("time", tuple(duration(row["train_seconds"]) for row in block.rows), weight=5),
    ]


def _claims(block: Block) -> list[Column]:
    """What a paper reports for a measured row and the difference where it is allowed."""
    if not block.metrics or all(row["reported"] is None for row in block.rows if row["kind"] != "reported"):
        return []
    metric, cells = block.metrics[0], []
    for row in block.rows:
        claimed = "" if row["kind"] == "reported" else number(row["reported"], metric)
        sign = "" if row["delta"] is None else "+" if row["delta"] >= 0 else "−"
        cells.append(f"{claimed} ({sign}{number(abs(row['delta']), metric)})" if sign else claimed)
    return [Column("reported\n(delta)", tuple(cells), weight=1, right=False)]


def count(value: float | None) -> str:
    """A count for people: ``2.61M``."""
    if value is None:
        return ""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.0f}"


def duration(seconds: float | None) -> str:
    """Seconds for people: ``45 s``, ``12 min``, ``3.4 h``."""
    if seconds is None:
        return ""
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
