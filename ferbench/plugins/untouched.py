"""The code of ferbench is the same for all plugins: what one of them puts in its place is undone."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import repeat
from operator import is_not
from typing import Any

MISSING = object()


@dataclass
class Owner:
    """A module or class: its name, itself, its attributes, and copies of those that hold several values."""

    name: str
    itself: Any
    values: dict[str, Any]
    copies: dict[str, Any]
    size: int


@dataclass
class Core:
    """What ferbench's modules and classes hold, as far as they are loaded; kept from one plugin to the next."""

    owners: dict[int, Owner] = field(default_factory=dict)
    modules: dict[str, Any] = field(default_factory=dict)
    loaded: tuple[int, str] = (0, "")

    @contextlib.contextmanager
    def kept(self, changed: list[str]) -> Iterator[None]:
        """Put back attributes that are replaced or removed, and lists and tables; name them in ``changed``.

        Only what is loaded already is looked at; new names are no fault (modules load names on first use).
        """
        self._look()
        try:
            yield
        finally:
            for owner in self.owners.values():
                _put_back(owner, changed)

    def _look(self) -> None:
        """Take in what has been loaded since; thousands of modules are gone through only when there are others."""
        loaded = (len(sys.modules), next(reversed(sys.modules)))
        if loaded != self.loaded:
            self.loaded = loaded
            own = [name for name in sys.modules if name == "ferbench" or name.startswith("ferbench.")]
            self.modules = {name: sys.modules[name] for name in own}
        for name, module in self.modules.items():
            if self._add(name, module):
                for value in list(vars(module).values()):
                    if isinstance(value, type) and value.__module__ == name:
                        self._add(f"{name}.{value.__name__}", value)

    def _add(self, name: str, owner: Any) -> bool:
        """Take in a module or class; whether there was anything new in it."""
        held, known = vars(owner), self.owners.get(id(owner))
        if known is not None and known.size == len(held):
            return False
        own = {key: value for key, value in held.items() if not (key.startswith("__") or key.startswith("_abc_"))}
        copies = {key: value.copy() for key, value in own.items() if type(value) in (dict, list, set)}
        self.owners[id(owner)] = Owner(name, owner, own, copies, len(held))
        return True


def _put_back(owner: Owner, changed: list[str]) -> None:
    now = vars(owner.itself)
    # Hundreds of owners are looked at after each plugin: that nothing was replaced is found without a line of Python.
    if any(map(is_not, map(now.get, owner.values, repeat(MISSING)), owner.values.values())):
        for key, value in owner.values.items():
            if now.get(key, MISSING) is not value:
                changed.append(f"{owner.name}.{key}")
                setattr(owner.itself, key, value)
    for key, copy in owner.copies.items():
        value = owner.values[key]
        if _items(value) != _items(copy):
            changed.append(f"{owner.name}.{key}")
            _refill(value, copy)


def _items(value: Any) -> list[Any]:
    """The identities of what a list, set or table holds: comparing values could run anybody's code."""
    if isinstance(value, dict):
        return [(key, id(item)) for key, item in value.items()]
    return sorted(map(id, value)) if isinstance(value, set) else [id(item) for item in value]


def _refill(value: Any, kept: Any) -> None:
    value.clear()
    value.extend(kept) if isinstance(value, list) else value.update(kept)
