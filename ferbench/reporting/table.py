"""The leaderboard in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ferbench.reporting.board import Block, Leaderboard
from ferbench.reporting.sheet import Column, Sheet, sheet_of

_FILE_WIDTH = 120
"""Where output goes to a file or pipe, which has no width of its own."""

_NAME_WIDTH = 32
"""Names of methods may be folded at this width, or a third of the table's, before a column is left out."""


def print_table(leaderboard: Leaderboard, console: Console | None = None) -> None:
    """Print the table; columns that do not fit are left out, and named below."""
    console = console or Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=max(console.width, _FILE_WIDTH), color_system=None)
    console.print(as_table(leaderboard, console))


def as_table(leaderboard: Leaderboard, console: Console) -> RenderableType:
    """The table as something that ``console`` can print."""
    parts: list[RenderableType] = [Text(leaderboard.title, style="bold")]
    if not leaderboard.rows:
        parts += [Text(""), Text("No finished results yet.")]
    for block in leaderboard.blocks:
        parts += [Text(""), *_block(block, console)]
    if leaderboard.captions:
        parts += [Text(""), *(Text(caption, style="dim") for caption in leaderboard.captions)]
    if leaderboard.failures:
        noun = "cell" if len(leaderboard.failures) == 1 else "cells"
        parts += [Text(""), Text(f"{len(leaderboard.failures)} failed {noun}", style="bold red")]
        for failure in leaderboard.failures:
            parts.append(Text.assemble(("  ✗ ", "red"), failure.label, (f"  ({failure.cell})", "dim")))
            parts.append(Padding(Text(failure.cause.strip() or "no cause was recorded"), (0, 0, 0, 4)))
    return Group(*parts)


def _block(block: Block, console: Console) -> list[RenderableType]:
    sheet = sheet_of(block)
    columns, hidden = list(sheet.columns), []
    table, name_width = _table(sheet, columns), None
    while _width(table, console) > console.width and (name_width is None or any(column.weight for column in columns)):
        if name_width is None:
            name_width = max(_NAME_WIDTH, console.width // 3)
        else:
            heaviest = max(range(len(columns)), key=lambda i: (columns[i].weight, i))
            hidden.append(columns.pop(heaviest).header.replace("\n", " "))
        table = _table(sheet, columns, name_width)
    captions = [*sheet.captions, *([f"No room for: {', '.join(reversed(hidden))}."] if hidden else [])]
    return [Text(block.title, style="bold cyan"), Text(""), table, *_below(sheet.footnotes, captions)]


def _width(table: Table, console: Console) -> int:
    """Columns of the terminal that the table would like to have."""
    return Measurement.get(console, console.options.update(max_width=10_000), table).maximum


def _table(sheet: Sheet, columns: Sequence[Column], name_width: int | None = None) -> Table:
    """``name_width``: at which a method's name is folded."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", show_edge=False)
    for column in columns:
        foldable = column.header == "method"
        table.add_column(
            column.header,
            justify="right" if column.right else "left",
            no_wrap=not foldable,
            overflow="fold" if foldable else "ellipsis",
            max_width=name_width if foldable else None,
            vertical="top",
        )
    for index in range(len(sheet.columns[0].cells)):
        if index == sheet.reported and index:
            table.add_section()
        table.add_row(*(Text(column.cells[index], _style(column, index, sheet.reported)) for column in columns))
    return table


def _below(footnotes: Sequence[str], captions: Sequence[str]) -> list[RenderableType]:
    """Numbered footnotes with hanging indents, then captions."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right", style="dim", min_width=3)
    grid.add_column(style="dim")
    for place, note in enumerate(footnotes, 1):
        grid.add_row(str(place), Text(note))
    for caption in captions:
        grid.add_row("·", Text(caption))
    return [Text(""), grid] if footnotes or captions else []


def _style(column: Column, index: int, reported: int) -> str:
    if index >= reported:
        return "dim italic"
    if column.header == "#" and column.cells[index] == "1":
        return "bold green"
    return "bold" if column.best == index else ""
