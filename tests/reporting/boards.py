"""Leaderboards of made-up stores, and how to look rows up in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ferbench.builtin.metrics import metrics
from ferbench.reporting.board import Leaderboard
from ferbench.reporting.leaderboard import build

if TYPE_CHECKING:
    from tests.reporting.conftest import OutFolder

METRICS = {metric.name: metric for metric in metrics()}
USUAL = [METRICS[name] for name in ("accuracy", "balanced-accuracy", "macro-f1")]


def board(out: OutFolder, **more: Any) -> Leaderboard:
    """The leaderboard of one folder, by the usual metrics unless others are given."""
    return build([out.out], more.pop("metrics", USUAL), **more)


def by_model(found: Leaderboard, kind: str = "measured") -> dict[str, dict[str, Any]]:
    """Rows of one kind by the name of their model."""
    return {row["model"]: row for row in found.rows if row["kind"] == kind}
