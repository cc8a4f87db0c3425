"""``ferbench ui``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ferbench.tracking.replay import Replayed


def ui(
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("ferbench-runs"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port; the next free one where it is taken.")] = 5000,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Browse results in MLflow's pages, on this machine alone, until Ctrl-C.

    What MLflow lacks is brought up to date first, as by `ferbench track`. With MLFLOW_TRACKING_URI=https://… it only
    opens that server's page.

    Examples:

        ferbench ui

        ferbench ui --out ferbench-runs --port 5001 --no-browser
    """
    from ferbench.plugins import discover
    from ferbench.tracking.pages import START, has_start_page
    from ferbench.tracking.replay import Replay
    from ferbench.tracking.server import free_port, served

    done = Replay(out, discover()).everything()
    for fault in done.faults:
        typer.secho(f"Left out: {fault}", fg="yellow", err=True)
    if done.target.is_server:
        _show(done, done.target.shown, no_browser)
        return
    typer.echo("Starting MLflow's server …", err=True)
    with served(done.target, free_port(port)) as (address, process):
        _show(done, address, no_browser, START if has_start_page() else "/")
        typer.echo("Ctrl-C ends it.", err=True)
        try:
            process.wait()
        except KeyboardInterrupt:
            typer.echo("Stopped.", err=True)
            return
    from ferbench.errors import TrackingError

    raise TrackingError("MLflow's server ended by itself.")


def _show(done: Replayed, address: str, no_browser: bool, start: str = "/") -> None:
    """Print the ranked view of every suite, and open that of the latest run."""
    from ferbench.tracking.views import link

    links = {suite: link(address, experiment, start) for suite, experiment in done.experiments.items()}
    for suite, place in links.items():
        typer.echo(f"{suite}: {place}")
    if links and not no_browser:
        import webbrowser

        webbrowser.open(list(links.values())[-1])
