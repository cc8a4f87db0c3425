"""``ferbench data``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferbench.cli import attributes, export
from ferbench.cli.audit import audit

if TYPE_CHECKING:
    from ferbench.data.status import Status

app = typer.Typer(
    help="Register, check and look at data sets and weights.\n\nExample:  ferbench data add fer2013 fer2013.tar.gz",
    no_args_is_help=True,
)
app.command("audit")(audit)
app.command("attributes")(attributes.attributes)
app.command("export")(export.export)


_SHOWN = 5


@app.command("status")
def status(json: Annotated[bool, typer.Option("--json", help="Print an array of objects.")] = False) -> None:
    """Say which data sets and weights are on this machine.

    Example:

        ferbench data status
    """
    from ferbench.cli import weights
    from ferbench.data.places import data_root
    from ferbench.data.status import registered_beside
    from ferbench.data.status import status as status_of
    from ferbench.plugins import discover

    installed = discover()
    names = installed.names("datasets")
    found = [*(status_of(installed.dataset(name)) for name in names), *registered_beside(names)]
    trained = weights.found(installed)
    if json:
        from json import dumps

        rows = [*(_facts(item) for item in found), *(weights.facts(installed, item) for item in trained)]
        typer.echo(dumps(rows, indent=1))
        return
    typer.echo(f"Data folder: {data_root()}")
    lines = [(item.dataset, item.state, _detail(item)) for item in found]
    lines += [(item.name, item.state, weights.detail(installed, item)) for item in trained]
    width = max((len(name) for name, _, _ in lines), default=0)
    for number, (name, state, detail) in enumerate(lines):
        if number == len(found):
            typer.echo("Weights:")
        typer.echo(f"  {name:<{width}}  {state:<10}  {detail}".rstrip())


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Name of a data set, or of weights.")],
    path: Annotated[
        Path | None,
        typer.Argument(help="The download: an archive, file or folder; a file of weights. Not for folder:PATH."),
    ] = None,
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Take an incomplete or altered copy; every row is marked.")
    ] = False,
    trained_on: Annotated[str, typer.Option(help="What weights of your own were trained on; tables show it.")] = "",
    classes: Annotated[str, typer.Option(help="What the outputs of weights mean, in order: a,b,c.")] = "",
    plugin: Annotated[list[Path] | None, typer.Option(help="A plugin in a single Python file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print facts as JSON.")] = False,
) -> None:
    """Check a download and register it. The same again is no error.

    Examples:

        ferbench data add fer2013 fer2013.tar.gz

        ferbench data add folder:faces

        ferbench data add my-faces faces.zip --plugin my_faces.py

        ferbench data add my-resnet resnet.pth --trained-on "ImageNet-1k"

        ferbench data add my-net net.onnx --trained-on "AffectNet" --classes anger,happiness,neutral
    """
    from dataclasses import asdict

    from ferbench.cli import weights
    from ferbench.data.registry import add as register
    from ferbench.errors import Problem, SettingsError
    from ferbench.plugins import discover

    installed = discover(files=plugin or ())
    if path is not None and weights.are_weights(installed, name, path, trained_on):
        weights.add_file(installed, name, path, trained_on, classes, json)
        return
    dataset = installed.dataset(name)
    path = path or (Path(dataset.place) if dataset.place else None)
    if path is None:
        raise SettingsError([Problem(name, f"say where it lies: ferbench data add {name} PATH")])
    if trained_on or classes:
        raise SettingsError([Problem(name, "it is a data set; --trained-on and --classes are for weights")])
    reader = installed.plugin_of("datasets", name).source_hash
    result = register(dataset, path, allow_partial, installed.dataset, reader)
    if json:
        from json import dumps

        typer.echo(dumps(asdict(result), indent=1, default=str))
        return
    word = "was registered already" if result.already else "is registered"
    typer.echo(f"{name} {word}: {result.samples:,} samples, fingerprint {result.fingerprint}.")
    typer.echo(f"Protocols: {', '.join(f'{name}@{protocol}' for protocol in result.protocols)}")
    for note in result.notes:
        typer.echo(note)
    if result.corrupted:
        typer.secho(_corrupted(result.corrupted), fg="yellow")
    if result.partial:
        typer.secho(f"Every row made from it is marked: {result.partial}", fg="yellow")


@app.command("preview")
def preview(
    name: Annotated[str, typer.Argument(help="NAME or NAME@PROTOCOL.")],
    model: Annotated[str, typer.Option("-m", "--model", help="Model whose recipe augments.")] = "small-cnn",
    out: Annotated[Path, typer.Option(help="PNG to write.")] = Path("preview.png"),
    rows: Annotated[int, typer.Option(min=1, max=100, help="Number of samples.")] = 14,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other samples.")] = 0,
    plugin: Annotated[list[Path] | None, typer.Option(help="A plugin in a single Python file.")] = None,
) -> None:
    """Draw training samples as a recipe augments them: first as they are, then seven times augmented.

    Example:

        ferbench data preview demo -m small-cnn --out preview.png
    """
    from ferbench.data.registry import load
    from ferbench.evaluating.previewing import write_preview
    from ferbench.evaluating.setup import find_protocol
    from ferbench.plugins import discover

    installed = discover(files=plugin or ())
    dataset, protocol = installed.place(name)
    rule = find_protocol(dataset, protocol)
    write_preview(load(dataset), rule, installed.model(model), out, rows, seed)
    typer.echo(f"Written to {out}: left as it is, then as {model} sees it in training.")
    if not dataset.public:
        typer.secho(f"Samples of {dataset.name} may not be published: keep this picture to yourself.", fg="yellow")


def _facts(item: Status) -> dict[str, Any]:
    meta = item.meta
    return {
        "name": item.dataset,
        "state": item.state,
        "cause": item.cause,
        "samples": meta.samples if meta else None,
        "fingerprint": meta.fingerprint if meta else None,
        "protocols": list(meta.protocols) if meta else [],
        "partial": meta.partial if meta else "",
        "corrupted": list(meta.corrupted) if meta else [],
    }


def _detail(item: Status) -> str:
    if item.state == "missing":
        return f"ferbench show {item.dataset} says where to get it"
    if item.meta is None:
        return item.cause or "made on first use"
    broken = f"{len(item.meta.corrupted):,} corrupted files left out" if item.meta.corrupted else ""
    marks = "; ".join(filter(None, [item.meta.partial, broken]))
    return f"{item.meta.samples:,} samples, {item.meta.fingerprint}" + (f" ({marks})" if marks else "")


def _corrupted(faults: Sequence[str]) -> str:
    """The head of a list of files that cannot be read, a line each."""
    head = f"{len(faults):,} corrupted file{'s' if len(faults) > 1 else ''} left out; a suite must allow them:"
    shown = [f"  {fault}" for fault in faults[:_SHOWN]]
    rest = [f"  and {len(faults) - _SHOWN:,} more: ferbench data status --json"] if len(faults) > _SHOWN else []
    return "\n".join([head, *shown, *rest])
