"""``ferbench diff``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def diff(
    a: Annotated[str, typer.Argument(help="Beginning of a cell's id.")],
    b: Annotated[str, typer.Argument(help="Beginning of another's.")],
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("ferbench-runs"),
    json: Annotated[bool, typer.Option("--json", help="Print facts as JSON.")] = False,
) -> None:
    """Say why two cells differ, or why one was trained anew.

    Example:

        ferbench diff 3f2a 91bc
    """
    from ferbench.store.comparing import differences
    from ferbench.store.store import Store

    store = Store(out)
    first, second = store.find(a), store.find(b)
    found = differences(first, second)
    if json:
        from json import dumps

        typer.echo(dumps({"a": first.id, "b": second.id, **found}, indent=1))
        return
    typer.echo(f"a  {first.id}  {first.record['label']}\nb  {second.id}  {second.record['label']}")
    for part, meaning in (("identity", "makes the ids differ"), ("environment", "is recorded, not part of the id")):
        typer.secho(f"{part} ({meaning})", bold=True)
        idle = [folder.id for folder in (first, second) if part == "environment" and not folder.environment]
        if idle:
            typer.echo(f"  not known: {' and '.join(dict.fromkeys(idle))} never ran")
            continue
        for key, (left, right) in found[part].items():
            typer.echo(f"  {key}: {left} → {right}")
        if not found[part]:
            typer.echo("  no difference")
