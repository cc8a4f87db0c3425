"""``ferbench new``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Kind(StrEnum):
    """What a plugin adds."""

    model = "model"
    dataset = "dataset"
    sampler = "sampler"
    metric = "metric"


class Licence(StrEnum):
    """Licences to choose from."""

    apache = "Apache-2.0"
    mit = "MIT"
    bsd = "BSD-3-Clause"


def new(
    kind: Annotated[Kind, typer.Argument(help="What it adds.")],
    name: Annotated[str, typer.Argument(help="As users will type it: small letters, digits, dashes.")],
    folder: Annotated[Path, typer.Option("--dir", help="Where it is to lie.")] = Path(),
    licence: Annotated[Licence, typer.Option(help="Its licence.")] = Licence.apache,
    single_file: Annotated[
        bool, typer.Option("--single-file", help="One Python file for --plugin instead of a package.")
    ] = False,
) -> None:
    """Write a plugin that works at once: a method, data set, sampler or metric for pictures.

    Examples:

        ferbench new model my-method

        ferbench new sampler my-sampler --single-file
    """
    from ferbench.plugins import discover
    from ferbench.scaffold.writing import Wanted, next_steps, write_plugin

    wanted = Wanted(kind.value, name, folder, licence.value, single_file)
    for path in write_plugin(wanted, discover()):
        typer.echo(f"wrote {path}")
    typer.echo("\nNow:\n")
    for step in next_steps(wanted):
        typer.echo(f"  {step}")
