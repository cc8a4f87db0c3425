"""With which trained weights a row begins, and what they have seen: looked up when a run is planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ferbench.data.weights import (
    class_difference,
    how_to_get,
    is_published,
    registered_names,
    status_of,
)
from ferbench.errors import Problem, SettingsError, UnknownNameError, did_you_mean
from ferbench.identity import RowKey
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
    if status.meta is None:
        why = f"are damaged ({status.cause})" if status.state == "damaged" else "are not on this machine"
        raise UnfitError(f"the weights {name!r} {why}: {how_to_get(name, declared)}")
    if declared and not is_published(declared, status.meta.sha256):
        raise UnfitError(f"the registered weights {name!r} are not the published file: {how_to_get(name, declared)}")
    if source.mode == "continue":
        meant = declared.classes if declared and declared.classes else status.meta.classes
        difference = class_difference(meant, classes)
        if difference:
            raise UnfitError(f"training cannot continue from the weights {name!r}: {difference}")
    trained_on = (declared.trained_on if declared else "") or status.meta.trained_on
    return Start({name: status.meta.sha256}, (trained_on,))


def _check_role(configured: Configured, role: str, installed: Installed) -> None:
    place, required = f"{configured.model.full_name}: recipe.init_from.role", configured.model.requires
    if role not in required:
        known = f"It requires: {', '.join(required)}." if required else "It requires no cells."
        raise SettingsError([Problem(place, f"the model requires no {role!r}.{did_you_mean(role, required)} {known}")])
    if installed.model(required[role]).build is None:
        raise SettingsError([Problem(place, f"{required[role]} is an estimator; it has no network to begin with")])
