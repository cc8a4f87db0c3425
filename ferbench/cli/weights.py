"""Registered weights, as ``ferbench data`` and ``ferbench show`` print them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from ferbench.data.weights import RegisteredWeights, WeightsStatus
    from ferbench.nouns.weights import Weights
    from ferbench.plugins import Installed

FAMILIES = {"onnx": "onnx", "skops": "sklearn"}
"""Models that a registered file is, by its format."""


def are_weights(installed: Installed, name: str, path: Path, trained_on: str) -> bool:
    """Whether weights are to be added: by their name, by what is said of them or by what ``path`` holds.

    A data set of that name goes before.
    """
    from ferbench.data.checkpoints import looks_like_weights
    from ferbench.errors import UnknownNameError

    try:
        installed.dataset(name)
    except UnknownNameError:
        return name in installed.weights or bool(trained_on) or looks_like_weights(path)
    return False


def add_file(installed: Installed, name: str, path: Path, trained_on: str, classes: str, json: bool) -> None:
    """Register a file of weights, and say so."""
    from ferbench.data.adding_weights import add_weights
    from ferbench.data.provenance import described

    path = path.expanduser().absolute()
    named = tuple(part.strip() for part in classes.split(",") if part.strip())
    known = installed.weights
    meta, already = add_weights(described(name, path, known, trained_on, named), path)
    if json:
        from json import dumps

        typer.echo(dumps({**asdict(meta), "already": already, "path": str(meta.path)}, indent=1))
        return
    word = "were registered already" if already else "are registered"
    typer.echo(f"The weights {name} {word}: {_content(meta)}.")
    typer.echo(f"Trained on: {meta.trained_on}. SHA-256: {meta.sha256}.")
    for note in meta.notes:
        typer.echo(f"Note: {note}.")
    if meta.format != "safetensors" and name not in known:
        typer.echo(f"Evaluate it as the model {FAMILIES[meta.format]}:{name}.")


def found(installed: Installed) -> list[WeightsStatus]:
    """All weights that models name or that are registered, by name."""
    from ferbench.data.weights import WeightsStatus, packaged_file, registered_names, status_of

    packaged = {name: each for name, each in installed.weights.items() if each.packaged}
    names = sorted({*installed.weights, *registered_names()} - set(packaged))
    brought = [WeightsStatus(n, "registered" if packaged_file(each) else "missing") for n, each in packaged.items()]
    return sorted([*(status_of(name) for name in names), *brought], key=lambda item: item.name)


def facts(installed: Installed, item: WeightsStatus) -> dict[str, Any]:
    """Plain data on one file of weights; stable keys."""
    known: Weights | None = installed.weights.get(item.name)
    meta = item.meta
    return {
        "name": item.name,
        "kind": "weights",
        "state": item.state,
        "cause": item.cause,
        "description": known.description if known else "",
        "trained_on": known.trained_on if known else meta.trained_on if meta else "",
        "classes": list((known.classes if known else ()) or (meta.classes if meta else ())),
        "sha256": meta.sha256 if meta else known.sha256 if known else "",
        "format": meta.format if meta else "",
        "licence": known.licence if known else "",
        "how_to_get": known.how_to_get if known else "",
        "parameters": meta.parameters if meta else None,
        "tensors": meta.tensors if meta else None,
        "source": meta.source if meta else "",
        "notes": list(meta.notes) if meta else [],
        "models": [name for name in installed.names("models") if _names(installed, name, item.name)],
    }


def detail(installed: Installed, item: WeightsStatus) -> str:
    """One line on a file of weights: what it is, or what to get and where to put it."""
    from ferbench.data.weights import how_to_get

    known = installed.weights.get(item.name)
    if known and known.packaged and item.state == "registered":
        return f"{known.packaged}, trained on {known.trained_on}"
    if item.meta is None:
        mend = how_to_get(item.name, known)
        return f"{item.cause}; {mend}" if item.cause else mend
    numbers = f"{item.meta.parameters:,} numbers" if item.meta.format == "safetensors" else _content(item.meta)
    return f"{numbers}, trained on {item.meta.trained_on}, {item.meta.sha256[:12]}"


def _content(meta: RegisteredWeights) -> str:
    if meta.format == "safetensors":
        return f"{meta.parameters:,} numbers in {meta.tensors} tensors"
    size = f", {meta.parameters:,} numbers" if meta.parameters else ""
    return f"a finished model ({meta.format}{size}) of {len(meta.classes)} classes"


def _names(installed: Installed, model: str, name: str) -> bool:
    return any(each.name == name for each in installed.model(model).weights)
