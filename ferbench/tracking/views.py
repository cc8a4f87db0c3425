"""The ranked view of an experiment and its note: what a person sees first in MLflow's pages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ferbench.nouns.metric import Metric
from ferbench.reporting.board import Leaderboard
from ferbench.reporting.formats import to_markdown
from ferbench.tracking.entry import clean

VIEW = "leaderboard"
NOTE_CHARACTERS = 4900
CUT = "\n\n(cut here: the run's artifact `leaderboard.md` has all of it)\n"
OTHER_METRICS = 2
FIRST_COLUMNS = ("0", "attributes.`Run Name`")
LAST_COLUMNS = ("runDateAndNestInfo", "duration")
WIDTHS = {"attributes.`Run Name`": 330, "tags.`interval`": 130, "tags.`notes`": 320}


def experiment_tags(board: Leaderboard, run: Mapping[str, Any], time: int) -> dict[str, str]:
    """Tags of the experiment that hold its note and its ranked view. ``time``: milliseconds since 1970."""
    return {"mlflow.note.content": note(board), f"mlflow.sharedViewState.{VIEW}": view(board, str(run["id"]), time)}


def note(board: Leaderboard) -> str:
    """The leaderboard as Markdown. MLflow shows a closed note up to its first heading, so that one is short."""
    text = f"# Leaderboard\n\n{to_markdown(board).removeprefix('# Leaderboard: ')}"
    if len(text) <= NOTE_CHARACTERS:
        return text
    return text[: NOTE_CHARACTERS - len(CUT)].rpartition("\n")[0] + CUT


def view(board: Leaderboard, run_id: str, time: int) -> str:
    """The state of MLflow's table of runs: the rows of one run of ferbench, best first.

    MLflow does not document this format; a version that no longer reads it shows its plain table.
    """
    metrics = board.metrics
    columns = columns_of(metrics)
    state = {
        "searchFilter": f"tags.`ferbench.kind` = 'result' and tags.`ferbench.run` = '{run_id}'",
        "orderByKey": f"metrics.`{clean(metrics[0].name)}`" if metrics else "attributes.start_time",
        "orderByAsc": bool(metrics) and not metrics[0].higher_is_better,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": columns,
        "columnOrder": [*FIRST_COLUMNS, *columns, *LAST_COLUMNS],
        "columnWidths": {**dict.fromkeys(columns, 110), **WIDTHS},
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
    }
    return json.dumps({"name": VIEW, "createdAt": time, "updatedAt": time, "state": json.dumps(state)})


def columns_of(metrics: Sequence[Metric]) -> list[str]:
    """Columns of the ranked view: scores, cost, interval, claim and notes."""
    scores = [clean(metric.name) for metric in metrics[: 1 + OTHER_METRICS]]
    spread = [f"metrics.`{scores[0]} sd`", "tags.`interval`"] if scores else []
    ranked, *others = [f"metrics.`{name}`" for name in (*scores, "train_seconds")]
    return [ranked, *spread, *others, "tags.`paper`", "tags.`notes`"]


def link(address: str, experiment: str, start: str = "/") -> str:
    """Where a browser finds the ranked view; ``start``: the page that it opens first."""
    query = f"workflowType=machine_learning&viewStateShareKey={VIEW}"
    return f"{address.rstrip('/')}{start}#/experiments/{experiment}/runs?{query}"
