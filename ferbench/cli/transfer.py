"""``ferbench transfer``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferbench.cli.leaderboard import Format

if TYPE_CHECKING:
    from ferbench.reporting.transfer import Transfer


def transfer(
    out: Annotated[list[Path] | None, typer.Option(help="Folder of results; repeat it to join several.")] = None,
    metric: Annotated[str, typer.Option(help="Metric of the matrix.")] = "accuracy",
    run: Annotated[str | None, typer.Option(help="Run whose rows are shown (default: the latest).")] = None,
    format: Annotated[Format, typer.Option(help="table, csv, md or json.")] = Format.table,
    figure: Annotated[Path | None, typer.Option(help="Draw it into this SVG file as well.")] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Show what was trained on one data set and tested on others, over the classes that both have.

    A suite's `evaluate_on` scores every cell elsewhere; `ferbench evaluate -d NAME` adds a data set afterwards.

    Examples:

        ferbench transfer

        ferbench transfer --metric macro-f1 --figure transfer.svg --format csv
    """
    from ferbench.errors import StoreError
    from ferbench.plugins import discover
    from ferbench.reporting.transfer import transfer_matrix
    from ferbench.reporting.transfer_figure import to_svg
    from ferbench.store.files import write_text

    measure = discover().metric(metric)
    fields = transfer_matrix(out or [Path("ferbench-runs")], measure, run)
    if all(field.trained == field.tested for field in fields):
        raise StoreError(
            "No cell was scored on another data set. `evaluate_on` in a suite does so in every run; "
            "for finished cells, run: ferbench evaluate -d NAME"
        )
    if figure is not None:
        write_text(figure, to_svg(fields, measure))
    typer.echo(_printed(fields, Format.json if json else format))


def _printed(fields: list[Transfer], form: Format) -> str:
    from json import dumps

    import pandas as pd

    from ferbench.reporting.transfer import as_records

    if form is Format.json:
        return dumps(as_records(fields), indent=1)
    if form is Format.csv:
        records = [record | {"classes": " ".join(record["classes"])} for record in as_records(fields)]
        return pd.DataFrame(records).to_csv(index=False).rstrip()
    rows = [_line(field) for field in fields]
    return _markdown(rows) if form is Format.md else _columns(rows)


HEADER = ("method", "trained on", "tested on", "score [95 % interval]", "classes", "n", "remarks")


def _line(field: Transfer) -> tuple[str, ...]:
    remarks = []
    if field.trained == field.tested:
        remarks.append("own test side")
    if field.left_out:
        remarks.append(f"{field.left_out:,} of classes it does not know left out")
    if field.seen:
        remarks.append(f"{field.seen:,} of them known from training")
    score = f"{field.mean:.3f} [{field.ci_low:.3f}, {field.ci_high:.3f}]"
    return (
        field.method,
        field.trained,
        field.tested,
        score,
        str(len(field.classes)),
        f"{field.n:,}",
        "; ".join(remarks),
    )


def _columns(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(HEADER, *rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in (HEADER, *rows)]
    return "\n".join(line.rstrip() for line in lines)


def _markdown(rows: list[tuple[str, ...]]) -> str:
    rule = tuple("---" for _ in HEADER)
    return "\n".join(f"| {' | '.join(row)} |" for row in (HEADER, rule, *rows))
