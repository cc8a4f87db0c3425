"""``ferbench predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def predict(
    pictures: Annotated[
        Path, typer.Argument(help="Folder of pictures of faces, with sub-folders.", exists=True, file_okay=False)
    ],
    cell: Annotated[str, typer.Option(help="Beginning of a finished cell's id (default: of the best full row).")] = "",
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("ferbench-runs"),
    csv: Annotated[Path, typer.Option(help="File to write.")] = Path("predictions.csv"),
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Score a folder of pictures into a CSV: path, a score a class, prediction.

    Pictures are taken as they are (cropped faces); files that cannot be read are listed.

    Example:

        ferbench predict faces/ --csv scores.csv
    """
    from ferbench.evaluating.predicting import predict_folder
    from ferbench.store.store import Store

    store = Store(out)
    folder = store.find(cell) if cell else store.cell(_best_cell(out))
    result = predict_folder(folder, pictures, csv, device)
    if json:
        from json import dumps

        unreadable = [{"path": path, "why": why} for path, why in result.unreadable]
        typer.echo(
            dumps({"cell": folder.id, "csv": str(csv), "scored": result.scored, "unreadable": unreadable}, indent=1)
        )
    else:
        typer.echo(f"{result.scored} pictures scored with {folder.record['label']} (cell {folder.id[:8]}) → {csv}")
        for path, why in result.unreadable:
            typer.secho(f"not readable: {path}: {why}", fg="yellow", err=True)
    raise typer.Exit(1 if result.unreadable else 0)


def _best_cell(out: Path) -> str:
    """The first finished cell of the best row of the latest run; ranked rows come first, parts of the data never."""
    from ferbench.errors import StoreError
    from ferbench.plugins import discover
    from ferbench.running.api import make_leaderboard
    from ferbench.store.store import Store

    store = Store(out)
    done = [cell for key in store.run()["cells"] if (cell := store.cell(key)).state == "done"]
    if not done:
        raise StoreError(f"No cell of the latest run in {out} is finished.")
    first: dict[str, str] = {}
    for cell in done:
        if cell.record["row"]["limit"] is None and not cell.record["facts"].get("ensemble"):
            first.setdefault(cell.record["row_id"], cell.id)
    rows = [row for row in make_leaderboard([out], discover()).rows if row["row_id"] in first]
    measured = [row for row in rows if row["kind"] == "measured"]
    if not measured:
        raise StoreError(
            f"The latest run in {out} has no row that was trained on all training samples. Name a cell by --cell; "
            f"finished are, for instance, {', '.join(cell.id[:8] for cell in done[:3])}."
        )
    best = next((row for row in measured if row["rank"] is not None), measured[0])
    return first[best["row_id"]]
