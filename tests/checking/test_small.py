"""Large networks are examined under their small settings, and only where that saves something."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from torch import nn

from ferbench.checking import networks
from ferbench.checking.report import Effort, Subject
from ferbench.checking.small import affordable
from ferbench.checking.trial import build
from ferbench.nouns.model import Model, NetSpec
from ferbench.plugins import discover

INSTALLED = discover(only=["builtin"])
SMALL = {"recipe.input.size": 16, "model.options.width": 4}


def subject(effort: Effort, **changes: Any) -> Subject[Model]:
    own = INSTALLED.model("small-cnn")
    model = replace(own, **{"small": SMALL, "options": own.options.model_copy(update={"width": 64}), **changes})
    return Subject(model, INSTALLED.plugin_of("models", "small-cnn"), INSTALLED, lambda: INSTALLED, effort)


def test_a_large_network_is_tried_under_its_small_settings() -> None:
    model = affordable(subject("quick")).item
    assert (model.recipe.input.size, model.reference.size) == (16, 16)
    assert model.options.model_dump()["width"] == 4


@pytest.mark.parametrize(("effort", "changes"), [("full", {}), ("quick", {"small": {}}), ("quick", {"build": "no:no"})])
def test_one_that_is_small_enough_or_has_no_small_settings_stays_as_it_is(
    effort: Effort, changes: dict[str, Any]
) -> None:
    given = subject(effort, **changes)
    assert affordable(given) is given


def test_what_is_counted_is_the_network_at_its_full_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def noted(model: Model, spec: NetSpec) -> nn.Module:
        sizes.append(spec.size)
        return build(model, spec)

    monkeypatch.setattr(networks, "build", noted)
    large, whole = networks.builds(subject("quick")), networks.builds(subject("full"))
    assert large == whole
    assert sizes == [48, 16, 16, 48, 48, 48]
