"""Why two cells differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ferbench.store.store import CellFolder

IDENTITY = ("row", "seed", "fold", "requires", "sources", "engine")
"""The parts of a record that make the id."""


def differences(a: CellFolder, b: CellFolder) -> dict[str, dict[str, tuple[Any, Any]]]:
    """What differs in ``identity`` (why the ids differ) and in ``environment`` (why bytes may), by dotted key."""
    first, second = a.record, b.record
    return {
        "identity": _compare({key: first[key] for key in IDENTITY}, {key: second[key] for key in IDENTITY}),
        "environment": _compare(a.environment, b.environment),
    }


def _compare(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    left, right = dict(_flat(a)), dict(_flat(b))
    keys = sorted(left.keys() | right.keys())
    return {key: (left.get(key), right.get(key)) for key in keys if left.get(key) != right.get(key)}


def _flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flat(item, f"{place}.{index}")
    else:
        yield place, value
