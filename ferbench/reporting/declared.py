"""Whether the test predictions of a row are those of the side that its protocol declares."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ferbench.data.table import COUNTS
from ferbench.reporting.rows import Row
from ferbench.reporting.samples import read_columns

_SPLIT = "split_"


def misdeclared(row: Row) -> str:
    """Why the test predictions of a row are not of its protocol's test side, and what they are; empty if they are.

    Samples are looked up by id in the table of the data set, and the counts of their classes are compared with those
    that the table has for the side. Nothing can be said without a table, or of protocols with several folds.
    """
    table = row.cells[0].out / "datasets" / f"{row.key['fingerprint']}.parquet"
    own = row.key["protocol"]
    columns = read_columns(table, ["id", f"{_SPLIT}{own}"]) if row.folds == 1 else {}
    if len(columns) < 2:
        return ""
    where = f"the test side of {row.key['dataset']}@{own}"
    sides = dict(zip(columns["id"].tolist(), columns[f"{_SPLIT}{own}"].tolist(), strict=True))
    stand = Counter(sides.get(name, "") or "none" for name in row.ids.tolist())
    expected = int((columns[f"{_SPLIT}{own}"] == "test").sum())
    counts, known = _counts_of(row), _known_counts(table)
    if set(stand) != {"test"} or stand["test"] != expected:
        shown = ", ".join(f"{number:,} on {side}" for side, number in sorted(stand.items()))
        return (
            f"its {len(row.ids):,} test samples are not the {expected:,} of {where} (there they stand: {shown})."
            f"{_match(row, counts, known)}"
        )
    declared = known.get(own, {}).get("test")
    if declared is None or counts is None or list(declared) == counts:
        return ""
    return (
        f"the class counts of its test labels ({_shown(counts)}) are not those of {where} ({_shown(declared)})."
        f"{_match(row, counts, known)}"
    )


def _counts_of(row: Row) -> list[int] | None:
    targets = row.scored[0].targets
    return np.bincount(targets, minlength=len(row.scored[0].classes)).tolist() if targets.ndim == 1 else None


def _match(row: Row, counts: list[int] | None, known: Mapping[str, Mapping[str, list[int]]]) -> str:
    """The side whose class counts these are, the row's own protocol first."""
    own = row.key["protocol"]
    for protocol in sorted(known, key=lambda name: name != own):
        for side, theirs in known[protocol].items():
            if theirs == counts and (protocol, side) != (own, "test"):
                return f" Their class counts are those of the {side} side of {row.key['dataset']}@{protocol}."
    return ""


def _known_counts(table: Path) -> dict[str, dict[str, list[int]]]:
    """Class counts by protocol and side, as they were written with the table; none in an older one."""
    try:
        found = json.loads((pq.read_schema(table).metadata or {}).get(COUNTS.encode(), b"{}"))
    except (pa.ArrowException, OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _shown(counts: list[int]) -> str:
    return ", ".join(map(str, counts))
