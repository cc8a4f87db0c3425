"""The finished table, as every format shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ferbench.nouns.metric import Metric

Record = dict[str, Any]

QUICK = "quick"
"""The kind of a row that was trained in a script or notebook; it is in no store, and has no rank."""


@dataclass(frozen=True)
class Failure:
    """A cell without a result, and why."""

    cell: str
    label: str
    cause: str


@dataclass(frozen=True)
class Block:
    """Rows that may be compared with each other: same data, same test samples, same share of the training data.

    ``metrics``: those that apply to its task, the one that ranks first. ``rows``: measured rows, best first, then
    reported ones. ``floors``: names of the models that are floors. ``data``: facts of its data by protocol.
    """

    title: str
    dataset: str
    protocols: tuple[str, ...]
    metrics: tuple[Metric, ...]
    rows: tuple[Record, ...]
    captions: tuple[str, ...] = ()
    floors: tuple[str, ...] = ()
    attribute: str = ""
    data: tuple[Record, ...] = ()


@dataclass(frozen=True)
class Leaderboard:
    """A table in blocks. ``columns`` are keys of every row, ``captions`` what holds for all blocks.

    Beside its columns each row has ``row_id``, by which its cells are found: empty for a reported one.
    """

    title: str
    columns: tuple[str, ...]
    metrics: tuple[Metric, ...]
    blocks: tuple[Block, ...]
    failures: tuple[Failure, ...] = ()
    captions: tuple[str, ...] = ()

    @property
    def rows(self) -> list[Record]:
        """All rows, block by block."""
        return [row for block in self.blocks for row in block.rows]
