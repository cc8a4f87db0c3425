"""Whether the test predictions of a row are those of the side that its protocol declares."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ferbench.data.table import COUNTS
from ferbench.reporting.rows import Row
from ferbench.reporting.samples import read_columns


@dataclass(frozen=True)
class Declared:
    """What the table of a data set says of a protocol. ``side``: the side of each sample by id; None where unknown.

    ``counts``: class counts by protocol and side, as they were written with the table; none in an older one.
    """

    side: Mapping[str, str] | None
    n_test: int
    counts: Mapping[str, Mapping[str, list[int]]]


def declared_sides(table: Path, protocol: str) -> Declared:
    """Read the sides of a protocol off the table of a data set. Raises StoreError when it is damaged."""
    columns = read_columns(table, ["id", f"split_{protocol}"])
    if len(columns) < 2:
        return Declared(None, 0, {})
    sides = columns[f"split_{protocol}"]
    by_id = dict(zip(columns["id"].tolist(), sides.tolist(), strict=True))
    return Declared(by_id, int((sides == "test").sum()), _known_counts(table))


def misdeclared(row: Row, known: Declared) -> str:
    """Why the test predictions of a row are not of its protocol's test side, and what they are; empty if they are.

    Samples are looked up by id, and the counts of their classes are compared with those of the side. Nothing can be
    said where no table is there.
    """
    if known.side is None:
        return ""
    where = f"the test side of {row.key['dataset']}@{row.key['protocol']}"
    stand = Counter(known.side.get(name, "") or "none" for name in row.ids.tolist())
    counts = _counts_of(row)
    if set(stand) != {"test"} or stand["test"] != known.n_test:
        shown = ", ".join(f"{number:,} on {side}" for side, number in sorted(stand.items()))
        return (
            f"its {len(row.ids):,} test samples are not the {known.n_test:,} of {where} (there they stand: {shown})."
            f"{_match(row, counts, known.counts)}"
        )
    declared = known.counts.get(row.key["protocol"], {}).get("test")
    if declared is None or counts is None or list(declared) == counts:
        return ""
    return (
        f"the class counts of its test labels ({_shown(counts)}) are not those of {where} ({_shown(declared)})."
        f"{_match(row, counts, known.counts)}"
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
    try:
        found = json.loads((pq.read_schema(table).metadata or {}).get(COUNTS.encode(), b"{}"))
    except (pa.ArrowException, OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _shown(counts: list[int]) -> str:
    return ", ".join(map(str, counts))
