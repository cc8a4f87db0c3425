"""Attributes of test samples, from the table of their data set in a store."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.data.attributes import from_names
from ferbench.data.slicing import MOST_SLICES, Attribute, in_order, sliced
from ferbench.data.table import ATTRIBUTE
from ferbench.errors import StoreError

_NO_GROUPS = ("id", "target", "pixel_hash")


def registered_in(table: Path) -> tuple[str, ...]:
    """Names of the registered attributes that a table has; none where it is missing."""
    types = _types(table)
    return tuple(
        name.removeprefix(ATTRIBUTE) for name in types if name.startswith(ATTRIBUTE) and types[name] == "string"
    )


def known_in(table: Path) -> tuple[str, ...]:
    """Names of all by which results can be told apart: registered attributes, then what the data set itself knows."""
    own = [name for name, kind in _types(table).items() if kind and not _is_technical(name)]
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
    values = ["" if value is None else value for value in data[column].to_pylist()]
    if column == name:
        return sliced(name, np.array(values)).take(place)
    about = _about(table).get(name)
    if about is None:  # a table that was merged: a stranger's, without an order of its slices
        slices = in_order(sorted({*values} - {""}))
        about = {"slices": slices, "rule": ""}
        if len(slices) > MOST_SLICES:
            return None
    try:
        return from_names(values, about["slices"], about["rule"]).take(place)
    except KeyError as error:
        raise StoreError(f"{table} is damaged (it names no slice {error} of {name}).") from None


def _about(table: Path) -> Mapping[str, Any]:
    import pyarrow.parquet as pq

    about: Mapping[str, Any] = json.loads((pq.read_schema(table).metadata or {}).get(b"attributes", b"{}"))
    return about


def _types(table: Path) -> dict[str, str]:
    """The columns of a table and their types; empty for those that hold more than single values."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not table.exists():
        return {}
    try:
        schema = pq.read_schema(table)
    except (pa.ArrowException, OSError) as error:
        raise StoreError(f"{table} is damaged ({error}). Remove it, and run the suite again to make it anew.") from None
    found = zip(schema.names, schema.types, strict=True)
    return {name: "" if pa.types.is_nested(kind) else str(kind) for name, kind in found}


def _is_technical(name: str) -> bool:
    return name in _NO_GROUPS or name.startswith((ATTRIBUTE, "split_"))
