"""``ferbench ensemble``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ferbench.running.ensemble_plan import PlannedEnsemble


class HowJoined(StrEnum):
    """Rules by which scores are joined."""

    mean = "mean"
    logit = "logit"
    vote = "vote"
    class_tree = "class-tree"


class HowDifferent(StrEnum):
    """Measures of how members differ."""

    disagreement = "disagreement"
    double_fault = "double-fault"


def ensemble(
    members: Annotated[list[str], typer.Argument(help="Models or named rows of the run, or beginnings of cell ids.")],
    rule: Annotated[HowJoined, typer.Option(help="How scores are joined.")] = HowJoined.mean,
    choose: Annotated[int, typer.Option(min=0, help="Take so many members, greedily, on val (0: all).")] = 0,
    diversity: Annotated[HowDifferent | None, typer.Option(help="Choose those that differ most on val.")] = None,
    weights: Annotated[bool, typer.Option("--weights", help="Fit the members' shares on val (rule mean).")] = False,
    name: Annotated[str, typer.Option(help="What the row is called (default: ensemble-RULE).")] = "",
    dataset: Annotated[
        str, typer.Option("-d", "--dataset", help="NAME or NAME@PROTOCOL, where rows have several.")
    ] = "",
    run: Annotated[str | None, typer.Option(help="The run whose rows are meant (default: the latest).")] = None,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("ferbench-runs"),
    plugin: Annotated[list[Path] | None, typer.Option(help="A plugin in a single Python file.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which cells would be joined.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print facts as JSON.")] = False,
) -> None:
    """Join stored predictions of finished rows into a row of their own. Nothing is trained; val chooses, test reports.

    Examples:

        ferbench ensemble small-cnn logistic-regression knn

        ferbench ensemble small-cnn logistic-regression knn --rule class-tree

        ferbench ensemble 3f2a 91bc 07de --choose 2 --diversity double-fault --json
    """
    from json import dumps

    from ferbench.cli.leaderboard import print_table
    from ferbench.plugins import discover
    from ferbench.reporting.formats import write
    from ferbench.running.api import make_leaderboard
    from ferbench.running.ensemble_plan import Asked, plan_ensemble
    from ferbench.running.ensembles import make_ensemble

    installed = discover(files=plugin or ())
    asked = Asked(rule.value, choose, diversity.value if diversity else None, weights, name)
    planned = plan_ensemble(out, members, asked, installed, dataset, run)
    if dry_run:
        _print_plan(planned, json)
        return
    found = make_ensemble(out, planned, installed)
    table = make_leaderboard([out], installed)
    write(table, out)
    if json:
        typer.echo(dumps(found, indent=1))
        return
    print_table(table, "table")
    for line in _lines(found):
        typer.echo(line)


def _print_plan(planned: PlannedEnsemble, as_json: bool) -> None:
    from json import dumps

    cells = {key: [cell.id for cell in joins] for key, joins in planned.cells.items()}
    if as_json:
        typer.echo(dumps({"name": planned.asked.row_name, "rule": planned.asked.rule, "cells": cells}, indent=1))
        return
    for key, joins in planned.cells.items():
        typer.echo(f"{key[:8]}  {planned.records[key]['label']}")
        for cell in joins:
            typer.echo(f"{cell.id[:8]}  └─ {cell.record['label']}")


def _lines(found: dict[str, Any]) -> list[str]:
    """The ensemble beside each member, and the paired test against the best of them."""
    rows = {**found["members"], found["name"]: found}
    width = max(len(name) for name in rows)
    lines = ["", f"{found['metric']} on val and test, over the joined cells:"]
    for name, row in rows.items():
        best = "  (best on val)" if name == found["best_member"] else ""
        lines.append(f"  {name:{width}}  {_number(row['val'])}  {_number(row['test'])}{best}")
    gap = found["difference"]
    if gap:
        lines.append(
            f"Against {found['best_member']}: {gap['value']:+.4f} on test "
            f"[{gap['ci_low']:+.4f}, {gap['ci_high']:+.4f}], p = {gap['p']:.2g} (paired bootstrap)."
        )
    return lines


def _number(value: float | None) -> str:
    return "     –" if value is None else f"{value:.4f}"
