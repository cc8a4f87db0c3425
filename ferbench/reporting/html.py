"""The leaderboard as a piece of HTML, for notebooks. Nothing in it is code: every text is escaped."""

from __future__ import annotations

from html import escape

from ferbench.reporting.board import QUICK, Block, Leaderboard
from ferbench.reporting.sheet import Column, sheet_of

_CELL = "padding:2px 8px;white-space:pre"


def to_html(leaderboard: Leaderboard) -> str:
    """The title, a table for each block with its notes, and captions; quick rows stand out, reported ones back."""
    parts = [f"<p><b>{escape(leaderboard.title)}</b></p>", *(_block(block) for block in leaderboard.blocks)]
    parts += [f"<p><small>{escape(caption)}</small></p>" for caption in leaderboard.captions]
    return f'<div class="ferbench">{"".join(parts)}</div>'


def _block(block: Block) -> str:
    sheet = sheet_of(block)
    header = "".join(
        f'<th style="{_CELL};text-align:{_side(column)}">{escape(column.header)}</th>' for column in sheet.columns
    )
    lines = []
    for index, row in enumerate(block.rows):
        cells = "".join(_cell(column, index) for column in sheet.columns)
        mark = ' style="font-weight:bold;background:rgba(255,200,0,0.2)"' if row["kind"] == QUICK else ""
        if index >= sheet.reported:
            mark = ' style="font-style:italic;opacity:0.7"'
        lines.append(f"<tr{mark}>{cells}</tr>")
    notes = "".join(f"<li>{escape(note)}</li>" for note in sheet.footnotes)
    captions = "".join(f"<p><small>{escape(caption)}</small></p>" for caption in sheet.captions)
    return (
        f"<p>{escape(sheet.title)}</p><table><thead><tr>{header}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
        f"<small><ol>{notes}</ol></small>{captions}"
    )


def _cell(column: Column, index: int) -> str:
    return f'<td style="{_CELL};text-align:{_side(column)}">{escape(column.cells[index])}</td>'


def _side(column: Column) -> str:
    return "right" if column.right else "left"
