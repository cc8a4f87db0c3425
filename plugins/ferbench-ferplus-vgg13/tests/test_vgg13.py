"""The VGG13 of FER+: shapes, parameter count, recipe and what it claims."""

from __future__ import annotations

import math
import subprocess
import sys

import ferbench_ferplus_vgg13
import pytest
import torch
from ferbench_ferplus_vgg13.network import VGG13
from torch import nn

from ferbench import SGD, Affine, HorizontalFlip, NetSpec, SettingsError, Step
from ferbench.nouns.reference import resolve

(MODEL,) = ferbench_ferplus_vgg13.ferbench_models()


def built(classes: int = 8, size: int = 64, channels: int = 1) -> VGG13:
    network: VGG13 = resolve(MODEL.build)(NetSpec(classes, channels, size), **MODEL.options.model_dump())
    return network


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_parameter_count_is_that_of_the_authors_network() -> None:
    with torch.device("meta"):
        assert parameters(built()) == 8_757_704
        assert parameters(built(classes=7)) == 8_757_704 - 1_025


def test_every_stage_has_the_channels_and_size_of_the_authors_code() -> None:
    x, seen = torch.zeros(1, 1, 64, 64), []
    for stage in built().eval().stages:
        x = stage(x)
        seen.append((x.shape[1], x.shape[2]))
    assert seen == [(64, 32), (128, 16), (256, 8), (256, 4)]


def test_it_has_ten_convolutions_three_linear_layers_and_no_normalisation() -> None:
    kinds = [type(module).__name__ for module in built().modules() if not list(module.children())]
    counts = {name: kinds.count(name) for name in ("Conv2d", "Linear", "ReLU", "MaxPool2d")}
    assert counts == {"Conv2d": 10, "Linear": 3, "ReLU": 12, "MaxPool2d": 4}
    assert not [name for name in kinds if "Norm" in name]


def test_dropout_stands_behind_every_stage_and_hidden_layer() -> None:
    rates = [module.p for module in built().modules() if isinstance(module, nn.Dropout)]
    assert rates == [0.25] * 4 + [0.5] * 2


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    network = built(size=32)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
    logits = network(torch.randn(6, 1, 32, 32))
    assert logits.shape == (6, 8)
    nn.functional.cross_entropy(logits, torch.arange(6)).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().any()] == []


def test_pictures_that_are_too_small_are_refused_with_the_setting_to_mend() -> None:
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: ferplus-vgg13 needs pictures of 16 pixels or more"):
        built(size=12)


def test_the_recipe_is_that_of_the_authors_code() -> None:
    recipe = MODEL.recipe
    assert recipe.model_validate(recipe.model_dump(mode="json")) == recipe
    assert (recipe.epochs, recipe.batch_size, recipe.init.name) == (100, 32, "xavier")
    assert recipe.input.model_dump(include={"size", "channels", "equalise", "normalise"}) == {
        "size": 64,
        "channels": 1,
        "equalise": True,
        "normalise": "plane",
    }
    assert recipe.selection == "best-val"


def test_the_learning_rate_is_a_tenth_of_what_cntk_calls_it() -> None:
    """With weight 1 - momentum on the gradient, as CNTK has it, 0.05 makes the steps that 0.005 makes in torch."""
    optimizer, gradient = MODEL.recipe.optimizer, [1.0, -2.0, 0.5, 3.0]
    assert isinstance(optimizer, SGD)
    parameter = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    torchs = torch.optim.SGD([parameter], lr=optimizer.lr, momentum=optimizer.momentum)
    smoothed = weight = 0.0
    for value in gradient:
        parameter.grad = torch.tensor([value], dtype=torch.float64)
        torchs.step()
        smoothed = 0.9 * smoothed + (1 - 0.9) * value
        weight -= 0.05 * smoothed
    assert parameter.item() == pytest.approx(weight)


def test_the_rate_is_halved_at_20_and_a_tenth_from_40() -> None:
    schedule = MODEL.recipe.schedule
    assert isinstance(schedule, Step) and isinstance(schedule.factor, tuple)
    assert schedule.milestones == (20, 40)
    assert [schedule.factor[0], math.prod(schedule.factor)] == pytest.approx([1 / 2, 1 / 10])


def test_pictures_are_warped_then_mirrored() -> None:
    warp, mirror = MODEL.recipe.augmentation
    assert isinstance(warp, Affine) and isinstance(mirror, HorizontalFlip)
    assert (warp.degrees, warp.translate, warp.border, warp.interpolation) == (20, 0.08, "symmetric", "bilinear")
    assert warp.zoom[0] * warp.zoom[1] == pytest.approx(1) and warp.zoom[1] == 1.05
    assert math.tan(math.radians(warp.shear[0])) == pytest.approx(0.05)
    assert not warp.whole_pixels


def test_each_scheme_has_its_reported_number() -> None:
    numbers = {number.protocol: number.value for number in MODEL.reported}
    assert numbers == {
        "majority": 0.83852,
        "multi-label": 0.83966,
        "probabilistic": 0.84986,
        "cross-entropy": 0.84716,
    }
    assert {(number.dataset, number.split, number.classes) for number in MODEL.reported} == {("ferplus", "test", 8)}
    assert all("standard deviation" in number.caveat for number in MODEL.reported)


def test_it_takes_the_labels_of_all_four_schemes_and_joins_the_suite() -> None:
    assert set(MODEL.label_kinds) >= {"hard", "accepted", "drawn", "soft"}
    assert "ferplus" in MODEL.tags


def test_the_plugin_module_imports_neither_torch_nor_numpy() -> None:
    code = "import sys, ferbench_ferplus_vgg13; list(ferbench_ferplus_vgg13.ferbench_models())"
    code += "; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
