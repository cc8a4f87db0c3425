"""``ferbench doctor``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

SIGNS = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "fail": ("✗", "red")}


def doctor(
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("ferbench-runs"),
    json: Annotated[bool, typer.Option("--json", help="Print an array of objects.")] = False,
) -> None:
    """Look for what would stop a run, and say how to mend it.

    Example:

        ferbench doctor
    """
    from ferbench.running.checkup import examine

    findings = []
    for finding in examine(out):
        findings.append(finding)
        if json:
            continue
        sign, colour = SIGNS[finding.state]
        typer.secho(f"{sign} ", fg=colour, nl=False)
        typer.echo(f"{finding.what}: {finding.detail}")
        if finding.mend:
            typer.echo(f"    {finding.mend}")
    if json:
        from json import dumps

        typer.echo(dumps([asdict(finding) for finding in findings], indent=1))
    raise typer.Exit(1 if any(finding.state == "fail" for finding in findings) else 0)
