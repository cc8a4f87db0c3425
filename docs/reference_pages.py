"""The pages of the reference, written from what is installed: a new plugin, command or public name shows up itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import ferbench
from ferbench import Dataset, Model, Paper, Reported, Side
from ferbench.nouns.requirement import requirements_of
from ferbench.plugins import Installed, discover

MODULE = "```{py:module} ferbench\n```"
METHODS = """
Parameters and FLOPs are counted at each model's reference input. A claim is the authors' number, with its protocol and
side; `ferbench leaderboard` shows it beside what was measured.
"""
DATASETS = """
ferbench brings no data but the drawn demo, and downloads none by itself. You get a data set from its authors under its
licence, and register it with `ferbench data add NAME PATH`. Sizes stand below for data that were registered where this
page was built; `ferbench show NAME` prints yours.
"""


def write(folder: Path) -> None:
    """Write all pages into ``folder``; a page that did not change keeps its time, so that it is not built anew."""
    folder.mkdir(exist_ok=True)
    for name, text in pages(discover()).items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def pages(installed: Installed) -> dict[str, str]:
    """Markdown of every page by name."""
    return {
        "methods": methods(installed),
        "datasets": datasets(installed),
        "metrics": metrics(installed),
        "samplers": samplers(installed),
        "commands": commands(),
        "api": api(),
    }


def methods(installed: Installed) -> str:
    """Models: what is claimed for them, their size, recipe and citation."""
    from ferbench.evaluating.counting import reference_counts

    models = [installed.model(name) for name in installed.names("models")]
    rows, sections = [], []
    for model in models:
        plugin = installed.plugin_of("models", model.full_name)
        counts = reference_counts(model, plugin.source_hash)
        params = "" if counts["params"] is None else f"{counts['params']:,}"
        flops = "" if not counts["flops"] else f"{counts['flops'] / 1e9:.3g}"
        claimed = "<br>".join(_claim(item) for item in model.reported)
        rows.append([f"`{model.full_name}`", cite_short(model.paper), params, flops, claimed, model.extra_data])
        sections.append(_method(model, plugin.package or plugin.name))
    head = ["method", "paper", "parameters", "GFLOPs", "claimed", "extra data"]
    parts = ["# Methods", METHODS, table(head, rows), *families(installed, "models"), *sections]
    return _page(parts)


def _method(model: Model, package: str) -> str:
    spec, recipe = model.reference, model.recipe
    facts = [("plugin", f"`{package}`"), ("takes", f"{model.modality}, {', '.join(model.tasks)}")]
    if model.build is not None:
        facts += [
            ("counted at", f"{spec.channels} × {spec.size} × {spec.size}, {spec.classes} classes"),
            ("epochs, batch", f"{recipe.epochs}, {recipe.batch_size}"),
            ("optimizer", _settings(recipe.optimizer)),
            ("schedule", _settings(recipe.schedule)),
            ("loss", _settings(recipe.loss)),
            ("augmentation", ", ".join(_settings(item) for item in recipe.augmentation) or "none"),
            ("weights chosen by", recipe.selection),
        ]
    options = model.options.model_dump(mode="json")
    facts += [("options", ", ".join(f"`{key}` {value}" for key, value in options.items()))] if options else []
    needs = requirements_of(model, model.options)
    facts += [("requires", ", ".join(f"{role}: `{needed.model}`" for role, needed in needs.items()))]
    facts += [(f"claimed, {item.locator}", _claim(item) + _caveat(item)) for item in model.reported]
    facts += [("paper", cite(model.paper))]
    return "\n\n".join(
        [f"## {model.full_name}", _sentence(model.description), table(["", ""], [f for f in facts if f[1]])]
    )


def datasets(installed: Installed) -> str:
    """Data sets: licence, how to get them, protocols with counts where the data are on this machine, citation."""
    found = [installed.dataset(name) for name in installed.names("datasets")]
    rows = [
        [
            f"`{item.name}`",
            item.task,
            len(item.classes),
            _code(rule.name for rule in item.protocols),
            _sentence(item.licence),
            cite_short(item.paper),
        ]
        for item in found
    ]
    head = ["data set", "task", "classes", "protocols", "licence", "paper"]
    parts = ["# Data sets and licences", DATASETS, table(head, rows), *families(installed, "datasets")]
    return _page([*parts, *(_dataset(item) for item in found)])


def _dataset(dataset: Dataset) -> str:
    facts = [
        ("task", f"{dataset.task}, {dataset.modality}{', synthetic' if dataset.synthetic else ''}"),
        ("classes", ", ".join(dataset.classes)),
        ("licence", _sentence(dataset.licence)),
        ("how to get it", "made on first use" if dataset.embedded else _sentence(dataset.how_to_get)),
        ("pictures may be shown", "yes" if dataset.public else "no"),
        ("paper", cite(dataset.paper)),
    ]
    counts = _counts(dataset)
    head = ["protocol", "what", "unit", *(["folds", "train", "val", "test"] if counts else [])]
    rows = [
        [f"`{rule.name}`", _sentence(rule.description), rule.unit, *_sizes(counts.get(rule.name))]
        for rule in dataset.protocols
    ]
    parts = [f"## {dataset.name}", _sentence(dataset.description), table(["", ""], [fact for fact in facts if fact[1]])]
    return "\n\n".join([*parts, table(head, rows)])


def _sizes(counts: dict[str, Any] | None) -> list[str]:
    return [] if counts is None else [str(counts["folds"]), *(f"{counts[side]['n']:,}" for side in get_args(Side))]


def _counts(dataset: Dataset) -> dict[str, Any]:
    from ferbench.data.registry import load
    from ferbench.data.summary import class_counts

    try:
        loaded = load(dataset)
    except ferbench.DataError:  # not on this machine
        return {}
    return {rule.name: class_counts(loaded, rule) for rule in dataset.protocols if rule.name in loaded.protocols}


def metrics(installed: Installed) -> str:
    """Metrics: direction, tasks, citation."""
    found = [installed.metric(name) for name in installed.names("metrics")]
    rows = [
        [
            f"`{item.name}`",
            _sentence(item.description),
            item.kind,
            "higher" if item.higher_is_better else "lower",
            ", ".join(item.tasks),
            cite(item.paper),
        ]
        for item in found
    ]
    head = ["metric", "what", "kind", "better", "tasks", "paper"]
    return _page(["# Metrics", table(head, rows), *families(installed, "metrics")])


def samplers(installed: Installed) -> str:
    """Samplers and suites."""
    found = [installed.sampler(name) for name in installed.names("samplers")]
    rows = [[f"`{item.name}`", _sentence(item.description), cite(item.paper)] for item in found]
    suites = [installed.suite(name) for name in installed.names("suites")]
    planned = [
        [f"`{item.name}`", _sentence(item.description), _code(item.datasets), _code(item.models)] for item in suites
    ]
    parts = ["# Samplers and suites", "## Samplers", table(["sampler", "what", "paper"], rows)]
    parts += ["## Suites", table(["suite", "what", "data sets", "models"], planned)]
    return _page([*parts, *families(installed, "samplers"), *families(installed, "suites")])


def families(installed: Installed, kind: Any) -> list[str]:
    """Objects that are made from a name."""
    rows = [
        [
            f"`{family.prefix}:NAME`",
            _sentence(family.description),
            _code(f"{family.prefix}:{x}" for x in family.examples),
        ]
        for family in installed.families(kind)
    ]
    return [f"Made from a name, so not listed one by one:\n\n{table(['name', 'what', 'examples'], rows)}"] * bool(rows)


def commands() -> str:
    """The command line, from its own help."""
    import typer

    from ferbench.cli.main import app

    parts = ["# Commands", "Every command has `--help`. Exit codes: 0 done; 1 some cells failed; 2 a mistake to mend."]
    for name, command in listed(typer.main.get_command(app)):
        context = command.context_class(command, info_name=name)
        rows = [record for item in command.params if (record := item.get_help_record(context))]
        usage = " ".join([name, *command.collect_usage_pieces(context)])
        parts += [f"## {name}", f"`{usage}`", inspect.cleandoc(command.help or "")]
        parts += [table(["option", "what"], [[f"`{left.strip()}`", _escape(right)] for left, right in rows])]
    return _page(parts)


def listed(command: Any, name: str = "ferbench") -> Iterable[tuple[str, Any]]:
    """All commands that are shown, with their full names; groups give their members."""
    if not hasattr(command, "commands"):
        yield name, command
        return
    for inner, item in command.commands.items():
        if not item.hidden:
            yield from listed(item, f"{name} {inner}")


def api() -> str:
    """All public names, module by module, from their docstrings."""
    by_home: dict[str, list[str]] = {}
    for name in ferbench.__all__:
        by_home.setdefault(ferbench._HOME_OF[name], []).append(name)
    parts = [
        "# Python reference",
        "Everything here is imported from `ferbench` itself.",
        "```{py:module} ferbench\n```",
    ]
    for home, names in by_home.items():
        title = (import_module(home).__doc__ or home).strip().partition("\n")[0]
        parts.append(f"## {_title(title)}")
        parts += [f"```{{eval-rst}}\n{_directive(home, name)}\n```" for name in sorted(names)]
    return _page(parts)


def _directive(home: str, name: str) -> str:
    value = getattr(ferbench, name)
    if inspect.isclass(value):
        return f".. autoclass:: ferbench.{name}\n   :members:\n   :exclude-members: model_config, __init__, __new__"
    if inspect.isfunction(value):
        return f".. autofunction:: ferbench.{name}"
    from sphinx.pycode import ModuleAnalyzer

    docs = ModuleAnalyzer.for_module(home).find_attr_docs().get(("", name), [])
    text = "\n".join(f"   {line}" for line in docs)
    return f".. py:data:: {name}\n   :value: {value!r}\n\n{text}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def cite(paper: Paper | None) -> str:
    """A citation in full."""
    if paper is None:
        return ""
    venue = f" {_escape(paper.venue)}." if paper.venue else ""
    return f"{_escape(paper.authors)} ({paper.year}). {_link(paper.title, paper.url)}.{venue}"


def cite_short(paper: Paper | None) -> str:
    """First author and year."""
    if paper is None:
        return ""
    first, *others = paper.authors.split(",")
    return _link(f"{first.strip()}{' et al.' if others else ''} {paper.year}", paper.url)


def _link(text: str, url: str) -> str:
    return f"[{_escape(text)}]({quote(url, safe=':/?=&%#~+;,@')})" if url else _escape(text)


def _claim(item: Reported) -> str:
    return f"{item.metric} {item.value:.4g} on {item.dataset}@{item.protocol}, {item.split}"


def _caveat(item: Reported) -> str:
    told = [f"selection {item.selection}", item.extra_data and f"extra data: {item.extra_data}", item.caveat]
    return f" ({_escape(', '.join(text for text in told if text))})"


def _settings(settings: Any) -> str:
    changed = settings.model_dump(mode="json", exclude_defaults=True)
    shown = ", ".join(f"{key} {_value(value)}" for key, value in changed.items() if key != "name")
    name = getattr(settings, "name", type(settings).__name__.lower())
    return f"{name} ({_escape(shown)})" if shown else str(name)


def _value(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_value, value))
    if isinstance(value, dict):
        return " ".join(f"{key} {_value(inner)}" for key, inner in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _escape(text: str) -> str:
    """The text as Markdown that shows it as it is; addresses become links."""
    parts = re.split(r"(https?://[^\s),]+)", " ".join(text.split()))
    return "".join(
        f"<{part}>" if index % 2 else re.sub(r"([\\`*_<>\[\]])", r"\\\1", part) for index, part in enumerate(parts)
    )


def _sentence(text: str) -> str:
    line = _escape(text)
    return line if not line or line[-1] in ".!?" else f"{line}."


def _title(text: str) -> str:
    return _escape(text).rstrip(".")


def _page(parts: Iterable[str]) -> str:
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"
