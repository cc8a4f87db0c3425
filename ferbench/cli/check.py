"""``ferbench check``."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ferbench.checking.report import Finding

SIGNS = {"pass": ("✓", "green"), "note": ("·", "yellow"), "skip": ("-", "bright_black"), "fail": ("✗", "red")}
SINGULAR = {"datasets": "data set", "models": "model", "samplers": "sampler", "metrics": "metric", "suites": "suite"}


class Effort(StrEnum):
    """How large networks may be when they are trained for a moment."""

    quick = "quick"
    normal = "normal"
    full = "full"


def check(
    package: Annotated[
        str | None,
        typer.Argument(
            metavar="[PACKAGE|FILE]",
            help="A package, a plugin's name, a package's folder, or a Python file (default: this folder's package).",
        ),
    ] = None,
    effort: Annotated[
        Effort,
        typer.Option(
            help="Networks above 0.1 (quick) or 1 GFLOP (normal) are tried with their small settings or on smaller "
            "pictures; full: none is."
        ),
    ] = Effort.normal,
    json: Annotated[bool, typer.Option("--json", help="Print an array of objects.")] = False,
) -> None:
    """Check that a plugin keeps what it promises: models, data sets, samplers, metrics and suites.

    Exit code 0: all is well; 1: a check failed. `pytest --ferbench` does the same, a test for each check.

    Examples:

        ferbench check

        ferbench check mymethod.py

        ferbench check ferbench-demo --effort quick --json
    """
    from ferbench.checking.kit import Kit
    from ferbench.checking.report import counted
    from ferbench.checking.target import find_targets

    targets = find_targets(package)
    findings: list[Finding] = []
    with Kit(effort.value) as kit:
        for target in targets:
            for finding in kit.findings(target):
                if not json:
                    _show(finding, findings[-1] if findings else None)
                findings.append(finding)
    if json:
        from json import dumps

        typer.echo(dumps([asdict(finding) for finding in findings], indent=1))
    else:
        words = {"pass": "passed", "fail": "failed", "note": "noted", "skip": "skipped"}
        typer.echo(f"\n{', '.join(f'{number} {words[state]}' for state, number in counted(findings))}")
    raise typer.Exit(1 if any(finding.state == "fail" for finding in findings) else 0)


def _show(finding: Finding, before: Finding | None) -> None:
    if before is None or (before.kind, before.name) != (finding.kind, finding.name):
        typer.secho(f"{SINGULAR.get(finding.kind, finding.kind)} {finding.name}", bold=True)
    sign, colour = SIGNS[finding.state]
    typer.secho(f"  {sign} ", fg=colour, nl=False)
    typer.echo(f"{finding.what}{': ' if finding.detail else ''}{finding.detail}")
    if finding.mend and finding.state in ("fail", "note"):
        typer.echo(f"      {finding.mend}")
