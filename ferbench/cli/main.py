"""The command line. Each command lives in a module of its own and imports what it needs when it is called."""

from __future__ import annotations

import signal
import sys
from io import TextIOWrapper
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

from ferbench.cli import (
    cell,
    check,
    data,
    diff,
    doctor,
    ensemble,
    evaluate,
    gc,
    importing,
    leaderboard,
    listing,
    merge,
    new,
    pack,
    predict,
    run,
    show,
    track,
    transfer,
    ui,
)
from ferbench.errors import FerbenchError, InterruptedRunError

USAGE, STOPPED = 2, 130


class Commands(TyperGroup):
    """The commands. Typer would end a command that Ctrl-C stops without a word."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was given."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise InterruptedRunError("Stopped.") from None


app = typer.Typer(
    name="ferbench",
    cls=Commands,
    help="An honest benchmark harness for emotion recognition.\n\nStart with:  ferbench run --suite demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", rich_help_panel="Benchmark")(run.run)
app.command("leaderboard", rich_help_panel="Benchmark")(leaderboard.leaderboard)
app.command("evaluate", rich_help_panel="Benchmark")(evaluate.evaluate)
app.command("ensemble", rich_help_panel="Benchmark")(ensemble.ensemble)
app.command("transfer", rich_help_panel="Benchmark")(transfer.transfer)
app.command("predict", rich_help_panel="Benchmark")(predict.predict)
app.command("import", rich_help_panel="Benchmark")(importing.import_file)
app.command("pack", rich_help_panel="Benchmark")(pack.pack)
app.command("merge", rich_help_panel="Benchmark")(merge.merge)
app.command("ui", rich_help_panel="Benchmark")(ui.ui)
app.command("track", rich_help_panel="Benchmark")(track.track)
app.command("list", rich_help_panel="What there is")(listing.list_things)
app.command("show", rich_help_panel="What there is")(show.show)
app.add_typer(data.app, name="data", rich_help_panel="What there is")
app.command("new", rich_help_panel="Plugins")(new.new)
app.command("check", rich_help_panel="Plugins")(check.check)
app.command("doctor", rich_help_panel="Housekeeping")(doctor.doctor)
app.command("gc", rich_help_panel="Housekeeping")(gc.gc)
app.command("diff", rich_help_panel="Housekeeping")(diff.diff)
app.command("cell", hidden=True)(cell.cell)


@app.callback(invoke_without_command=True)
def options(
    version: bool = typer.Option(False, "--version", help="Print the version and end."),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of a fault."),
) -> None:
    """An honest benchmark harness for emotion recognition."""
    if version:
        from ferbench import __version__

        typer.echo(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line: one clear message for a user's mistake, and an exit code that scripts can rely on."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ± or → must not end a run
    debug = "--debug" in sys.argv
    if debug:
        sys.argv.remove("--debug")
    try:
        app()
    except FerbenchError as error:
        if debug:
            raise
        typer.secho(_plain(str(error)), fg="red", err=True)
        sys.exit(STOPPED if isinstance(error, InterruptedRunError) else USAGE)
    except KeyboardInterrupt:
        typer.secho("Stopped.", err=True)
        sys.exit(STOPPED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if debug or error.filename is None:
            raise
        typer.secho(_plain(f"{error.filename}: {error.strerror}."), fg="red", err=True)
        sys.exit(USAGE)


def _plain(text: str) -> str:
    """A message without what a terminal would obey: names in it may be those of a stranger's files."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else repr(sign)[1:-1] for sign in text)


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
