"""``ferbench data export``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ferbench.evaluating.exporting import Exported


class Layouts(StrEnum):
    """Where pictures stand: ``<split>/<class>/``, ``<class>/`` or ``files/``."""

    folders = "folders"
    classes = "classes"
    flat = "flat"


class Formats(StrEnum):
    """Forms of pictures."""

    png = "png"
    jpeg = "jpeg"


class Sides(StrEnum):
    """Sides of a protocol."""

    train = "train"
    val = "val"
    test = "test"


def export(
    name: Annotated[str, typer.Argument(help="NAME or NAME@PROTOCOL.")],
    folder: Annotated[Path, typer.Argument(help="Folder to write; it must not be there, or be empty.")],
    layout: Annotated[
        Layouts, typer.Option(help="folders: <split>/<class>/, classes: <class>/, flat: files/.")
    ] = Layouts.folders,
    split: Annotated[list[Sides] | None, typer.Option(help="Only this side; may be repeated.")] = None,
    fold: Annotated[int, typer.Option(min=0, help="Fold of the protocol.")] = 0,
    size: Annotated[int | None, typer.Option(min=1, max=4096, help="Make pictures SIZE×SIZE (default: as is).")] = None,
    format: Annotated[Formats, typer.Option(help="png keeps every pixel; jpeg does not.")] = Formats.png,
    quality: Annotated[int | None, typer.Option(min=1, max=100, help="Of JPEG (default: 95).")] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="Frames of each clip (default: all).")] = None,
    sampler: Annotated[
        str | None, typer.Option("-s", "--sampler", help="Export the training side as this sampler leaves it.")
    ] = None,
    set: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="An option of the sampler, as in a run; may be repeated.", metavar="sampler.options.KEY=VALUE"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampler, as in a run.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many samples of each side.")] = None,
    ids_only: Annotated[bool, typer.Option("--ids-only", help="Ids and labels, no pictures.")] = False,
    private: Annotated[
        bool, typer.Option("--private", help="Pictures although they may not be published: for yourself alone.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print facts as JSON.")] = False,
) -> None:
    """Write a data set as folders of pictures and a table of labels (labels.csv).

    Of data whose licence does not allow pictures to be published, ids and labels alone are written, unless you say
    --private.

    Examples:

        ferbench data export demo faces --size 64 --format jpeg

        ferbench data export demo@subject-disjoint cleaned --layout classes --split train

        ferbench data export fer2013 shared --ids-only

        ferbench data export demo cleaned -s drop-outliers --set sampler.options.whisker=2
    """
    from ferbench.data.registry import load
    from ferbench.errors import DataError, Problem, SettingsError
    from ferbench.evaluating.exporting import Pictures
    from ferbench.evaluating.exporting import export as write
    from ferbench.evaluating.setup import find_protocol
    from ferbench.plugins import discover
    from ferbench.running.cleaned import asked_of, parts_of
    from ferbench.suites import parse_override

    if quality is not None and format is not Formats.jpeg:
        raise SettingsError([Problem("--quality", "it is for --format jpeg; PNG loses nothing")])
    if ids_only and private:
        raise SettingsError([Problem("--private", "it is for pictures, and --ids-only writes none")])
    wanted = tuple(split or Sides)
    if sampler is not None and Sides.train not in wanted:
        raise SettingsError([Problem("--sampler", "it changes the training side alone, which is not exported")])
    if set and sampler is None:
        raise SettingsError([Problem("--set", "it is for the options of a sampler: name one by --sampler")])
    installed = discover()
    dataset, protocol = installed.place(name)
    rule, loaded = find_protocol(dataset, protocol), load(dataset)
    if rule.name not in loaded.protocols:
        raise DataError(f"This copy of {dataset.name} does not offer {rule.name}: {', '.join(loaded.protocols)}.")
    overrides = [parse_override(text) for text in set or ()]
    asked = asked_of(installed, loaded, sampler, seed, overrides) if sampler else None
    found = parts_of(loaded, rule, fold, limit, asked)
    parts = [part for part in found if part.side in wanted]
    pictures = Pictures(format.value, size, quality or 95, frames, layout.value)
    allowed = not ids_only and (dataset.public or private)
    about: dict[str, Any] = {
        "fold": fold,
        "sampler": sampler,
        "sampler_options": asked.options.model_dump(mode="json") if asked else None,
        "seed": seed if sampler else None,
        "limit": limit,
    }
    done = write(loaded, rule, parts, folder, pictures if allowed else None, about)
    _tell(done, f"{dataset.name}@{rule.name}", json)
    if not allowed and not ids_only and not json:
        licence = dataset.licence or "not stated"
        typer.secho(
            f"No pictures: those of {dataset.name} may not be published (licence: {licence}). --private writes them, "
            "for yourself alone.",
            fg="yellow",
        )
    if allowed and not dataset.public and not json:
        typer.secho("These pictures must not be published or passed on: see NOTICE.txt beside them.", fg="yellow")


def _tell(done: Exported, name: str, json: bool) -> None:
    if json:
        from dataclasses import asdict
        from json import dumps

        typer.echo(dumps(asdict(done) | {"folder": str(done.folder)}, indent=1))
        return
    sides = ", ".join(f"{count:,} {side}" for side, count in done.samples.items())
    files = f"{done.files:,} pictures" if done.files else "no pictures"
    removed = f", {done.removed:,} left out by the sampler (removed.csv)" if done.removed else ""
    typer.echo(f"{done.folder}: {name}, {sides}{removed}; labels.csv and {files}, {done.size / 1e6:.1f} MB.")
