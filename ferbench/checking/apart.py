"""The side of the kit that runs plugin code: each call is a process of its own, and answers in a file, line by line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from ferbench.checking.report import Effort, Rule, Subject, looked_at
from ferbench.checking.rules import TRYING, rules_for
from ferbench.checking.settings import paper_faults, reported_faults
from ferbench.checking.small import affordable
from ferbench.errors import PluginError, UnknownNameError
from ferbench.nouns.model import Model
from ferbench.plugins import Installed, Kind, discover
from ferbench.plugins.quarantine import KINDS

THREADS = 4
"""At most; more make small networks slower."""


def contents(argument: str) -> int:
    """Write what a plugin adds and which rules each of its objects is to keep. See :func:`answer`."""
    question = json.loads(argument)
    installed = _installed(question)
    things = [
        {"kind": kind, "name": name, "rules": [_plain(rule) for rule in rules_for(kind, _item(installed, kind, name))]}
        for kind in KINDS
        for name in (*installed.names(kind), *_examples(installed, kind))
    ]
    faults = [
        f"{row.method}: {fault}"
        for row in installed.reported
        for fault in (*reported_faults(row), *(paper_faults(row.paper) if row.paper else ()))
    ]
    _say(question, {"things": things, "reported": len(installed.reported), "reported_faults": faults})
    _say(question, {"taken": _taken(question)})  # last: another plugin may hang or end the process
    return 0


def _taken(question: Mapping[str, Any]) -> str:
    """Why a plugin that is sound by itself is set aside among all that are installed, or an empty string."""
    try:
        everything = _everything(question)()
    except PluginError as error:
        return str(error)
    return next((info.cause for info in everything.plugins if info.name == question["plugin"]), "")


def answer(argument: str) -> int:
    """Look at one object by the rules that are asked for, and write each outcome as soon as it is known.

    ``argument`` is JSON: ``plugin`` or ``file``, ``kind``, ``name``, ``checks``, ``effort``; ``path`` of the answers.
    """
    import torch

    question = json.loads(argument)
    torch.set_num_threads(min(THREADS, torch.get_num_threads()))
    installed = _installed(question)
    kind, effort = _kind(question["kind"]), _effort(question["effort"])
    item = _item(installed, kind, question["name"])
    info = installed.plugin_of(kind, question["name"])
    subject = Subject(item, info, installed, _everything(question), effort)
    modest = cache(lambda: affordable(subject) if isinstance(item, Model) else subject)
    rules = {rule.check: rule for rule in rules_for(kind, item)}
    for check in question["checks"]:
        _say(question, {"begin": check})
        outcome, seconds = looked_at(rules[check], modest() if check in TRYING else subject)
        _say(question, {"end": check, "seconds": seconds, **asdict(outcome)})
    return 0


def _installed(question: Mapping[str, Any]) -> Installed:
    files = [Path(question["file"])] if question["file"] else []
    return discover(only=[] if files else [question["plugin"]], files=files)


def _everything(question: Mapping[str, Any]) -> Callable[[], Installed]:
    """All that is installed, found when a check asks for it."""
    files = [Path(question["file"])] if question["file"] else []
    return cache(lambda: discover(files=files))


def _examples(installed: Installed, kind: Kind) -> list[str]:
    """The first example of each family of models; other families are made of things that a user has."""
    return [
        f"{family.prefix}:{family.examples[0]}"
        for family in installed.families(kind)
        if family.examples and kind == "models"
    ]


def _item(installed: Installed, kind: Kind, name: str) -> Any:
    find: dict[Kind, Callable[[str], Any]] = {
        "datasets": installed.dataset,
        "models": installed.model,
        "samplers": installed.sampler,
        "metrics": installed.metric,
        "suites": installed.suite,
    }
    return find[kind](name)


def _kind(name: str) -> Kind:
    for kind in KINDS:
        if kind == name:
            return kind
    raise UnknownNameError(f"There is no kind {name!r}.")


def _effort(name: str) -> Effort:
    efforts: tuple[Effort, ...] = ("quick", "normal", "full")
    return next(effort for effort in efforts if effort == name)


def _plain(rule: Rule) -> dict[str, Any]:
    return {"check": rule.check, "what": rule.what, "seconds": rule.seconds}


def _say(question: Mapping[str, Any], line: Mapping[str, Any]) -> None:
    with Path(question["path"]).open("a", encoding="utf-8") as answers:
        answers.write(json.dumps(line, default=str) + "\n")
