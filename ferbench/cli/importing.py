"""``ferbench import``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Selected(StrEnum):
    """How the weights were chosen, as their maker says."""

    best_val = "best-val"
    last = "last"
    oracle = "oracle"
    unknown = "unknown"


def import_file(
    predictions: Annotated[Path, typer.Argument(help="CSV: id, label, and p_CLASS … or prediction.")],
    dataset: Annotated[str, typer.Option("-d", "--dataset", help="NAME or NAME@PROTOCOL.")],
    name: Annotated[str, typer.Option(help="What the row is called.")],
    protocol: Annotated[str, typer.Option(help="The protocol, where the data set does not name it.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Several files of one name are its seeds.")] = 0,
    fold: Annotated[int, typer.Option(min=0, help="The fold of a cross-validation.")] = 0,
    selection: Annotated[
        Selected, typer.Option(help="How the weights were chosen; oracle and unknown are not ranked.")
    ] = Selected.unknown,
    extra_data: Annotated[str, typer.Option(help="What else the method was trained on.")] = "",
    url: Annotated[str, typer.Option(help="Where the predictions come from.")] = "",
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("ferbench-runs"),
    plugin: Annotated[list[Path] | None, typer.Option(help="A plugin in a single Python file.")] = None,
) -> None:
    """Add predictions made elsewhere to the leaderboard. Samples are checked, metrics are computed here.

    A file without ids needs the true labels, and its samples in the data set's order.

    Examples:

        ferbench import predictions.csv -d fer2013@official --name their-net --selection best-val

        ferbench import seed1.csv -d fer2013 --name their-net --seed 1 --extra-data "VGGFace2"
    """
    from ferbench.cli.leaderboard import print_table
    from ferbench.plugins import discover
    from ferbench.running.api import make_leaderboard
    from ferbench.running.importing import Origin, import_predictions

    place = f"{dataset}@{protocol}" if protocol and "@" not in dataset else dataset
    installed = discover(files=plugin or ())
    origin = Origin(name, seed, fold, selection.value, extra_data, url)
    import_predictions(predictions, place, origin, out, installed)
    print_table(make_leaderboard([out], installed), "table")
