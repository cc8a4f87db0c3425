"""``ferbench data attributes``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np

    from ferbench.data.slicing import Attribute
    from ferbench.data.stored import Loaded

SHOWN = 12
"""Slices of an attribute that are printed."""


def attributes(
    name: Annotated[str, typer.Argument(help="Name of a data set.")],
    file: Annotated[
        Path | None, typer.Argument(help="CSV: first column `id`, the others attributes. None: show what there is.")
    ] = None,
    own: Annotated[
        list[str] | None,
        typer.Option(help="A fact of the data set itself: brightness, subject, source …; may be repeated."),
    ] = None,
    bins: Annotated[
        list[str] | None,
        typer.Option(help="Where a number is cut, such as age=18,30,60 (default: quarters); may be repeated."),
    ] = None,
    remove: Annotated[list[str] | None, typer.Option(help="Forget this attribute, or `all`; may be repeated.")] = None,
    out: Annotated[list[Path] | None, typer.Option(help="Finished results that get them too; may be repeated.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print facts as JSON.")] = False,
) -> None:
    """Register attributes of samples (age, gender, pose …), by which results are then told apart.

    Every run copies them beside its results; the leaderboard names the group on which a method is worst, and
    `ferbench leaderboard --by ATTRIBUTE` shows all. An attribute of the same name is replaced.

    Examples:

        ferbench data attributes demo people.csv --bins age=18,30,60

        ferbench data attributes demo --own brightness --own subject --out ferbench-runs

        ferbench data attributes demo --remove all
    """
    from ferbench.data import attributes as kept
    from ferbench.data.registry import load
    from ferbench.errors import Problem, SettingsError
    from ferbench.plugins import discover

    dataset = discover().dataset(name)
    loaded = load(dataset)
    edges = _bounds(bins or [])
    if remove and (file or own or edges):
        raise SettingsError([Problem("--remove", "it stands alone; add the others by a second command")])
    gone = kept.remove(dataset, remove) if remove else ()
    found, remarks = _collected(loaded, file, own or [], edges)
    if found:
        kept.register(loaded, found)
    updated = [_updated(folder, loaded) for folder in out or []]
    now = kept.registered(loaded)
    if json:
        _print_json(name, now, remarks)
        return
    for remark in [*remarks, *(f"Removed: {each}." for each in gone), *updated]:
        typer.echo(remark)
    _show(loaded, now)
    if found and not out:
        typer.echo("Runs from now on show them. For results that exist: the same again with --out FOLDER.")


def _bounds(given: list[str]) -> dict[str, list[float]]:
    """``{"age": [18, 30]}`` from ``age=18,30``. Raises SettingsError."""
    from ferbench.errors import Problem, SettingsError

    bounds: dict[str, list[float]] = {}
    for text in given:
        attribute, sign, numbers = text.partition("=")
        try:
            bounds[attribute.strip()] = [float(number) for number in numbers.split(",")]
        except ValueError:
            sign = ""
        if not sign:
            raise SettingsError([Problem("--bins", f"{text!r} is not like age=18,30,60")])
    return bounds


def _collected(
    loaded: Loaded, file: Path | None, own: list[str], edges: dict[str, list[float]]
) -> tuple[dict[str, Attribute], list[str]]:
    """The attributes of a file and of the data set itself, and remarks on the file."""
    from ferbench.data.attribute_file import read_attributes
    from ferbench.data.attributes import own_names, own_values
    from ferbench.data.slicing import sliced
    from ferbench.errors import DataError, UnknownNameError, did_you_mean

    values: dict[str, np.ndarray] = {}
    remarks: list[str] = []
    if file is not None:
        matched = read_attributes(file, loaded.samples.ids)
        values |= matched.columns
        attributes = f"{len(matched.columns)} attribute{'s' * (len(matched.columns) > 1)}"
        remarks = [f"{file.name}: {matched.rows:,} lines, {attributes}.", *matched.remarks()]
        clash = next((name for name in values if name in own_names(loaded)), None)
        if clash:
            raise DataError(
                f"{loaded.dataset.name} has {clash!r} of its own: take it by --own {clash}, or name the column "
                "otherwise."
            )
    values |= {name: own_values(loaded, name) for name in own}
    for name in edges:
        if name not in values:
            raise UnknownNameError(f"--bins: {name!r} is not among what is added.{did_you_mean(name, values)}")
    return {name: sliced(name, each, edges.get(name)) for name, each in values.items()}, remarks


def _updated(folder: Path, loaded: Loaded) -> str:
    """Write the attributes beside finished results. Raises StoreError for a folder without any of the data set."""
    from ferbench.data.table import write_table
    from ferbench.errors import StoreError
    from ferbench.store.store import Store

    path = Store(folder).dataset_table(loaded.fingerprint)
    if not path.exists():
        raise StoreError(f"{folder} has no results of this copy of {loaded.dataset.name}.")
    write_table(loaded, path)
    return f"{folder} has them too."


def _show(loaded: Loaded, found: Mapping[str, Attribute]) -> None:
    from ferbench.data.attributes import outdated, own_names

    count = len(loaded.samples.ids)
    if not found:
        if outdated(loaded):
            typer.secho(outdated(loaded), fg="yellow")
        typer.echo(f"{loaded.dataset.name} has no attributes. Of its own, for --own: {', '.join(own_names(loaded))}.")
        return
    typer.echo(f"Attributes of {loaded.dataset.name} ({count:,} samples):")
    for name, attribute in found.items():
        typer.echo(f"  {name}" + (f"  ({attribute.rule})" if attribute.rule else ""))
        rows = [(each, int((attribute.codes == code).sum())) for code, each in enumerate(attribute.slices)]
        rows += [("not known", int((attribute.codes < 0).sum()))] if (attribute.codes < 0).any() else []
        width = max(len(each) for each, _ in rows)
        for each, number in rows if len(rows) <= SHOWN else rows[: SHOWN - 2]:
            typer.echo(f"    {each:<{width}}  {number:>9,}")
        if len(rows) > SHOWN:
            typer.echo(f"    … and {len(rows) - SHOWN + 2} more")


def _print_json(name: str, found: Mapping[str, Attribute], remarks: list[str]) -> None:
    from json import dumps

    facts = {
        attribute: {
            "slices": {each: int((of.codes == code).sum()) for code, each in enumerate(of.slices)},
            "not_known": int((of.codes < 0).sum()),
            "rule": of.rule,
        }
        for attribute, of in found.items()
    }
    typer.echo(dumps({"dataset": name, "attributes": facts, "remarks": remarks}, indent=1, ensure_ascii=False))
