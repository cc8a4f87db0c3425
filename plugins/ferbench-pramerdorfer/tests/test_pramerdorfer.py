"""Pramerdorfer and Kampel's networks: depths, counts, shapes, ten views and dropout."""

from __future__ import annotations

import ferbench_pramerdorfer
import numpy as np
import pytest
import torch
from ferbench_pramerdorfer.inception import InceptionModule
from torch import nn

from ferbench import Batch, Model, NetSpec, PadCrop, RandomViews, SettingsError
from ferbench.nouns.reference import resolve
from ferbench.training.prepare import Preparer

MODELS = {model.name: model for model in ferbench_pramerdorfer.ferbench_models()}
NAMES = ["pramerdorfer-vgg", "pramerdorfer-inception", "pramerdorfer-resnet"]


def _built(model: Model, spec: NetSpec | None = None) -> nn.Module:
    network: nn.Module = resolve(model.build)(spec or model.reference, **model.options.model_dump())
    return network


def _depth(network: nn.Module) -> int:
    """Layers one behind the other: an Inception module has two, and a shortcut none."""
    depth = 0
    for name, module in network.named_modules():
        if isinstance(module, InceptionModule):
            depth += 2
        elif isinstance(module, nn.Conv2d | nn.Linear) and ".paths." not in name and "shortcut" not in name:
            depth += 1
    return depth


@pytest.mark.parametrize(
    ("name", "depth", "parameters"),
    [(NAMES[0], 10, 1_764_775), (NAMES[1], 16, 1_189_167), (NAMES[2], 33, 5_315_975)],
)
def test_depths_are_those_of_the_authors_and_the_vgg_has_its_1_8_million_parameters(
    name: str, depth: int, parameters: int
) -> None:
    with torch.device("meta"):
        network = _built(MODELS[name])
    assert _depth(network) == depth
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters
    if name == "pramerdorfer-vgg":
        assert round(parameters, -5) == 1_800_000


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("pramerdorfer-vgg", [(32, 24), (64, 12), (128, 6), (256, 3)]),
        ("pramerdorfer-resnet", [(32, 48), (64, 24), (128, 12), (256, 6)]),
        ("pramerdorfer-inception", [(72, 48), (216, 24), (360, 12), (504, 6)]),
    ],
)
def test_every_stage_leaves_its_channels_and_size(name: str, shapes: list[tuple[int, int]]) -> None:
    seen: list[tuple[int, int]] = []

    def note(_module: nn.Module, _given: tuple[torch.Tensor, ...], left: torch.Tensor) -> None:
        seen.append((left.shape[1], left.shape[2]))

    with torch.device("meta"):
        network = _built(MODELS[name]).eval()
        for stage in network.get_submodule("stages").children():
            stage.register_forward_hook(note)
        assert network(torch.zeros(2, 1, 48, 48)).shape == (2, 7)
    assert seen == shapes


def test_an_inception_module_is_shared_out_by_its_3_x_3_kernels() -> None:
    with torch.device("meta"):
        module = InceptionModule(72, 64)
    sizes = [
        [(layer.out_channels, layer.kernel_size[0]) for layer in path.modules() if isinstance(layer, nn.Conv2d)]
        for path in module.paths
    ]
    assert sizes == [[(48, 1)], [(32, 1), (64, 3)], [(8, 1), (16, 5)], [(16, 1)]]


def test_dropout_stands_behind_every_stage_of_the_vgg_and_its_hidden_layer_and_is_off_at_evaluation() -> None:
    network = _built(MODELS["pramerdorfer-vgg"], NetSpec(7, 1, 16))
    assert [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)] == [0.2] * 4 + [0.5]
    x = torch.rand(3, 1, 16, 16)
    network.eval()
    assert torch.equal(network(x), network(x))


def test_ten_views_are_crops_of_48_pixels_drawn_with_a_fixed_seed() -> None:
    recipe = MODELS["pramerdorfer-resnet"].recipe
    assert recipe.tta == RandomViews(count=10, seed=0)
    pictures = torch.randint(0, 256, (4, 1, 48, 48), dtype=torch.uint8)
    batch = Batch({"image": pictures}, torch.zeros(4, dtype=torch.int64))
    made = Preparer(recipe.input).train(batch, recipe.augmentation, np.random.default_rng(0))
    assert made.inputs["image"].shape == (4, 1, 48, 48)


def test_padding_brings_no_black_into_the_histogram_that_is_made_even_afterwards() -> None:
    recipe = MODELS["pramerdorfer-vgg"].recipe
    padding = recipe.augmentation[0]
    assert isinstance(padding, PadCrop) and padding.border == "symmetric"
    assert recipe.input.equalise


@pytest.mark.parametrize("name", NAMES)
def test_other_pictures_and_classes_fit(name: str) -> None:
    assert _built(MODELS[name], NetSpec(8, 3, 20)).eval()(torch.zeros(2, 3, 20, 20)).shape == (2, 8)


def test_pictures_that_are_too_small_for_the_vgg_are_refused_with_the_setting_to_mend() -> None:
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: pramerdorfer-vgg needs pictures of 16 pixels"):
        _built(MODELS["pramerdorfer-vgg"], NetSpec(7, 1, 15))


def test_each_network_has_its_number_and_all_have_one_recipe() -> None:
    assert [MODELS[name].reported[0].value for name in NAMES] == [0.727, 0.716, 0.724]
    (ensemble,) = ferbench_pramerdorfer.ferbench_reported()
    assert (ensemble.value, ensemble.paper) == (0.752, ferbench_pramerdorfer.PAPER)
    first, *others = (MODELS[name].recipe for name in NAMES)
    assert first.model_validate(first.model_dump(mode="json")) == first
    assert all(recipe == first for recipe in others)
