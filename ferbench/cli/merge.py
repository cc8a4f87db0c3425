"""``ferbench merge``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ferbench.sharing.merging import Merged


def merge(
    files: Annotated[list[Path], typer.Argument(help="Packs that `ferbench pack` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("ferbench-runs"),
    plugin: Annotated[list[Path] | None, typer.Option(help="A plugin in a single Python file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print facts as JSON.")] = False,
) -> None:
    """Check packs of results and add them to the leaderboard: all of their cells, or none.

    Ids are computed anew, samples and labels compared with the data set, metrics computed here. Where the data set or
    the method is not installed here, the row says so.

    Examples:

        ferbench merge results.tar.gz

        ferbench merge lab-a.tar.gz lab-b.tar.gz --out ferbench-runs
    """
    from ferbench.cli.leaderboard import print_table
    from ferbench.plugins import discover
    from ferbench.reporting.formats import write
    from ferbench.running.api import make_leaderboard
    from ferbench.sharing.merging import merge_packs

    installed = discover(files=plugin or ())
    done = merge_packs(files, out, installed)
    table = make_leaderboard([out], installed)
    write(table, out)
    if json:
        from dataclasses import asdict
        from json import dumps

        typer.echo(dumps(asdict(done) | {"out": str(done.out)}, indent=1))
        return
    _print(done)
    print_table(table, "table")


def _print(done: Merged) -> None:
    for pack in dict.fromkeys(cell.pack for cell in done.cells):
        mine = [cell for cell in done.cells if cell.pack == pack]
        counts = Counter(cell.outcome for cell in mine)
        typer.echo(f"{pack}: {', '.join(f'{count:,} {outcome}' for outcome, count in counts.items())}.")
        for origin, count in Counter(cell.origin for cell in mine).items():
            typer.echo(f"  trained on {origin or 'a machine that is not named'}: {count:,}")
        told = Counter(f"labels not checked: {cell.labels}" for cell in mine if cell.labels)
        told += Counter(f"code not known here: {cell.code}" for cell in mine if cell.code)
        for text, count in told.items():
            typer.secho(f"  {text} ({count:,})", fg="yellow")
        for cell in mine:
            for remark in cell.remarks:
                typer.secho(f"  {cell.label}: {remark}", fg="yellow")
            if cell.missing:
                typer.secho(f"  {cell.label}: requires {', '.join(cell.missing)}, not here", fg="yellow")
            if cell.outcome == "kept ours":
                typer.secho(f"  {cell.label}: ours is kept; the pack's was made in another environment", fg="yellow")
