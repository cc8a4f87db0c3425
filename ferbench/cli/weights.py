"""Registered weights, as ``ferbench data`` and ``ferbench show`` print them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from ferbench.data.weights import WeightsStatus
    from ferbench.nouns.weights import Weights
    from ferbench.plugins import Installed


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
    from ferbench.data.provenance import described
    from ferbench.data.weights import add_weights

    path = path.expanduser().absolute()
    named = tuple(part.strip() for part in classes.split(",") if part.strip())
    known = installed.weights
    meta, already = add_weights(described(name, path, known, trained_on, named), path)
    if json:
        from json import dumps

        typer.echo(dumps({**asdict(meta), "already": already, "path": str(meta.path)}, indent=1))
        return
    word = "were registered already" if already else "are registered"
    typer.echo(f"The weights {name} {word}: {meta.parameters:,} numbers in {meta.tensors} tensors.")
    typer.echo(f"Trained on: {meta.trained_on}. SHA-256: {meta.sha256}.")
    for note in meta.notes:
        typer.echo(f"Note: {note}.")


def found(installed: Installed) -> list[WeightsStatus]:
    """All weights that models name or that are registered, by name."""
    from ferbench.data.weights import registered_names, status_of

    return [status_of(name) for name in sorted({*installed.weights, *registered_names()})]


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

    if item.meta is None:
        mend = how_to_get(item.name, installed.weights.get(item.name))
        return f"{item.cause}; {mend}" if item.cause else mend
    return f"{item.meta.parameters:,} numbers, trained on {item.meta.trained_on}, {item.meta.sha256[:12]}"


def _names(installed: Installed, model: str, name: str) -> bool:
    return any(each.name == name for each in installed.model(model).weights)
