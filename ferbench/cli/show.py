"""``ferbench show``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ferbench.nouns.model import Model
    from ferbench.nouns.paper import Paper
    from ferbench.plugins import Installed, Kind

KINDS: tuple[Kind, ...] = ("models", "datasets", "samplers", "metrics", "suites")


def show(
    name: Annotated[str, typer.Argument(help="A model, data set, sampler, metric, suite or weights.")],
    plugin: Annotated[list[Path] | None, typer.Option(help="A plugin in a single Python file.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print facts as JSON.")] = False,
) -> None:
    """Show one thing in full: citation, protocols or recipe, parameters, reported results.

    Examples:

        ferbench show small-cnn

        ferbench show fer2013 --json

        ferbench show my-method --plugin my_method.py
    """
    from ferbench.cli import weights
    from ferbench.errors import UnknownNameError, did_you_mean
    from ferbench.plugins import discover

    installed = discover(files=plugin or ())
    trained = {item.name: item for item in weights.found(installed)}
    things = [_facts(installed, kind, name) for kind in KINDS if _has(installed, kind, name)]
    things += [weights.facts(installed, trained[name])] if name in trained else []
    if not things:
        _ask_family(installed, name)
        known = [*trained, *(each for kind in KINDS for each in installed.names(kind))]
        raise UnknownNameError(f"Nothing here is called {name!r}.{did_you_mean(name, known)} See `ferbench list`.")
    if json:
        from json import dumps

        typer.echo(dumps(things[0], indent=1, default=str))  # a data set comes before a suite of its name
        return
    for facts in things:
        _print(facts)


def _has(installed: Installed, kind: Kind, name: str) -> bool:
    if name in installed.names(kind):
        return True
    if ":" not in name:
        return False
    from ferbench.errors import UnknownNameError

    try:
        installed.expand(kind, [name])
    except UnknownNameError:
        return False
    return True


def _ask_family(installed: Installed, name: str) -> None:
    """Let the family to which ``name`` would belong say what is wrong with it. Raises UnknownNameError."""
    prefix = name.partition(":")[0]
    for kind in KINDS:
        if ":" in name and any(family.prefix == prefix for family in installed.families(kind)):
            installed.expand(kind, [name])


def _facts(installed: Installed, kind: Kind, name: str) -> dict[str, Any]:
    from ferbench.nouns.sampler import reads_of

    plugin = installed.plugin_of(kind, name)
    if kind == "models":
        return _model(installed, name)
    if kind == "datasets":
        return _dataset(installed, name)
    if kind == "suites":
        return {"name": name, "kind": "suite", "plugin": plugin.name, **installed.suite(name).model_dump(mode="json")}
    thing: Any = installed.sampler(name) if kind == "samplers" else installed.metric(name)
    facts = {"name": name, "kind": kind.removesuffix("s"), "plugin": plugin.name, "description": thing.description}
    if kind == "metrics":
        facts |= {"tasks": list(thing.tasks), "values": thing.kind, "higher_is_better": thing.higher_is_better}
    else:
        reads = [asdict(each) for each in reads_of(thing, thing.options)]
        facts |= {"options": thing.options.model_dump(mode="json"), "requires": _requires(thing), "reads": reads}
    return facts | {"paper": asdict(thing.paper) if thing.paper else None}


def _model(installed: Installed, name: str) -> dict[str, Any]:
    from ferbench.evaluating.counting import reference_counts

    model, plugin = installed.model(name), installed.plugin_of("models", name)
    spec = model.reference
    recipe = model.recipe.model_dump(mode="json")
    return {
        "name": model.full_name,
        "kind": "model",
        "plugin": plugin.name,
        "description": model.description,
        "inputs": {"names": list(model.inputs), "channels": spec.channels, "size": spec.size, "classes": spec.classes},
        **reference_counts(model, plugin.source_hash),
        "recipe": recipe if model.build is not None else {} if model.raw else {"input": recipe["input"]},
        "options": model.options.model_dump(mode="json"),
        "search_space": {key: asdict(value) for key, value in model.search_space.items()},
        "reported": [asdict(item) for item in model.reported],
        "requires": _requires(model),
        "fits": "val" if model.fits == "val" else "",
        "tasks": list(model.tasks),
        "tags": sorted(model.tags),
        "extra_data": model.extra_data,
        **(_finished(model) if model.predictor is not None else {}),
        "paper": asdict(model.paper) if model.paper else None,
    }


def _requires(item: Any) -> dict[str, Any]:
    """What it requires with its own options: a name, or more where a name does not say everything."""
    from ferbench.nouns.requirement import requirements_of

    found = {role: needed.as_dict() for role, needed in requirements_of(item, item.options).items()}
    return {role: plain["model"] if len(plain) == 1 else plain for role, plain in found.items()}


def _finished(model: Model) -> dict[str, Any]:
    """What is known of a model that is not trained here."""
    from ferbench.data.weights import how_to_get, packaged_file, status_of

    states = {}
    for each in model.weights:
        there = packaged_file(each) is not None if each.packaged else status_of(each.name).state == "registered"
        states[each.name] = "there" if there else how_to_get(each.name, each)
    return {
        "trained": "no: a finished model",
        "classes": list(model.classes),
        "pictures": "as they are stored" if model.raw else "prepared as the recipe's input says",
        "weights": states,
        "trained_on": ", ".join(each.trained_on for each in model.weights),
        "packages": dict(model.packages),
    }


def _dataset(installed: Installed, name: str) -> dict[str, Any]:
    from ferbench.data.registry import load
    from ferbench.data.summary import class_counts
    from ferbench.errors import DataError, MissingDataError
    from ferbench.nouns.emotions import canonical

    dataset = installed.dataset(name)
    protocols: dict[str, Any] = {rule.name: {"description": rule.description} for rule in dataset.protocols}
    registered, damaged = "", ""
    notes: tuple[str, ...] = ()
    try:
        loaded = load(dataset)
        registered, notes = loaded.fingerprint, loaded.notes
        for rule in dataset.protocols:
            if rule.name in loaded.protocols:
                protocols[rule.name] |= class_counts(loaded, rule)
    except MissingDataError:
        pass  # the protocols are shown without counts, and `registered` is empty
    except DataError as error:
        damaged = str(error)
    return {
        "name": name,
        "kind": "dataset",
        "plugin": installed.plugin_of("datasets", name).name,
        "description": dataset.description,
        "task": dataset.task,
        "modality": dataset.modality,
        "classes": list(dataset.classes),
        "canonical": {own: canonical(own) for own in dataset.classes if own != canonical(own)},
        "registered": registered,
        "damaged": damaged,
        "notes": " ".join(notes),
        "protocols": protocols,
        "synthetic": dataset.synthetic,
        "made_of": {base.name: _cited(base.paper) or "no citation" for base in dataset.bases},
        "licence": dataset.licence,
        "how_to_get": dataset.how_to_get,
        "paper": asdict(dataset.paper) if dataset.paper else None,
    }


def _cited(paper: Paper | None) -> str:
    if paper is None:
        return ""
    return f"{paper.authors} ({paper.year}). {paper.title}. {paper.url}".rstrip()


def _print(facts: dict[str, Any]) -> None:
    plugin = f", plugin {facts['plugin']}" if facts.get("plugin") else ""
    typer.secho(f"{facts['name']}  ({facts['kind']}{plugin})", bold=True)
    if facts.get("description"):
        typer.echo(facts["description"])
    paper = facts.get("paper")
    if paper:
        typer.echo(f"{paper['authors']} ({paper['year']}). {paper['title']}. {paper['url']}".rstrip())
    for key, value in facts.items():
        if key in ("name", "kind", "plugin", "description", "paper") or value in (None, "", [], {}):
            continue
        _print_value(key, value, 1)


def _print_value(key: str, value: Any, depth: int) -> None:
    pad = "  " * depth
    if isinstance(value, dict):
        if not value:
            return
        typer.echo(f"{pad}{key}:")
        for inner, item in value.items():
            _print_value(inner, item, depth + 1)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        typer.echo(f"{pad}{key}:")
        for item in value:
            shown = ", ".join(f"{k} {v}" for k, v in item.items() if v not in (None, "", 0, [], {}))
            typer.echo(f"{pad}  - {shown}")
    elif isinstance(value, list | tuple):
        typer.echo(f"{pad}{key}: {', '.join(map(str, value))}")
    elif isinstance(value, int) and not isinstance(value, bool) and value >= 10_000:
        typer.echo(f"{pad}{key}: {value:,}")
    elif isinstance(value, float):
        typer.echo(f"{pad}{key}: {value:.6g}")
    else:
        typer.echo(f"{pad}{key}: {value}")
