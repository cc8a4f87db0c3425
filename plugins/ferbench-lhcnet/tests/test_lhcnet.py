"""LHC-Net: shapes, parameter counts, the attention, the stages of the recipe and what it claims."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import product

import ferbench_lhcnet
import numpy as np
import pytest
import torch
from ferbench_lhcnet.network import LHCNet, LocalHeads, build_controlled, build_lhcnet, build_trunk
from torch import nn

from ferbench import SGD, Adam, Affine, GridViews, InitFrom, NetSpec, Recipe, SettingsError
from ferbench.nouns.requirement import requirements_of
from ferbench.training.transfer import go_on

MODELS = {model.full_name: model for model in ferbench_lhcnet.ferbench_models()}
SPEC = NetSpec(7, 3, 224)


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def test_the_trunk_has_as_many_numbers_as_keras_counts() -> None:
    """21,302,473 without its head, the running statistics of its normalisations among them."""
    with torch.device("meta"):
        network = build_trunk(SPEC)
    statistics = sum(value.numel() for name, value in network.named_buffers() if "running" in name)
    assert count(network) - count(network.head) + statistics == 21_302_473
    assert count(network.head) == 512 * 4096 + 4096 + 4096 * 1024 + 1024 + 1024 * 7 + 7


def test_the_five_modules_have_the_parameters_that_the_authors_settings_give() -> None:
    with torch.device("meta"):
        network = build_lhcnet(SPEC)
    expected = []
    for channels, side, heads, width in ((64, 56, 8, 196), (64, 56, 8, 196), (128, 28, 7, 56), (256, 14, 7, 14)):
        expected.append(heads * (side * side // heads + 1) * width + channels * (channels + 1))
        expected[-1] += 9 * channels * channels + channels
    expected.append(50 * 25 + 512 * 513 + 9 * 512 * 512 + 512)
    assert [count(module) for module in network.attention] == expected
    assert count(network) == count(build_trunk(SPEC)) + sum(expected) == 32_396_302


def test_every_module_is_given_the_channels_and_size_of_the_authors_code() -> None:
    with torch.device("meta"):
        network = build_lhcnet(SPEC)
    seen: list[tuple[int, int]] = []
    for module in network.attention:
        module.register_forward_hook(lambda _m, _x, y: seen.append((y.shape[1], y.shape[2])))
    assert network(torch.zeros(2, 3, 224, 224, device="meta")).shape == (2, 7)
    assert seen == [(64, 56), (64, 56), (128, 28), (256, 14), (512, 7)]


def test_attention_is_the_papers_formula_head_by_head() -> None:
    torch.manual_seed(0)
    module, x = LocalHeads(channels=4, side=6, heads=3, width=5).eval(), torch.randn(2, 4, 6, 6)
    with torch.no_grad():
        expected = x.clone()
        for sample in range(2):
            query, key = module.average(x[sample]), module.maximum(x[sample])
            value = module.average(module.value(x[sample : sample + 1]))[0]
            for head in range(3):
                rows = slice(2 * head, 2 * head + 2)  # a head sees two of the six rows
                q = module.embed[head](query[:, rows].reshape(4, 12))
                k = module.embed[head](key[:, rows].reshape(4, 12))
                scores = q @ k.T
                power = 1 + torch.sigmoid(module.power(scores.mean(dim=1)))
                weights = (scores / 5 ** power[:, None]).softmax(dim=1)
                expected[sample, :, rows] += (weights @ value[:, rows].reshape(4, 12)).reshape(4, 2, 6)
        assert torch.allclose(module(x), expected, atol=1e-5)


def test_queries_are_averages_that_leave_the_border_out_as_keras_does() -> None:
    module = LocalHeads(channels=1, side=4, heads=1, width=2)
    assert torch.allclose(module.average(torch.ones(1, 1, 4, 4)), torch.ones(1, 1, 4, 4))


@pytest.mark.parametrize(("side", "heads", "taken"), [(56, 8, 8), (28, 7, 7), (8, 7, 4), (4, 7, 4), (3, 8, 3)])
def test_heads_that_do_not_divide_the_places_are_fewer(side: int, heads: int, taken: int) -> None:
    assert LocalHeads(2, side, heads, 3).heads == taken


def test_normalisation_moves_as_slowly_as_in_keras() -> None:
    network = build_lhcnet(NetSpec(7, 3, 32), width=4, hidden=8)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert {(norm.momentum, norm.eps) for norm in norms} == {(0.01, 2e-5)}


@pytest.mark.parametrize("size", [32, 50])
def test_it_takes_pictures_of_any_size_from_32_pixels_on(size: int) -> None:
    network: LHCNet = build_lhcnet(NetSpec(5, 1, size), width=4, hidden=8)
    network.train()
    logits = network(torch.randn(6, 1, size, size))
    nn.functional.cross_entropy(logits, torch.arange(6) % 5).backward()
    idle = [name for name, value in network.named_parameters() if value.requires_grad and value.grad is None]
    assert logits.shape == (6, 5) and idle == []


def test_pictures_that_are_too_small_are_refused_with_the_setting_to_mend() -> None:
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: lhcnet needs pictures of 32 pixels or more"):
        build_lhcnet(NetSpec(7, 3, 31))


def test_controllers_scale_each_attention_by_one_and_the_hyperbolic_tangent_of_their_strength() -> None:
    spec = NetSpec(7, 3, 32)
    network = build_controlled(spec, width=4, hidden=8)
    strengths = [value for name, value in network.state_dict().items() if name.endswith("strength")]
    assert [float(value) for value in strengths] == [0, 0, 0, -1, -0.5]
    assert count(network) == count(build_lhcnet(spec, width=4, hidden=8)) + 5
    torch.manual_seed(0)
    module, x = LocalHeads(channels=4, side=6, heads=3, width=5, strength=-1.0).eval(), torch.randn(2, 4, 6, 6)
    with torch.no_grad():
        weaker = module(x) - x
        assert module.strength is not None
        module.strength.fill_(0.0)
        assert torch.allclose(weaker, (module(x) - x) * (1 + math.tanh(-1)), atol=1e-6)


def test_what_the_trunk_learnt_has_its_place_in_the_network_and_that_in_the_controlled_one() -> None:
    spec = NetSpec(7, 3, 32)
    trunk, plain, controlled = (
        build(spec, width=4, hidden=8) for build in (build_trunk, build_lhcnet, build_controlled)
    )
    added = go_on(plain, trunk.state_dict(), "the trunk", extends=True)
    assert added.unused == () and {name.split(".")[0] for name in added.missing} == {"attention"}
    assert torch.equal(plain.state_dict()["head.6.weight"], trunk.state_dict()["head.6.weight"])
    then = go_on(controlled, plain.state_dict(), "the network", extends=True)
    assert then.missing == tuple(f"attention.{number}.strength" for number in range(5))


def test_the_trunk_has_the_three_stages_of_the_authors_code() -> None:
    recipe = MODELS["lhcnet-resnet34v2"].recipe
    assert recipe.model_validate(recipe.model_dump(mode="json")) == recipe
    first, second, third = recipe.planned_stages()
    assert isinstance(first.optimizer, Adam) and first.optimizer.lr == 1e-4
    for stage in (second, third):
        assert isinstance(stage.optimizer, SGD)
        assert (stage.optimizer.lr, stage.optimizer.momentum, stage.start) == (0.01, 0.0, "best")
    turn, move = (stage.augmentation[1] for stage in (first, second) if stage.augmentation)
    assert isinstance(turn, Affine) and isinstance(move, Affine)
    assert (turn.degrees, turn.translate, turn.border) == (30, 0, "edge")
    assert (move.degrees, move.translate, move.zoom, move.border) == (10, 0.1, (0.9, 1.1), "edge")
    assert third.augmentation == ()
    assert _patience(recipe) == [(48, 30), (64, 10), (64, 5)]


@pytest.mark.parametrize("variant", ["", "imagenet"])
def test_attention_is_added_to_the_trained_trunk_and_controllers_to_that(variant: str) -> None:
    at = f"@{variant}" if variant else ""
    added = MODELS[f"lhcnet{at}"]
    controlled = MODELS[f"lhcnet@{variant}-controlled" if variant else "lhcnet@controlled"]
    assert requirements_of(added, added.options)["trunk"].model == f"lhcnet-resnet34v2{at}"
    assert requirements_of(controlled, controlled.options)["plain"].model == f"lhcnet{at}"
    for model, role in ((added, "trunk"), (controlled, "plain")):
        assert model.recipe.init_from == InitFrom(role=role, mode="extend")
        assert all(stage.augmentation == () for stage in model.recipe.planned_stages())
    assert (_patience(added.recipe), _patience(controlled.recipe)) == ([(64, 3)], [(32, 1)])
    assert controlled.recipe.stages[0].trainable == ("attention.*.strength",)


def test_the_trunk_begins_as_published_or_from_scratch_and_is_trained_alike() -> None:
    scratch, published = MODELS["lhcnet-resnet34v2"], MODELS["lhcnet-resnet34v2@imagenet"]
    assert (scratch.weights, published.weights) == ((), (ferbench_lhcnet.IMAGENET,))
    assert published.recipe.init_from == InitFrom(weights="resnet34v2-imagenet")
    assert published.recipe.model_copy(update={"init_from": None}) == scratch.recipe


def test_the_short_script_trains_all_at_once_with_one_patience() -> None:
    joint = MODELS["lhcnet@joint"]
    assert joint.requires == {} and joint.recipe.init_from is None
    assert _patience(joint.recipe) == [(48, 8), (64, 8), (64, 8)]


def _patience(recipe: Recipe) -> list[tuple[int | None, int]]:
    """Batch size and patience of each stage; 0 for none."""
    stages = recipe.planned_stages()
    return [(stage.batch_size, stage.early_stopping.patience if stage.early_stopping else 0) for stage in stages]


def test_sixty_views_are_weighed_as_in_the_authors_inference() -> None:
    """``TTA_Inference`` of Lib/Utils.py: all turns, shifts and mirrors at full size, six views enlarged."""
    views = MODELS["lhcnet"].recipe.tta
    assert isinstance(views, GridViews)
    shift, turn, slight = 10 / 224, math.degrees(0.4), math.degrees(0.15)
    shifts, sides = (0.0, shift, -shift), (False, True)
    expected = {*product((0.0, turn, -turn), shifts, shifts, (1.0,), sides)}
    expected |= {(angle, 0.0, 0.0, 0.9, mirrored) for angle in (0.0, slight, -slight) for mirrored in sides}
    found = {
        (degrees, right, down, grid.zoom, mirrored)
        for grid in views.grids
        for degrees, right, down, mirrored in product(grid.degrees, grid.translate, grid.translate, sides)
    }
    assert len(found) == len(expected) == 60
    assert np.allclose(sorted(found), sorted(expected), atol=2e-3)
    assert views.plain == 3
    assert all(grid.mirror for grid in views.grids)
    assert {name for name, model in MODELS.items() if model.recipe.tta == views} == set(MODELS)


def test_its_claims_say_that_they_began_with_imagenet() -> None:
    claims = {name: (each.value, each.split, each.extra_data) for name, m in MODELS.items() for each in m.reported}
    assert claims == {
        "lhcnet-resnet34v2@imagenet": (0.7365, "test", "ImageNet-1k"),
        "lhcnet@imagenet": (0.7442, "test", "ImageNet-1k"),
        "lhcnet@imagenet-controlled": (0.7428, "test", "ImageNet-1k"),
    }
    assert all("fer2013-paper" in model.tags for model in MODELS.values())


def test_the_plugin_module_imports_neither_torch_nor_numpy() -> None:
    code = "import sys, ferbench_lhcnet; list(ferbench_lhcnet.ferbench_models())"
    code += "; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
