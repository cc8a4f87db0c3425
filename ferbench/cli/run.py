"""``ferbench run``."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

EXAMPLES = """Train and evaluate every combination of a suite, and print the leaderboard.

Examples:

    ferbench run --suite demo

    ferbench run --suite fer2013 -m small-cnn --epochs 10 --seeds 2

    ferbench run --suite fer2013 -m small-cnn --set recipe.optimizer.lr=0.05 --dry-run
"""


def run(
    suite: Annotated[str, typer.Option(help="Name of a suite, or a TOML file.")],
    dataset: Annotated[list[str] | None, typer.Option("-d", "--dataset", help="NAME or NAME@PROTOCOL.")] = None,
    model: Annotated[list[str] | None, typer.Option("-m", "--model", help="NAME, tag:TAG or *.")] = None,
    sampler: Annotated[list[str] | None, typer.Option("-s", "--sampler", help="NAME, tag:TAG or *.")] = None,
    seeds: Annotated[str | None, typer.Option(help="3 means 0, 1, 2; 0,7 those two; '7,' that one.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of every network; milestones rescale.")] = None,
    limit: Annotated[
        str | None, typer.Option(help="So many training samples, or a share (0.1), drawn by class; marked.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE or MODEL:KEY=VALUE.", metavar="KEY=VALUE")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("ferbench-runs"),
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:1.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Cells at a time; CPU threads are divided.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Train again what is already done.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done, and how long.")] = False,
    plugin: Annotated[list[Path] | None, typer.Option(help="A plugin in a single Python file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print facts as JSON.")] = False,
) -> None:
    from rich.console import Console

    from ferbench.running.api import Run
    from ferbench.running.request import Request
    from ferbench.suites import parse_limit, parse_override, parse_seeds

    request = Request(
        suite=suite,
        datasets=tuple(dataset or ()),
        models=tuple(model or ()),
        samplers=tuple(sampler or ()),
        seeds=parse_seeds(seeds) if seeds else (),
        epochs=epochs,
        limit=parse_limit(limit) if limit else None,
        overrides=tuple(parse_override(text) for text in set_ or ()),
        out=out,
        device=device,
        jobs=jobs,
        fresh=fresh,
        plugins=tuple(plugin or ()),
    )
    command = shlex.join(["ferbench", *sys.argv[1:]])
    task = Run(request, Console(stderr=True, markup=False, highlight=False), command)
    if dry_run:
        _print_plan(task.dry_run(), json)
        return
    result = task.execute()
    from ferbench.cli.leaderboard import print_table

    print_table(result.leaderboard, "json" if json else "table")
    if not json:
        typer.echo(f"Written to {result.out / 'leaderboard.csv'} and .md; run {result.run_id}.")
    sys.exit(1 if result.failed or result.faults else 0)


run.__doc__ = EXAMPLES


def _print_plan(facts: dict[str, object], as_json: bool) -> None:
    from json import dumps

    from ferbench.running.view import counted, duration

    if as_json:
        typer.echo(dumps(facts, indent=1))
        return
    cells = facts["cells"]
    assert isinstance(cells, list)
    for line in _tree(cells):
        typer.echo(line)
    for key, word in (("skipped", "skipped"), ("warnings", "warning")):
        items = facts[key]
        assert isinstance(items, list)
        for item in items:
            typer.echo(f"{word}: " + (item if isinstance(item, str) else f"{item['what']}: {item['why']}"))
    todo = sum(not cell["done"] for cell in cells)
    hours, unknown = facts["estimated_hours"], facts["cells_not_estimated"]
    assert isinstance(hours, float | int) and isinstance(unknown, int)
    time = f", about {duration(hours * 3600)}" if hours else ", time unknown" if unknown else ""
    extra = f", and {counted(unknown, 'cell')} that cannot be timed beforehand" if hours and unknown else ""
    typer.echo(f"{counted(len(cells), 'cell')}, {todo} to do{time}{extra}.")


def _tree(cells: list[dict[str, Any]]) -> Iterator[str]:
    """A line a cell; below it, indented, what it requires, in full where it is first named."""
    known = {cell["id"]: cell for cell in cells}
    needed = {key for cell in cells for key in cell["requires"]}
    shown: set[str] = set()

    def _lines(key: str, role: str, depth: int) -> Iterator[str]:
        cell, again = known[key], key in shown
        shown.add(key)
        state = "done" if cell["done"] else "to do"
        branch = f"{'   ' * (depth - 1)}└─ {role}: " if depth else ""
        more = "  (see above)" if again and cell["requires"] else ""
        yield f"{key[:8]}  {state:5}  {branch}{cell['label']}{more}"
        for inner, below in cell["roles"].items() if not again else ():
            yield from _lines(below, inner, depth + 1)

    for cell in cells:
        if cell["id"] not in needed:
            yield from _lines(cell["id"], "", 0)
