"""What weights that are to be registered were trained on, and who says so: a model, a finished cell or the user."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ferbench.data.finished import read_card
from ferbench.data.weights import how_to_get
from ferbench.errors import DataError, did_you_mean
from ferbench.nouns.weights import Weights

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def described(
    name: str, path: Path, models: Mapping[str, Weights], trained_on: str = "", classes: Sequence[str] = ()
) -> Weights:
    """Return what is to be registered, as one of ``models``' weights, as a finished cell or as the user says.

    Raises DataError when it is not known what weights were trained on, or is said twice.
    """
    if name in models and models[name].packaged:
        raise DataError(f"{name!r} is never registered, a package brings it: {how_to_get(name, models[name])}")
    known, cell = models.get(name), None if name in models else _cell_facts(path)
    if cell is None and (known is None or not known.trained_on):
        own = _named_by_user(name, path, models, trained_on, classes)
        return replace(known, trained_on=own.trained_on, classes=known.classes or own.classes) if known else own
    sayer = f"the cell in {path.parent}" if cell else "the model that names them"
    if trained_on:
        raise DataError(f"What {name!r} were trained on is said by {sayer}; leave --trained-on out.")
    if classes and (cell or (known and known.classes)):
        raise DataError(f"The classes of {name!r} are said by {sayer}; leave --classes out.")
    if known is not None:
        return replace(known, classes=known.classes or tuple(classes))
    assert cell is not None
    _check_name(name)
    return Weights(name, f"weights of the cell {path.parent.name}", cell[0], "", classes=cell[1])


def _named_by_user(
    name: str, path: Path, models: Mapping[str, Weights], trained_on: str, classes: Sequence[str]
) -> Weights:
    _check_name(name)
    card = read_card(path)
    trained_on, classes = trained_on or card.trained_on, classes or card.classes
    if not trained_on.strip():
        unknown = (
            f"The model that names {name!r} does not know what this file was trained on."
            if name in models
            else f"No installed model names weights {name!r}.{did_you_mean(name, models)}"
        )
        raise DataError(
            f"{unknown} To add {path.name} under this "
            f'name, say what it was trained on: ferbench data add {name} {path} --trained-on "ImageNet-1k". Tables '
            "show it beside every result."
        )
    return Weights(name, "", trained_on.strip(), "", classes=tuple(classes))


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise DataError(f"{name!r} is no name for weights: use lower case letters, digits and - _ . only.")


def _cell_facts(path: Path) -> tuple[str, tuple[str, ...]] | None:
    """What the weights of a finished cell were trained on, and their classes; None for any other file."""
    record = path.parent / "cell.json"
    if path.suffix != ".safetensors" or not record.is_file():
        return None
    try:
        cell = json.loads(record.read_text(encoding="utf-8"))
        status = json.loads((path.parent / "status.json").read_text(encoding="utf-8"))
        row, facts = cell["row"], cell["facts"]
        if status["state"] != "done" or facts["estimator"]:
            why = "it is an estimator" if facts["estimator"] else f"it is {status['state']}"
            raise DataError(f"The cell in {path.parent} has no network to begin with: {why}.")
        trained_on = f"{row['dataset']}@{row['protocol']}"
        return ", ".join(filter(None, [trained_on, facts["extra_data"]])), tuple(facts["classes"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"The cell in {path.parent} cannot be read ({type(error).__name__}: {error}).") from None
