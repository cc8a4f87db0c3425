"""``ferbench track``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def track(
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("ferbench-runs"),
    weights: Annotated[bool, typer.Option("--weights", help="Attach the chosen weights too (safetensors).")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print facts as JSON.")] = False,
) -> None:
    """Bring MLflow up to date with a folder of results; nothing is written twice.

    A run does this by itself while it goes on (`--set run.track=never` switches that off). Where: the database
    `mlflow.db` in the folder, or what MLFLOW_TRACKING_URI names.

    Examples:

        ferbench track

        MLFLOW_TRACKING_URI=https://mlflow.example.org ferbench track --out ferbench-runs --weights
    """
    from ferbench.plugins import discover
    from ferbench.tracking.replay import Replay

    done = Replay(out, discover(), weights).everything()
    for fault in done.faults:
        typer.secho(f"Left out: {fault}", fg="yellow", err=True)
    if json:
        from json import dumps

        facts = {"uri": done.target.shown, "written": done.written, "experiments": done.experiments}
        typer.echo(dumps({**facts, "left_out": list(done.faults)}, indent=1))
        return
    what = f"{done.written:,} new or changed" if done.written else "nothing new"
    typer.echo(f"MLflow is up to date ({what}): {done.target.shown}. `ferbench ui --out {out}` shows it.")
