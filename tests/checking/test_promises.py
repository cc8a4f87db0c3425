"""Every plugin of this repository keeps the rules of the kit; any process may take any of these tests (conftest.py)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from ferbench.checking import kit as kits
from ferbench.checking.kit import Kit, Thing
from ferbench.checking.package import whole
from ferbench.checking.target import Target, find_targets
from ferbench.plugins import discover

ROOT = Path(__file__).parents[2]
LONGEST = ("ferbench-georgescu", "ferbench-xception", "ferbench-vit-convnext", "ferbench-classical")
"""They take 20 s and more, and begin first: no process is to wait for another one's last test."""
INSTALLED = ["builtin", *sorted(path.parent.name for path in (ROOT / "plugins").glob("*/pyproject.toml"))]
PLUGINS = sorted(INSTALLED, key=lambda name: name not in LONGEST)
QUICKEST = {
    "ferbench-imagenet-classics": "googlenet",
    "ferbench-lhcnet": "lhcnet-resnet34v2",
    "ferbench-noisy-faces": "scn",
    "ferbench-rmn": "rmn-resnet34",
    "ferbench-vit-convnext": "convnext",
}
"""The network of a plugin that learns by heart in every run of the tests, where that is not its first."""
LIGHT = {"resolves", "search-space", "requires", "citation", "builds"}
"""Rules for variants of a model."""


@pytest.mark.usefixtures("quick_kit")
@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_plugin_of_this_repository_keeps_its_promises(plugin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variants of a model are built and read; one network of each plugin learns by heart, which takes seconds.

    FERBENCH_TEST_CHECKS=1 lets every network learn, for minutes.
    """
    monkeypatch.setattr(kits, "LOADING", 120.0)
    (target,) = find_targets(plugin)
    found = list(whole(target))
    with Kit("quick") as kit:
        things, published = kit.things(target)
        found += published
        learning, again = learning_by_heart(plugin, things), built_before(target, things)
        for thing in things:
            rules = {rule.check for rule in thing.open}
            if "@" in thing.name:
                rules &= LIGHT - {"builds"} if thing.name in again else LIGHT
            elif thing.name not in learning:
                rules.discard("learns")
            found += kit.look(target, thing.only(*rules))
    assert [finding for finding in found if finding.state == "fail"] == []
    assert {finding.name for finding in found} >= {thing.name for thing in things}
    assert {finding.name for finding in found if finding.check == "learns"} == learning


def learning_by_heart(plugin: str, things: Sequence[Thing]) -> set[str]:
    """The networks of a plugin that are to learn: one of them, or all where FERBENCH_TEST_CHECKS asks for it."""
    networks = [thing.name for thing in things if "@" not in thing.name and "learns" in {r.check for r in thing.open}]
    if os.environ.get("FERBENCH_TEST_CHECKS"):
        return set(networks)
    return {QUICKEST.get(plugin, name) for name in networks[:1]}


def built_before(target: Target, things: Sequence[Thing]) -> set[str]:
    """The variants whose network is that of a model before them: they differ in the recipe alone."""
    installed = discover(only=[target.plugin])
    seen: set[str] = set()
    again: set[str] = set()
    for thing in things:
        if thing.kind == "models":
            model = installed.model(thing.name)
            network = f"{model.build} {model.options} {model.reference} {model.recipe.input}"
            if network in seen:
                again.add(thing.name)
            seen.add(network)
    return again
