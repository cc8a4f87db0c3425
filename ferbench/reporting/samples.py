"""Facts about test samples that predictions do not hold: groups, and copies in the training side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ferbench.data.votes import VOTES, vote_shares
from ferbench.errors import StoreError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class SampleFacts:
    """``copied``: bool [n], test samples whose pixels also stand in the training side; None where that is unknown.

    ``groups``: [n], the subject, clip or trial of each sample; None where the protocol's unit is the sample.
    ``votes``: shares of the annotators' votes over the protocol's classes, float32 [n, k]; None where there are none.
    """

    copied: np.ndarray | None = None
    groups: np.ndarray | None = None
    votes: np.ndarray | None = None


def sample_facts(
    table: Path,
    protocol: str,
    unit: str,
    ids: np.ndarray,
    folds_of: np.ndarray,
    trained: Sequence[str] = ("train",),
    classes: Sequence[str] = (),
) -> SampleFacts:
    """Look test samples (``ids`` str [n], of fold ``folds_of`` [n]) up in the table of their data set.

    ``trained``: sides of the protocol on which the model was trained; ``classes``: its classes, in order. The table
    knows the sides of the first fold alone; in a cross-validation, what is tested in another fold counts as training
    data, and what the first one trains on and none tests. Raises StoreError when the table is damaged; one that is
    missing leaves everything unknown.
    """
    columns = read_columns(table, ["id", "pixel_hash", f"split_{protocol}", unit])
    if "id" not in columns:
        return SampleFacts()
    order = np.argsort(columns["id"])
    place = order[np.clip(np.searchsorted(columns["id"], ids, sorter=order), 0, len(order) - 1)]
    if not np.array_equal(columns["id"][place], ids):
        return SampleFacts()
    groups = _groups(columns[unit][place], ids) if unit in columns and unit != "sample" else None
    votes = _votes(table, place, classes)
    hashes = columns.get("pixel_hash")
    if hashes is None:
        return SampleFacts(None, groups, votes)
    tested = hashes[place]
    sides = columns.get(f"split_{protocol}")
    if len(np.unique(folds_of)) > 1:
        never = ~np.isin(columns["id"], ids)
        always = hashes[never & np.isin(sides, trained)] if sides is not None else hashes[:0]
        copied = np.zeros(len(ids), dtype=bool)
        for fold in np.unique(folds_of):
            others = np.concatenate([tested[folds_of != fold], always])
            copied[folds_of == fold] = np.isin(tested[folds_of == fold], others)
        return SampleFacts(copied, groups, votes)
    return SampleFacts(None if sides is None else np.isin(tested, hashes[np.isin(sides, trained)]), groups, votes)


def _votes(table: Path, place: np.ndarray, classes: Sequence[str]) -> np.ndarray | None:
    """Shares of the votes in the table's rows at ``place``; None where it has none or does not name its classes."""
    import pyarrow.parquet as pq

    schema = pq.read_schema(table)
    known = json.loads((schema.metadata or {}).get(b"classes", b"[]"))
    if VOTES not in schema.names or not classes or not set(classes) <= set(known):
        return None
    votes = np.array(pq.read_table(table, columns=[VOTES])[VOTES].to_pylist())
    return vote_shares(votes[place], known, classes)


def _groups(names: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Group of each sample as text; one that belongs to none (empty) is a group of its own."""
    names = names.astype(str)
    return np.where(names == "", np.char.add("sample ", ids), names)


def read_columns(table: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Those of the columns that a data set's table has, without a gap. Raises StoreError when it is damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not table.exists():
        return {}
    try:
        known = set(pq.read_schema(table).names)
        data = pq.read_table(table, columns=[name for name in dict.fromkeys(names) if name in known])
    except (pa.ArrowException, OSError) as error:
        raise StoreError(f"{table} is damaged ({error}). Remove it, and run the suite again to make it anew.") from None
    return {name: _array(data[name]) for name in data.column_names if not data[name].null_count}


def _array(column: pa.ChunkedArray) -> np.ndarray:
    import pyarrow as pa

    if pa.types.is_integer(column.type):
        return np.asarray(column.to_numpy())
    return np.array(column.to_pylist(), dtype=str)
