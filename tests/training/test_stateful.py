"""Which objectives have a state that is kept with a training."""

from __future__ import annotations

import pytest
from torch import nn

from ferbench import Batch, PluginError, StepContext, StepResult
from ferbench.training.stateful import stateful


class Plain:
    """An objective without state."""

    def __call__(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        raise NotImplementedError


class Module(nn.Module):
    """One that is a module; as a container it counts as false where it is empty."""

    def __len__(self) -> int:
        return 0

    def forward(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        raise NotImplementedError


class Forgetful(Plain):
    """One that cannot take its state back."""

    def state_dict(self) -> dict[str, int]:
        return {"steps": 3}


def test_state_is_kept_of_those_that_have_one() -> None:
    module = Module()
    assert stateful(Plain()) is None
    assert stateful(module) is module


def test_state_that_cannot_be_put_back_is_a_fault_of_the_objective() -> None:
    with pytest.raises(PluginError, match=r"Forgetful has state_dict\(\) but no load_state_dict\(\)"):
        stateful(Forgetful())
