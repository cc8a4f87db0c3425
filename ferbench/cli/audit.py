"""``ferbench data audit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def audit(
    name: Annotated[str, typer.Argument(help="NAME or NAME@PROTOCOL.")],
    html: Annotated[Path | None, typer.Option(help="HTML page to write, with figures and a contact sheet.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of results whose leaderboard shall show it.")] = None,
    private_pictures: Annotated[
        bool, typer.Option("--private-pictures", help="Show pictures that may not be published; the page says so.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Audit again although the kept audit is of these data.")
    ] = False,
    plugin: Annotated[list[Path] | None, typer.Option(help="A plugin in a single Python file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all facts as JSON.")] = False,
) -> None:
    """Look for copies, leaks, near-duplicates, outliers and doubtful labels in a data set.

    The audit is kept beside the registered data, and shown under the leaderboard of every later run on them.

    Examples:

        ferbench data audit demo --html audit.html

        ferbench data audit fer2013@official --out ferbench-runs --json
    """
    from ferbench.auditing.keeping import join_results, kept_or_made
    from ferbench.auditing.wording import lines
    from ferbench.data.registry import load
    from ferbench.evaluating.setup import find_protocol
    from ferbench.nouns.dataset import split_protocol
    from ferbench.plugins import discover
    from ferbench.store.store import Store

    store = None if out is None else Store(out)
    dataset_name, protocol = split_protocol(name)
    dataset = discover(files=plugin or ()).dataset(dataset_name)
    rule, loaded = find_protocol(dataset, protocol), load(dataset)
    facts = kept_or_made(loaded, rule, lambda text: typer.echo(text, err=True), fresh)
    if html is not None:
        from ferbench.auditing.page import page_of
        from ferbench.store.files import write_text

        write_text(html, page_of(facts, loaded, private_pictures))
    if store is not None:
        join_results(loaded, store)
    if json:
        from json import dumps

        typer.echo(dumps(facts, indent=1, ensure_ascii=False))
        return
    typer.echo("\n".join(lines(facts)))
    if html is not None:
        typer.echo(f"Page written to {html}.")
        if private_pictures and not dataset.public:
            typer.secho(f"Pictures of {dataset_name} may not be published: keep this page to yourself.", fg="yellow")
