"""Optimizers equal torch's and timm's, group by group; gradients are cut as they say; SAM is its formula."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ferbench import (
    SAM,
    SGD,
    Adam,
    AdamW,
    Batch,
    ParameterGroup,
    RAdam,
    Recipe,
    SettingsError,
    Step,
    StepContext,
    StepResult,
    TimmOptimizer,
)
from ferbench.nouns.optimizers import Optimization, Optimizer
from ferbench.training.gradients import clip
from ferbench.training.optim import make_optimizer
from ferbench.training.step import Stepper, training_step
from tests.training.test_golden import Centres, assert_same
from tests.training.tiny import CLASSES, CPU, NUMERICS, SIGNED, Memory, TinyNet, loaded, trained

ROUNDS = 8


def net() -> nn.Sequential:
    """Two layers, normalisation between them, the same each time."""
    result = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    with torch.no_grad():
        for number, parameter in enumerate(result.parameters()):
            parameter.copy_(torch.sin(torch.arange(parameter.numel()) + number + 1.0).view_as(parameter))
    return result


def walked(module: nn.Module, optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """The parameters after some steps on made-up data."""
    torch.manual_seed(0)
    for _ in range(ROUNDS):
        optimizer.zero_grad()
        module(torch.randn(5, 3)).square().sum().backward()
        optimizer.step()
    return [parameter.detach() for parameter in module.parameters()]


def assert_walks_as(settings: Optimizer, reference: type[torch.optim.Optimizer], **values: Any) -> None:
    """Some steps of ours end exactly where the reference's end."""
    ours, theirs = net(), net()
    found = walked(ours, make_optimizer(settings, ours.named_parameters()))
    expected = walked(theirs, reference(theirs.parameters(), **values))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("settings", "reference", "values"),
    [
        (
            SGD(lr=0.01, nesterov=True, weight_decay=0.1),
            torch.optim.SGD,
            {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        ),
        (Adam(weight_decay=0.1, eps=1e-4), torch.optim.Adam, {"weight_decay": 0.1, "eps": 1e-4}),
        (AdamW(betas=(0.8, 0.9)), torch.optim.AdamW, {"betas": (0.8, 0.9), "weight_decay": 0.01}),
        (RAdam(lr=0.01, weight_decay=0.1), torch.optim.RAdam, {"lr": 0.01, "weight_decay": 0.1}),
        (
            RAdam(lr=0.01, weight_decay=0.1, decoupled=True),
            torch.optim.RAdam,
            {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True},
        ),
    ],
    ids=["sgd", "adam", "adamw", "radam", "radam decoupled"],
)
def test_an_optimizer_is_torchs(
    settings: Optimizer, reference: type[torch.optim.Optimizer], values: Mapping[str, Any]
) -> None:
    assert_walks_as(settings, reference, **values)


def test_an_optimizer_of_timm_is_timms_with_its_options() -> None:
    timm = pytest.importorskip("timm.optim")
    settings = TimmOptimizer(algorithm="lamb", lr=0.01, weight_decay=0.1, options={"betas": (0.7, 0.9)})
    assert_walks_as(settings, timm.Lamb, lr=0.01, weight_decay=0.1, betas=(0.7, 0.9))
    assert_walks_as(TimmOptimizer(algorithm="lion", lr=0.01), timm.Lion, lr=0.01)


@pytest.mark.parametrize(
    ("algorithm", "options", "message"),
    [
        ("lionn", {}, "Did you mean 'lion'"),
        ("lamb", {"betes": 1}, "refuses.*betes"),
        ("adahessian", {}, "second derivatives"),
    ],
)
def test_what_timm_cannot_do_is_said(algorithm: str, options: dict[str, Any], message: str) -> None:
    pytest.importorskip("timm.optim")
    with pytest.raises(SettingsError, match=message):
        make_optimizer(TimmOptimizer(algorithm=algorithm, options=options), net().named_parameters())


def test_without_timm_its_optimizers_name_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.setitem(sys.modules, "timm.optim", None)
    with pytest.raises(SettingsError, match=r"pip install ferbench\[timm\]"):
        make_optimizer(TimmOptimizer(algorithm="lamb"), net().named_parameters())


def by_name(settings: Optimizer, module: nn.Module, others: list[nn.Parameter]) -> dict[str, tuple[float, float]]:
    """Learning rate and weight decay of each parameter that the optimizer updates."""
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    optimizer = make_optimizer(settings, module.named_parameters(), others)
    return {
        names.get(id(parameter), "centres"): (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    }


def test_the_first_group_that_matches_a_parameter_gives_it_its_values() -> None:
    groups = (
        ParameterGroup(patterns=("2.*",), lr_factor=10, weight_decay=0.5),
        ParameterGroup(patterns=("*.bias", "2.weight"), lr_factor=0.1),
    )
    settings = SGD(lr=0.1, weight_decay=0.2, groups=groups)
    module, centres = net(), nn.Parameter(torch.zeros(3))
    module[0].weight.requires_grad_(False)
    assert by_name(settings, module, [centres]) == {
        "0.bias": (pytest.approx(0.01), 0.2),
        "1.weight": (0.1, 0.2),
        "1.bias": (pytest.approx(0.01), 0.2),
        "2.weight": (1.0, 0.5),
        "2.bias": (1.0, 0.5),
        "centres": (0.1, 0.2),
    }


def test_biases_and_norms_may_be_spared_weight_decay() -> None:
    groups = (ParameterGroup(patterns=("2.*",), weight_decay=0.5),)
    settings = SGD(lr=0.1, weight_decay=0.2, decay_norm_and_bias=False, groups=groups)
    found = {name: decay for name, (_, decay) in by_name(settings, net(), []).items()}
    spared = dict.fromkeys(("0.bias", "1.weight", "1.bias", "2.bias"), 0.0)
    assert found == {"0.weight": 0.2, "2.weight": 0.5, **spared}


def test_a_pattern_that_matches_nothing_is_named_with_what_there_is() -> None:
    settings = SGD(groups=(ParameterGroup(patterns=("0.*",)), ParameterGroup(patterns=("2.wieght",))))
    with pytest.raises(SettingsError, match=r"groups\.1\.patterns: '2.wieght' matches no .*Did you mean '2.weight'"):
        make_optimizer(settings, net().named_parameters())


def test_a_groups_factor_holds_wherever_the_schedule_leads() -> None:
    groups = (ParameterGroup(patterns=("head.*",), lr_factor=3.0),)
    still = SGD(lr=1e-9, momentum=0, groups=groups)
    watch = Memory()
    trained(Recipe(epochs=3, batch_size=12, optimizer=still, schedule=Step(milestones=(1,)), input=SIGNED), watch)
    rates = [[group["lr"] for group in loaded(kept)["optimizer"]["param_groups"]] for kept in watch.kept]
    assert rates == [pytest.approx([base, 3 * base]) for base in (1e-9, 1e-10, 1e-10)]


def with_gradients(*values: list[float]) -> torch.optim.Optimizer:
    """An optimizer of parameters that have these gradients."""
    parameters = [nn.Parameter(torch.zeros(len(each))) for each in values]
    for parameter, each in zip(parameters, values, strict=True):
        parameter.grad = torch.tensor(each)
    return torch.optim.SGD(parameters, lr=1.0)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"clip_value": 1.0}, [[1.0, -0.5], [1.0]]),
        ({"clip_norm": 2.5}, [[1.5, -0.25], [1.9843135]]),
        ({"clip_norm": 100.0}, [[3.0, -0.5], [3.968627]]),
        ({"clip_value": 1.0, "clip_norm": 0.75}, [[0.5, -0.25], [0.5]]),
    ],
    ids=["elements", "length", "short enough", "elements first"],
)
def test_elements_and_length_of_a_gradient_are_cut_as_different_things(
    settings: dict[str, float], expected: list[list[float]]
) -> None:
    optimizer = with_gradients([3.0, -0.5], [3.968627])  # its length is 5
    clip(optimizer, Optimization(lr=1.0, **settings))
    found = [parameter.grad.tolist() for parameter in optimizer.param_groups[0]["params"]]
    assert found == [pytest.approx(each, abs=1e-5) for each in expected]


class Noisy(nn.Module):
    """Cross-entropy with noise on the pictures from every source of random numbers, which it writes down."""

    def __init__(self) -> None:
        super().__init__()
        self.noises = list[list[float]]()

    def forward(self, module: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        """See :class:`ferbench.Objective`."""
        noise = [float(torch.rand(())), float(np.random.rand()), float(context.rng.random())]
        self.noises.append(noise)
        scores = module(batch.inputs["image"] + sum(noise) / 10)
        return StepResult(F.cross_entropy(scores, batch.target), scores)


def stepper(module: nn.Module, settings: Optimizer, objective: Any) -> Stepper:
    optimizer = make_optimizer(settings, module.named_parameters(), list(getattr(objective, "parameters", list)()))
    return Stepper(module, objective, optimizer, NUMERICS, False, settings)


def a_batch() -> Batch:
    torch.manual_seed(1)
    return Batch({"image": torch.rand(12, 1, 12, 12)}, torch.arange(12) % 3)


def context() -> StepContext:
    return StepContext(0, 0, 0, CLASSES, CPU, np.random.default_rng(0))


def plain(module: nn.Module, batch: Batch, context: StepContext) -> StepResult:
    """Cross-entropy."""
    scores = module(batch.inputs["image"])
    return StepResult(F.cross_entropy(scores, batch.target), scores)


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("chunks", [1, 3])
def test_sam_is_algorithm_1(adaptive: bool, chunks: int) -> None:
    settings = SGD(lr=0.5, momentum=0, sam=SAM(rho=0.2, adaptive=adaptive))
    batch, ours, theirs = a_batch(), TinyNet(norm=False), TinyNet(norm=False)
    result, _ = training_step(stepper(ours, settings, plain), batch, context(), chunks)

    def gradient() -> list[torch.Tensor]:
        return list(torch.autograd.grad(plain(theirs, batch, context()).loss, list(theirs.parameters())))

    weights = [parameter.detach().clone() for parameter in theirs.parameters()]
    torch.testing.assert_close(result.loss, plain(theirs, batch, context()).loss.detach())
    scale = [weight.abs() if adaptive else torch.ones_like(weight) for weight in weights]
    first = gradient()
    length = sum(float((t * g).square().sum()) for t, g in zip(scale, first, strict=True)) ** 0.5
    with torch.no_grad():
        for parameter, t, g in zip(theirs.parameters(), scale, first, strict=True):
            parameter.add_(0.2 * t**2 * g / length)
    for parameter, weight, uphill in zip(ours.parameters(), weights, gradient(), strict=True):
        torch.testing.assert_close(parameter.detach(), weight - 0.5 * uphill)


def one_step(settings: Optimizer) -> tuple[TinyNet, Noisy]:
    """A network with dropout and batch normalisation after one step."""
    module, noisy = TinyNet(dropout=0.5), Noisy()
    torch.manual_seed(2)
    np.random.seed(2)
    training_step(stepper(module, settings, noisy), a_batch(), context(), 1)
    return module, noisy


def test_sams_passes_see_the_same_draws_and_count_once_for_running_statistics() -> None:
    (module, noisy), (reference, once) = one_step(SGD(sam=SAM(rho=5.0))), one_step(SGD())
    assert noisy.noises == [*once.noises, *once.noises]
    assert module.state_dict()["norm.num_batches_tracked"] == 1
    for kind in ("running_mean", "running_var"):
        assert torch.equal(getattr(module.norm, kind), getattr(reference.norm, kind))
    assert not torch.equal(module.conv.weight, reference.conv.weight)


def test_an_objectives_state_counts_a_step_of_sam_once() -> None:
    objective = Centres()
    training_step(stepper(TinyNet(), SGD(sam=SAM()), objective), a_batch(), context(), 1)
    assert objective.calls == 1
    assert objective.centres.abs().max() > 0, "the centres learn as well"


def test_a_training_with_sam_goes_on_from_wherever_it_stopped() -> None:
    recipe = Recipe(epochs=3, batch_size=20, optimizer=SGD(lr=0.1, sam=SAM(), clip_norm=1.0), input=SIGNED)
    whole = Memory()
    expected = trained(recipe, whole, TinyNet(dropout=0.3))
    assert_same(trained(recipe, Memory(whole.kept[0]), TinyNet(dropout=0.3)), expected)
    flat = trained(recipe.model_copy(update={"optimizer": SGD(lr=0.1, clip_norm=1.0)}), None, TinyNet(dropout=0.3))
    assert not torch.equal(flat.last["head.weight"], expected.last["head.weight"])
