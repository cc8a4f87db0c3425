"""``ferbench predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def predict(
    pictures: Annotated[
        Path, typer.Argument(help="Folder of pictures of faces, with sub-folders.", exists=True, file_okay=False)
    ],
    cell: Annotated[str, typer.Option(help="Beginning of a finished cell's id (default: of the best row).")] = "",
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
        typer.echo(f"{result.scored} pictures scored with {folder.record['label']} → {csv}")
        for path, why in result.unreadable:
            typer.secho(f"not readable: {path}: {why}", fg="yellow", err=True)
    raise typer.Exit(1 if result.unreadable else 0)


def _best_cell(out: Path) -> str:
    """The first finished cell of the best row of the latest run."""
    from ferbench.errors import StoreError
    from ferbench.plugins import discover
    from ferbench.running.api import make_leaderboard
    from ferbench.store.store import Store

    store = Store(out)
    done = [cell for key in store.run()["cells"] if (cell := store.cell(key)).state == "done"]
    names = ("dataset", "protocol", "model", "variant", "sampler")
    for row in make_leaderboard([out], discover()).rows:
        for cell in done if row["kind"] == "measured" else []:
            if all((cell.record["row"][name] or "") == (row[name] or "") for name in names):
                return cell.id
    raise StoreError(f"No cell of the latest run in {out} is finished.")
