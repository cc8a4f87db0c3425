"""``ferbench pack``."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ferbench.sharing.packing import Packed


class Along(StrEnum):
    """Weights that travel with a pack."""

    none = "none"
    best = "best"


def pack(
    cells: Annotated[
        list[str] | None, typer.Argument(help="Beginnings of cell ids, or names of a suite's rows (default: all).")
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")] = Path("results.tar.gz"),
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("ferbench-runs"),
    run: Annotated[str | None, typer.Option(help="Only the cells of this run: its id, or `latest`.")] = None,
    model: Annotated[list[str] | None, typer.Option("-m", "--model", help="Only this model; may be repeated.")] = None,
    dataset: Annotated[
        list[str] | None, typer.Option("-d", "--dataset", help="Only this NAME or NAME@PROTOCOL; may be repeated.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Take failed cells along, with their logs.")] = False,
    weights: Annotated[Along, typer.Option(help="`best` takes the chosen weights along (safetensors).")] = Along.none,
    json: Annotated[bool, typer.Option("--json", help="Print facts as JSON.")] = False,
) -> None:
    """Put results into one slim file, to merge them elsewhere or to submit them.

    Predictions, metrics, settings and environment travel, and the cells that others require; pictures never do, weights
    only if you ask.

    Examples:

        ferbench pack

        ferbench pack --run latest -m small-cnn -o small-cnn.tar.gz

        ferbench pack 3f2a 91bc --out ferbench-runs --weights best
    """
    from ferbench.sharing.packing import pack as pack_cells

    done = pack_cells(
        cells or (),
        out=out,
        file=output,
        run=run,
        models=model or (),
        datasets=dataset or (),
        failed=failed,
        weights=weights.value,
    )
    if json:
        from dataclasses import asdict
        from json import dumps

        typer.echo(dumps(asdict(done) | {"file": str(done.file)}, indent=1))
        return
    _print(done, out)


def _print(done: Packed, out: Path) -> None:
    typer.echo(
        f"{done.file}: {_counted(len(done.cells), 'cell')} of {_counted(done.rows, 'row')}, "
        f"{_counted(done.tables, 'table')} of samples, {_weights(done)}; {done.size / 1e6:.2f} MB."
    )
    for why, count in Counter(why for _, why in done.left_out).items():
        first = next(label for label, cause in done.left_out if cause == why)
        hint = "; --failed takes failed cells along" if why == "failed" else ""
        typer.echo(f"Left out, {why}: {_counted(count, 'cell')}, such as {first}{hint}.")
    for key, label in done.missing.items():
        typer.echo(f"Missing: cell {key}, which {label} requires, is not done in {out}.")
    typer.echo(f"Elsewhere: ferbench merge {done.file.name}")


def _weights(done: Packed) -> str:
    return f"weights of {_counted(done.weights, 'cell')}" if done.weights else "no weights"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
