"""``ferbench list``."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from ferbench.nouns.family import Family
    from ferbench.plugins import Installed
    from ferbench.plugins import Kind as PluginKind


class Kind(StrEnum):
    """What can be listed."""

    datasets = "datasets"
    models = "models"
    samplers = "samplers"
    metrics = "metrics"
    suites = "suites"
    plugins = "plugins"


def list_things(
    kind: Annotated[Kind | None, typer.Argument(help="What to list (default: everything).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print an array of objects.")] = False,
) -> None:
    """List what is installed.

    Examples:

        ferbench list models

        ferbench list plugins --json
    """
    from ferbench.plugins import discover

    installed = discover()
    kinds = [kind] if kind else list(Kind)
    listed = {each.value: facts(installed, each.value) for each in kinds}
    if json:
        from json import dumps

        rows = [{"kind": name, **row} for name, rows in listed.items() for row in rows]
        typer.echo(dumps(rows, indent=1))
        return
    for name, rows in listed.items():
        typer.secho(name, bold=True)
        width = max((len(str(row["name"])) for row in rows), default=0)
        second = max((len(_second(row)) for row in rows), default=0)
        for row in rows:
            package = f"{row['package']} {row['version']}" if name == Kind.plugins else ""
            tail = row.get("cause") or row.get("description") or package
            typer.echo(f"  {row['name']:<{width}}  {_second(row):<{second}}  {tail}".rstrip())


def _second(row: dict[str, Any]) -> str:
    return str(row.get("state", row.get("plugin")))


def facts(installed: Installed, kind: str) -> list[dict[str, Any]]:
    """One object per installed thing of ``kind``; every variant of a model is listed, and families by their form."""
    if kind == "plugins":
        return [
            {
                "name": info.name,
                "state": info.state,
                "package": info.package,
                "version": info.version,
                "source_hash": info.source_hash,
                "location": info.location,
                "cause": info.cause,
            }
            for info in installed.plugins
        ]
    noun = cast("PluginKind", kind)
    find = {
        "datasets": installed.dataset,
        "models": installed.model,
        "samplers": installed.sampler,
        "metrics": installed.metric,
        "suites": installed.suite,
    }[kind]
    rows = []
    for name in installed.names(noun):
        thing: Any = find(name)
        row = {"name": name, "plugin": installed.plugin_of(noun, name).name, "description": thing.description}
        if kind == "models":
            row |= {"variant": thing.variant, "tags": sorted(thing.tags), "modality": thing.modality}
        if kind == "datasets":
            row |= {"protocols": [rule.name for rule in thing.protocols], "synthetic": thing.synthetic}
        rows.append(row)
    return rows + [_family(installed, noun, family) for family in installed.families(noun)]


def _family(installed: Installed, kind: PluginKind, family: Family) -> dict[str, Any]:
    """What is known of a family: the form of its names, and examples."""
    form, examples = f"{family.prefix}:NAME", [f"{family.prefix}:{argument}" for argument in family.examples]
    shown = f" For example {', '.join(examples)}." if examples else ""
    plugin = installed.plugin_of(kind, f"{family.prefix}:").name
    description = f"{family.description.removesuffix('.')}.{shown}"
    return {"name": form, "plugin": plugin, "description": description, "examples": examples}
