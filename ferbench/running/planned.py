"""What a plan is: the cells of a run, in an order in which they can be trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ferbench.data.stored import Loaded
from ferbench.nouns.suite import RunSettings, Suite


@dataclass(frozen=True)
class Skipped:
    """A combination that does not fit, and why."""

    what: str
    why: str


@dataclass(frozen=True)
class PlannedCell:
    """A cell to train: its id, what goes into ``cell.json``, and the ids of required cells."""

    id: str
    label: str
    record: dict[str, Any]
    requires: tuple[str, ...]
    network: bool


@dataclass(frozen=True)
class Plan:
    """All cells of a run in an order in which they can be trained."""

    suite: Suite
    run: RunSettings
    cells: tuple[PlannedCell, ...]
    skipped: tuple[Skipped, ...]
    tables: dict[str, Loaded] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """Names of the suite's rows by row id, where it has any; one row may have several."""
