"""What MLflow is told, as plain data: a run of ours, a row of the table, or a cell."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

Content = Path | str | Callable[[], bytes]
"""What a file holds: another file, a text, or what a function makes of it once it is needed."""
Kind = Literal["run", "result", "cell"]
Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]

DIGITS = 4
MAX_TEXT = 5000
KEY_TAG, KIND_TAG, DIGEST_TAG, STORE_TAG = "ferbench.key", "ferbench.kind", "ferbench.digest", "ferbench.store"


@dataclass(frozen=True)
class Point:
    """One value of a metric; ``time`` in milliseconds since 1970 (None: when it is written)."""

    key: str
    value: float
    step: int = 0
    time: int | None = None


@dataclass(frozen=True)
class Entry:
    """One run in MLflow's sense. ``key`` tells it from all others of a store, ``parent`` is the key of its parent.

    ``start`` and ``end`` are milliseconds since 1970. ``files``: what is attached, by its path there.
    """

    key: str
    kind: Kind
    name: str
    status: Status
    start: int
    end: int | None = None
    parent: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    points: tuple[Point, ...] = ()
    files: Mapping[str, Content] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Changes with everything that MLflow is told; of files, texts alone count: others change with ``end``."""
        told = [self.name, self.status, self.start, self.end, self.tags, self.params, self.points_text]
        told.append({name: file if isinstance(file, str) else "" for name, file in self.files.items()})
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:20]

    @property
    def points_text(self) -> list[str]:
        """The points as text, in which not-a-number equals itself."""
        return [f"{point.key} {point.step} {point.value!r}" for point in self.points]


def milliseconds(text: object) -> int:
    """Milliseconds since 1970 of an ISO time; 0 for none."""
    return int(datetime.fromisoformat(str(text)).timestamp() * 1000) if text else 0


def rounded(value: float) -> float:
    """Four decimals; more for what is smaller than they show."""
    if not math.isfinite(value) or abs(value) >= 0.1 or value == 0:
        return round(value, DIGITS)
    return float(f"{value:.3g}") if abs(value) < 0.001 else round(value, DIGITS)


def clean(name: str) -> str:
    """A key that MLflow takes."""
    return re.sub(r"[^\w\-. :/]", "_", name)[:250]


def flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Nested settings as dotted keys and texts; lists of plain values stay one text, and None is left out."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value):
        for place, inner in enumerate(value):
            yield from flat(inner, f"{name}.{place}")
    elif isinstance(value, list | tuple):
        if value:
            yield clean(name), ", ".join(map(str, value))[:MAX_TEXT]
    elif value is not None:
        yield clean(name), str(value)[:MAX_TEXT]
