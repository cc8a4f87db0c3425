"""Row keys and cell ids: two trainings have the same id exactly when they should give the same result.

What runs a cell (device, threads, versions) is its environment: recorded beside it, and no part of its identity.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

ENGINE_VERSION = 2
"""Raised when a golden test of the engine changes: older cells are then trained anew."""


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no blanks; numbers in their shortest form that reads back the same.

    Raises TypeError for anything that JSON cannot hold and ValueError for not-a-number, so that no id ever depends on
    how an object prints itself.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def digest(value: Any) -> str:
    """Twenty hexadecimal digits (80 bits) of SHA-256 over the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:20]


@dataclass(frozen=True)
class RowKey:
    """Everything that the cells of one row of the leaderboard have in common.

    ``division`` is a digest of the ids and targets on each side of every fold: a protocol that divides otherwise is
    another row. ``recipe`` is plain data, after suite, ``--epochs`` and ``--set``, before any rule of a device.
    ``weights`` maps names of initial weights to their SHA-256. ``limit`` is ``--limit``:
    a number of training samples, or a share below 1. ``small``: under the model's small settings. ``inner``: (folds,
    fold) where one part of the training side is held out for out-of-fold scores, the outer one first. ``requires`` maps
    roles to the ids of the rows that it needs. ``reads``: fingerprints of data sets that the sampler reads, by name.
    """

    dataset: str
    fingerprint: str
    protocol: str
    sampler: str
    model: str
    variant: str = ""
    division: str = ""
    sampler_options: Mapping[str, Any] = field(default_factory=dict)
    model_options: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    limit: int | float | None = None
    small: bool = False
    inner: tuple[tuple[int, int], ...] = ()
    requires: Mapping[str, str] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for ``cell.json``; ``inner``, ``requires`` and ``reads`` only where there are some."""
        plain = asdict(self) | {"inner": [list(part) for part in self.inner]}
        return {key: value for key, value in plain.items() if value or key not in ("inner", "requires", "reads")}

    @property
    def id(self) -> str:
        """The row's id."""
        return digest(self.as_dict())


def with_options(name: str, options: Mapping[str, Any], shown: Sequence[str]) -> str:
    """A name for people, and those of its options that are to be shown: ``smote (space=features)``."""
    parts = [f"{key}={options[key]}" for key in shown if key in options]
    return f"{name} ({', '.join(parts)})" if parts else name


def cell_id(
    row: RowKey,
    seed: int,
    fold: int,
    requires: Mapping[str, str],
    sources: Mapping[str, str],
    engine: int = ENGINE_VERSION,
) -> str:
    """Return the id of one training.

    ``requires`` maps roles to the ids of required cells, ``sources`` the plugins of model and sampler to the hash of
    their source; ``engine`` is the version of the engine that trains it.
    """
    return digest(
        {
            "row": row.as_dict(),
            "seed": seed,
            "fold": fold,
            "requires": dict(requires),
            "sources": dict(sources),
            "engine": engine,
        }
    )
