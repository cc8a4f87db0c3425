"""Optimizers of timm are tried when a run is planned, not when its first cell begins."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from ferbench import SettingsError
from ferbench.plugins import discover
from ferbench.running.plan import Plan, make_plan
from ferbench.running.request import Request
from ferbench.suites import override
from tests.contract import PLUGIN

pytestmark = pytest.mark.slow


def planned(**optimizer: Any) -> Plan:
    changes = (override("recipe.optimizer", {"name": "timm", **optimizer}),)
    request = Request("contract", datasets=("squares",), models=("tiny",), plugins=(PLUGIN,), overrides=changes)
    return make_plan(request, discover(files=[PLUGIN]))


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        ({"algorithm": "lionn"}, r"tiny: recipe.optimizer.algorithm: .*Did you mean 'lion'"),
        ({"algorithm": "lamb", "options": {"betes": 1}}, r"tiny: recipe.optimizer: timm's lamb refuses: .*betes"),
    ],
)
def test_what_timm_does_not_take_stops_the_plan(optimizer: dict[str, Any], message: str) -> None:
    pytest.importorskip("timm.optim")
    with pytest.raises(SettingsError, match=message):
        planned(**optimizer)


def test_what_timm_takes_is_planned_and_left_to_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("timm.optim")
    groups = [{"patterns": ["head.*"], "lr_factor": 2.0}]
    assert planned(algorithm="lamb", options={"betas": [0.7, 0.9]}, groups=groups).cells
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert planned(algorithm="lamb", lr=0.5).cells, "a process that dies says nothing about the optimizer"
