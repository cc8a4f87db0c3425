"""mini-Xception and the simple network: counts, shapes, and Keras's ways where PyTorch has others."""

from __future__ import annotations

import re

import ferbench_mini_xception
import pytest
import torch
from ferbench_mini_xception.network import MiniXception, SamePool, SimpleCNN
from torch import nn

from ferbench import L2, Affine, NetSpec, Plateau, SettingsError

MODELS = {model.full_name: model for model in ferbench_mini_xception.ferbench_models()}
SPEC = NetSpec(classes=7, channels=1, size=64)


def _counts(net: nn.Module) -> tuple[int, int]:
    """Parameters, and the same with the running statistics that Keras counts."""
    learnt = sum(parameter.numel() for parameter in net.parameters())
    return learnt, learnt + sum(b.numel() for name, b in net.named_buffers() if name.endswith(("_mean", "_var")))


def test_the_numbers_of_mini_xception_are_those_that_keras_counts() -> None:
    with torch.device("meta"):
        assert _counts(MiniXception(SPEC)) == (56_951, 58_423)


def test_the_simple_network_has_about_six_hundred_thousand() -> None:
    with torch.device("meta"):
        assert _counts(SimpleCNN(SPEC)) == (641_463, 642_935)


def test_every_stage_has_the_shape_that_keras_gives_it() -> None:
    net, x, seen = MiniXception(SPEC).eval(), torch.zeros(2, 1, 64, 64), []
    x = net.base(x)
    assert x.shape == (2, 8, 60, 60)
    for stage in net.stages:
        x = stage(x)
        seen.append(tuple(x.shape[1:]))
    assert seen == [(16, 30, 30), (32, 15, 15), (64, 8, 8), (128, 4, 4)]
    assert net.head(x).shape == (2, 7, 4, 4)
    simple, x, seen = SimpleCNN(SPEC).eval(), torch.zeros(2, 1, 64, 64), []
    for stage in simple.stages:
        x = stage(x)
        seen.append(tuple(x.shape[1:]))
    assert seen == [(16, 32, 32), (32, 16, 16), (64, 8, 8), (128, 4, 4)]


@pytest.mark.parametrize(("network", "smallest"), [(MiniXception, 20), (SimpleCNN, 9)])
def test_other_pictures_and_classes_fit_down_to_a_smallest_size(network: type[nn.Module], smallest: int) -> None:
    assert network(NetSpec(6, 3, smallest)).eval()(torch.zeros(2, 3, smallest, smallest)).shape == (2, 6)
    with pytest.raises(SettingsError, match=rf"recipe\.input\.size: .* needs pictures of {smallest} pixels or more"):
        network(NetSpec(7, 1, smallest - 1))


def test_an_even_side_is_padded_on_the_right_and_below_alone() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert SamePool()(x).tolist() == [[[[10.0, 11.0], [14.0, 15.0]]]]
    assert torch.equal(SamePool()(-x), -torch.tensor([[[[0.0, 2.0], [8.0, 10.0]]]]))  # padded with nothing, not zero
    odd = torch.arange(25.0).reshape(1, 1, 5, 5)
    assert torch.equal(SamePool()(odd), nn.MaxPool2d(3, stride=2, padding=1)(odd))


def test_batch_normalisation_has_keras_constants() -> None:
    layers = [layer for layer in MiniXception(SPEC).modules() if isinstance(layer, nn.BatchNorm2d)]
    assert len(layers) == 14
    assert {(layer.eps, layer.momentum) for layer in layers} == {(1e-3, 0.01)}


@pytest.mark.parametrize(("name", "count"), [("mini-xception", 2), ("mini-xception@l2-everywhere", 18)])
def test_the_l2_term_holds_for_the_kernels_that_it_names(name: str, count: int) -> None:
    (term,) = MODELS[name].recipe.terms
    assert isinstance(term, L2)
    patterns = [re.compile(pattern.replace(".", r"\.").replace("*", ".*")) for pattern in term.patterns]
    held = [
        parameter.ndim
        for key, parameter in MiniXception(SPEC).named_parameters()
        if any(pattern.fullmatch(key) for pattern in patterns)
    ]
    assert held == [4] * count


def test_the_recipe_is_that_of_the_authors_code() -> None:
    recipe = MODELS["mini-xception"].recipe
    assert (recipe.epochs, recipe.batch_size, recipe.monitor) == (10_000, 32, "loss")
    assert recipe.schedule == Plateau(factor=0.1, patience=12, threshold=1e-4, monitor="loss")
    warp = recipe.augmentation[0]
    assert isinstance(warp, Affine)
    assert (warp.interpolation, warp.border, warp.zoom) == ("nearest", "edge", (0.9, 1.1))
    assert recipe.selection == "best-val"
    assert MODELS["mini-xception@paper"].recipe.selection == "oracle"
    assert MODELS["mini-xception@simple"].recipe.terms == ()


def _keras_205(losses: list[float]) -> tuple[int | None, int | None]:
    """When Keras 2.0.5 first lowers the rate and when it stops, by epochs from 0: both counters are raised too late."""
    best_rate = best_stop = float("inf")
    wait_rate = wait_stop = 0
    lowered = None
    for epoch, loss in enumerate(losses):
        if loss < best_stop:
            best_stop, wait_stop = loss, 0
        elif wait_stop >= 50:
            return lowered, epoch
        else:
            wait_stop += 1
        if loss < best_rate - 1e-4:
            best_rate, wait_rate = loss, 0
        else:
            lowered = epoch if lowered is None and wait_rate >= 12 else lowered
            wait_rate += 1
    return lowered, None


def test_the_rate_falls_first_and_training_stops_when_they_do_in_the_keras_of_the_authors() -> None:
    recipe = MODELS["mini-xception"].recipe
    assert isinstance(recipe.schedule, Plateau) and recipe.early_stopping is not None
    lowered, stopped = _keras_205([1.0] * 100)
    assert (lowered, stopped) == (recipe.schedule.patience + 1, recipe.early_stopping.patience)
