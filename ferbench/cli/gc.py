"""``ferbench gc``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Keep(StrEnum):
    """Which weights stay."""

    ranked = "ranked"
    none = "none"


def gc(
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("ferbench-runs"),
    keep: Annotated[Keep, typer.Option(help="Keep the chosen weights of ranked rows, or none.")] = Keep.ranked,
    delete: Annotated[bool, typer.Option("--delete", help="Do it; without, only say what would be freed.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print facts as JSON.")] = False,
) -> None:
    """Free disk space. Predictions and metrics always stay; weights go by the policy.

    Examples:

        ferbench gc

        ferbench gc --keep none --delete
    """
    from ferbench.store.cleaning import free, to_free
    from ferbench.store.store import Store

    items = to_free(Store(out), keep.value)
    total = sum(item.size for item in items)
    if delete:
        free(items)
    if json:
        from json import dumps

        files = [{"path": str(item.path), "why": item.why, "bytes": item.size} for item in items]
        typer.echo(dumps({"deleted": delete, "bytes": total, "items": files}, indent=1))
        return
    for item in items:
        typer.echo(f"{item.size / 1e6:9.1f} MB  {item.path.relative_to(out)}  {item.why}")
    if delete:
        typer.echo(f"Freed {total / 1e6:.1f} MB.")
    else:
        typer.echo(f"{total / 1e6:.1f} MB would be freed; add --delete to do it." if items else "Nothing to free.")
