"""The code of ferbench is the same for all plugins: what one of them puts in its place is undone."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

MISSING = object()
Snapshot = dict[int, tuple[str, Any, dict[str, Any], dict[str, Any]]]
"""By identity of a module or class: its name, itself, its attributes, and copies of those that hold several values."""


@contextlib.contextmanager
def core_kept(changed: list[str]) -> Iterator[None]:
    """Put back attributes of ferbench's modules and classes that are replaced or removed, and their lists and tables.

    Only what is loaded already is looked at; new names are no fault (modules load names on first use).
    """
    before = _snapshot()
    try:
        yield
    finally:
        for name, owner, values, copies in before.values():
            now = vars(owner)
            for key, value in values.items():
                if now.get(key, MISSING) is not value:
                    changed.append(f"{name}.{key}")
                    setattr(owner, key, value)
                elif key in copies and _items(value) != _items(copies[key]):
                    changed.append(f"{name}.{key}")
                    _refill(value, copies[key])


def _snapshot() -> Snapshot:
    found: Snapshot = {}
    for name, module in list(sys.modules.items()):
        if name != "ferbench" and not name.startswith("ferbench."):
            continue
        _add(found, name, module)
        for value in list(vars(module).values()):
            if isinstance(value, type) and value.__module__ == name:
                _add(found, f"{name}.{value.__name__}", value)
    return found


def _add(found: Snapshot, name: str, owner: Any) -> None:
    own = {key: value for key, value in vars(owner).items() if not (key.startswith("__") or key.startswith("_abc_"))}
    copies = {key: value.copy() for key, value in own.items() if type(value) in (dict, list, set)}
    found[id(owner)] = (name, owner, own, copies)


def _items(value: Any) -> list[Any]:
    """The identities of what a list, set or table holds: comparing values could run anybody's code."""
    if isinstance(value, dict):
        return [(key, id(item)) for key, item in value.items()]
    return sorted(map(id, value)) if isinstance(value, set) else [id(item) for item in value]


def _refill(value: Any, kept: Any) -> None:
    value.clear()
    value.extend(kept) if isinstance(value, list) else value.update(kept)
