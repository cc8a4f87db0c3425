"""Attributes of test samples, from the table of their data set in a store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.data.attributes import from_names
from ferbench.data.slicing import Attribute, in_order, sliced
from ferbench.data.table import ATTRIBUTE
from ferbench.errors import StoreError

_NO_GROUPS = ("id", "target", "pixel_hash")


def registered_in(table: Path) -> tuple[str, ...]:
    """Names of the registered attributes that a table has; none where it is missing."""
    return tuple(name.removeprefix(ATTRIBUTE) for name in _names(table) if name.startswith(ATTRIBUTE))


def known_in(table: Path) -> tuple[str, ...]:
    """Names of all by which results can be told apart: registered attributes, then what the data set itself knows."""
    own = [name for name, single in _names(table).items() if single and not _is_technical(name)]
    return tuple(dict.fromkeys([*registered_in(table), *own]))


def attribute_in(table: Path, name: str, ids: np.ndarray) -> Attribute | None:
    """An attribute of the samples ``ids`` (str [n]); None where the table does not know it or one of them.

    Slices are those of the whole data set. Raises StoreError when the table is damaged, DataError for a fact of the
    data set that has too many values.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if name not in known_in(table):
        return None
    column = f"{ATTRIBUTE}{name}" if name in registered_in(table) else name
    try:
        data = pq.read_table(table, columns=["id", column])
    except (pa.ArrowException, OSError) as error:
        raise StoreError(f"{table} is damaged ({error}). Remove it, and run the suite again to make it anew.") from None
    known = np.array(data["id"].to_pylist(), dtype=str)
    order = np.argsort(known)
    place = order[np.clip(np.searchsorted(known, ids, sorter=order), 0, len(order) - 1)]
    if not np.array_equal(known[place], ids):
        return None
    if column == name:
        plain = data[column].to_pylist()
        values = np.array(["" if value is None else value for value in plain])
        return sliced(name, values).take(place)
    about = _about(table).get(name) or {"slices": in_order(sorted({*data[column].to_pylist()} - {""})), "rule": ""}
    try:
        return from_names(data[column], about).take(place)
    except KeyError as error:
        raise StoreError(f"{table} is damaged (it names no slice {error} of {name}).") from None


def _about(table: Path) -> Mapping[str, Any]:
    import pyarrow.parquet as pq

    about: Mapping[str, Any] = json.loads((pq.read_schema(table).metadata or {}).get(b"attributes", b"{}"))
    return about


def _names(table: Path) -> dict[str, bool]:
    """The columns of a table, and whether each holds single values."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not table.exists():
        return {}
    try:
        schema = pq.read_schema(table)
    except (pa.ArrowException, OSError) as error:
        raise StoreError(f"{table} is damaged ({error}). Remove it, and run the suite again to make it anew.") from None
    return {name: not pa.types.is_nested(kind) for name, kind in zip(schema.names, schema.types, strict=True)}


def _is_technical(name: str) -> bool:
    return name in _NO_GROUPS or name.startswith((ATTRIBUTE, "split_"))
