"""``ferbench evaluate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ferbench.store.store import CellFolder


class Which(StrEnum):
    """Weights of a finished cell."""

    best = "best"
    last = "last"


def evaluate(
    cells: Annotated[list[str] | None, typer.Argument(help="Beginnings of cell ids (default: the latest run).")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("ferbench-runs"),
    tta: Annotated[
        str,
        typer.Option(help="recipe, none, flip, ten-crop:SIZE, five-crop:SIZE, random:COUNT, or a table as in a suite."),
    ] = "recipe",
    weights: Annotated[Which, typer.Option(help="Weights chosen on val, or the last ones.")] = Which.best,
    dataset: Annotated[str, typer.Option("-d", "--dataset", help="Another data set: NAME or NAME@PROTOCOL.")] = "",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print an array of objects.")] = False,
) -> None:
    """Score finished cells again: other views, another test set, the last weights. Nothing is trained.

    Test samples of another protocol or data set that a cell was trained on, or chosen by, are counted and warned of.
    Another data set is scored over the classes that both have, whatever each calls them; the rest is counted.

    Examples:

        ferbench evaluate --tta ten-crop:40

        ferbench evaluate --tta random:20,seed=1,mean=logit

        ferbench evaluate --tta '{name="grid", grids=[{degrees=[-10, 0, 10]}], plain=3}'

        ferbench evaluate 3f2a --weights last --json
    """
    from ferbench.errors import FerbenchError
    from ferbench.evaluating.asked import parse_tta
    from ferbench.evaluating.further import Wanted, evaluate_cell, find_other, misfit
    from ferbench.plugins import discover
    from ferbench.store.store import Store
    from ferbench.training.precision import choose_device

    store = Store(out)
    folders = [store.find(prefix) for prefix in cells] if cells else [store.cell(key) for key in store.run()["cells"]]
    files = [Path(name) for folder in folders for name in folder.record["plugin_files"]]
    other = find_other(discover(files=files), dataset) if dataset else None
    wanted = Wanted(weights.value, parse_tta(tta), other)
    choose_device(device)  # a mistake that concerns every cell is named once, before the first
    results: list[dict[str, Any]] = []
    failed = False
    for folder in folders:
        why = "" if cells else misfit(folder, wanted)
        if why:
            typer.secho(f"{folder.record['label']} is left out: {why}.", dim=True, err=True)
            continue
        try:
            results.append(evaluate_cell(folder, wanted, device))
        except FerbenchError as error:
            if cells:
                raise
            failed = True
            typer.secho(f"{folder.record['label']}: {error}", fg="yellow", err=True)
            continue
        if not json:
            typer.echo(f"{folder.record['label']}  {_shown(results[-1]['metrics'])}")
            narrowed = _narrowed(results[-1], folder)
            if narrowed:
                typer.secho(f"{folder.record['label']}: {narrowed}", dim=True, err=True)
        warning = _known_before(results[-1]["seen"]) if dataset else ""
        if warning:
            typer.secho(f"{folder.record['label']}: {warning}", fg="yellow", err=True)
    if json:
        from json import dumps

        typer.echo(dumps(results, indent=1))
    elif not results and not failed:
        typer.echo("Nothing was evaluated.", err=True)
    raise typer.Exit(1 if failed else 0)


def _narrowed(result: dict[str, Any], folder: CellFolder) -> str:
    """What to say of an evaluation over some of the classes alone; empty where all were scored."""
    scored, own = folder.predictions(result["evaluation"]).classes, folder.record["facts"]["classes"]
    left = ", ".join(f"{count:,} {name}" for name, count in result["left_out"].items())
    if not left and len(scored) == len(own):
        return ""
    return f"over {', '.join(scored)}; left out: {left or 'no sample'}"


def _known_before(seen: dict[str, int]) -> str:
    """What to say of test samples that the cell's training knew; empty where there are none."""
    sides = [f"{seen[side]:,} {what}" for side, what in (("train", "trained on"), ("val", "chosen by")) if seen[side]]
    if not sides:
        return ""
    return f"of {seen['of']:,} test samples it had {' and '.join(sides)}, so this is no score on unseen data."


def _shown(metrics: dict[str, Any]) -> str:
    sides = {side: metrics[side] for side in ("val", "test") if side in metrics}
    return "  ".join(
        f"{side} "
        + ", ".join(f"{name} {value:.4f}" for name, value in list(values.items())[:3] if isinstance(value, float))
        for side, values in sides.items()
    )
