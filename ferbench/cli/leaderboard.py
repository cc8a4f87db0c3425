"""``ferbench leaderboard``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ferbench.reporting.board import Leaderboard


class Format(StrEnum):
    """Forms in which a leaderboard is printed."""

    table = "table"
    csv = "csv"
    md = "md"
    json = "json"


def leaderboard(
    out: Annotated[list[Path] | None, typer.Option(help="Folder of results; repeat it to merge several.")] = None,
    format: Annotated[Format, typer.Option(help="table, csv, md or json.")] = Format.table,
    sort: Annotated[str | None, typer.Option(help="Metric to rank by (default: the suite's first).")] = None,
    by: Annotated[
        str | None, typer.Option(help="Attribute of the samples, such as brightness, source or subject.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="Run whose rows are shown (default: the latest).")] = None,
    plugin: Annotated[list[Path] | None, typer.Option(help="A plugin in a single Python file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Print the leaderboard of a folder of results.

    Examples:

        ferbench leaderboard

        ferbench leaderboard --out ferbench-runs --sort macro-f1 --format csv

        ferbench leaderboard --sort my-metric --plugin my_metric.py

        ferbench leaderboard --by brightness
    """
    from ferbench.plugins import discover
    from ferbench.running.api import make_leaderboard

    table = make_leaderboard(out or [Path("ferbench-runs")], discover(files=plugin or ()), run, sort, by)
    print_table(table, "json" if json else format.value)


def print_table(table: Leaderboard, form: str) -> None:
    """Print a leaderboard in one of the forms of :class:`Format`."""
    from ferbench.reporting import formats
    from ferbench.reporting.table import print_table as print_drawn

    if form == "table":
        print_drawn(table)
        return
    text = {"csv": formats.to_csv, "md": formats.to_markdown, "json": formats.to_json}[form](table)
    typer.echo(text, nl=not text.endswith("\n"))
