"""The leaderboard as CSV, Markdown and JSON. Numbers in CSV and JSON are unrounded fractions."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

from ferbench.reporting.board import Block, Leaderboard, Record
from ferbench.reporting.sheet import sheet_of
from ferbench.store.files import write_text


def to_csv(leaderboard: Leaderboard) -> str:
    """Comma-separated values with a header; what is not known stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, leaderboard.columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(leaderboard.rows)
    return text.getvalue()


def to_json(leaderboard: Leaderboard) -> str:
    """An object with ``schema title metrics columns rows failures datasets captions``; what is not known is null."""
    content = {
        "schema": 1,
        "title": leaderboard.title,
        "metrics": [metric.name for metric in leaderboard.metrics],
        "columns": list(leaderboard.columns),
        "rows": leaderboard.rows,
        "failures": [asdict(failure) for failure in leaderboard.failures],
        "datasets": _datasets(leaderboard),
        "captions": [*leaderboard.captions, *(caption for block in leaderboard.blocks for caption in block.captions)],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _datasets(leaderboard: Leaderboard) -> list[Record]:
    """What is known of the data of all blocks, each data set under a protocol once."""
    found = {
        (each["dataset"], each["protocol"], each["fingerprint"]): each
        for block in leaderboard.blocks
        for each in block.data
    }
    return list(found.values())


def to_markdown(leaderboard: Leaderboard) -> str:
    """Markdown with a table for each block, rounded as in the terminal."""
    parts = [f"# {_plain(leaderboard.title)}"]
    if not leaderboard.rows:
        parts.append("No finished results yet.")
    parts += [_block(block) for block in leaderboard.blocks]
    parts += [_plain(caption) for caption in leaderboard.captions]
    if leaderboard.failures:
        lines = [
            f"- {_plain(failure.label)} (`{failure.cell}`): {_plain(failure.cause) or 'no cause was recorded'}"
            for failure in leaderboard.failures
        ]
        parts.append("\n".join(["## Failed cells", "", *lines]))
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> str:
    sheet = sheet_of(block)
    header = [_plain(column.header) for column in sheet.columns]
    lines = [_line(header), _line(["---:" if column.right else "---" for column in sheet.columns])]
    for index in range(len(block.rows)):
        cells = []
        for column in sheet.columns:
            text = _plain(column.cells[index])
            mark = "*" if index >= sheet.reported else "**" if column.best == index else ""
            cells.append(f"{mark}{text}{mark}" if text else "")
        lines.append(_line(cells))
    parts = [f"## {_plain(block.title)}", "\n".join(lines)]
    if sheet.footnotes:
        parts.append("\n".join(f"{i}. {_plain(note)}" for i, note in enumerate(sheet.footnotes, 1)))
    return "\n\n".join([*parts, *map(_plain, sheet.captions)])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """One line without anything that Markdown or HTML would take for its own."""
    line = " ".join(text.split())
    for sign in "\\`*_|<>":
        line = line.replace(sign, f"\\{sign}")
    return line


def write(leaderboard: Leaderboard, out: Path) -> None:
    """Write ``leaderboard.csv`` and ``leaderboard.md`` in ``out``, each atomically. Raises StoreError."""
    write_text(out / "leaderboard.csv", to_csv(leaderboard))
    write_text(out / "leaderboard.md", to_markdown(leaderboard))
