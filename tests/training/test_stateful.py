"""Which objectives have a state that is kept with a training."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ferbench import Batch, PluginError, Recipe, StepContext, StepResult
from ferbench.training.stateful import stateful
from tests.training.tiny import SIGNED, trained


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


class Learner(Plain):
    """One that learns, and keeps nothing of it."""

    def parameters(self) -> list[nn.Parameter]:
        return [nn.Parameter(torch.zeros(2))]


class Empty(Plain):
    """One that could learn, and has nothing to."""

    def parameters(self) -> list[nn.Parameter]:
        return []


def test_state_is_kept_of_those_that_have_one() -> None:
    module = Module()
    assert stateful(Plain()) is None
    assert stateful(module) is module


def test_state_that_cannot_be_put_back_is_a_fault_of_the_objective() -> None:
    with pytest.raises(PluginError, match=r"Forgetful has state_dict\(\) but no load_state_dict\(\)"):
        stateful(Forgetful())


def test_what_is_learnt_and_not_kept_is_a_fault_of_the_objective() -> None:
    assert stateful(Empty()) is None
    with pytest.raises(PluginError, match=r"Learner learns parameters, and has no state_dict"):
        stateful(Learner())


def test_an_objective_that_could_not_be_resumed_is_refused_before_the_first_step() -> None:
    for objective in (Learner(), Forgetful()):  # a step would raise NotImplementedError
        with pytest.raises(PluginError, match="objective"):
            trained(Recipe(epochs=1, input=SIGNED), objective=objective)
