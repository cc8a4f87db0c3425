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


class Modality(StrEnum):
    """What its samples are."""

    image = "image"
    video = "video"
    eeg = "eeg"


class Licence(StrEnum):
    """Licences to choose from."""

    apache = "Apache-2.0"
    mit = "MIT"
    bsd = "BSD-3-Clause"


def new(
    kind: Annotated[Kind, typer.Argument(help="What it adds.")],
    name: Annotated[str, typer.Argument(help="As users will type it: small letters, digits, dashes.")],
    modality: Annotated[Modality, typer.Option(help="What the samples of a model or data set are.")] = Modality.image,
    folder: Annotated[Path, typer.Option("--dir", help="Where it is to lie.")] = Path(),
    licence: Annotated[Licence, typer.Option(help="Its licence.")] = Licence.apache,
    single_file: Annotated[
        bool, typer.Option("--single-file", help="One Python file for --plugin instead of a package.")
    ] = False,
) -> None:
    """Write a plugin that works at once: a method, data set, sampler or metric.

    Examples:

        ferbench new model my-method

        ferbench new dataset my-recordings --modality eeg

        ferbench new sampler my-sampler --single-file
    """
    from ferbench.plugins import discover
    from ferbench.scaffold.writing import Wanted, differs, next_steps, write_plugin

    wanted = Wanted(kind.value, name, folder, licence.value, single_file, modality.value)
    for path in write_plugin(wanted, discover()):
        typer.echo(f"wrote {path}")
    if modality is not Modality.image and not differs(kind.value):
        typer.echo(f"\nA {kind.value} is the same for pictures, clips and EEG, so --modality makes no difference.")
    typer.echo("\nNow:\n")
    for step in next_steps(wanted):
        typer.echo(f"  {step}")
