"""ViT, DeiT, ConvNeXt and ConViT: shapes, parameter counts, recipes of the report's tables, and initial weights."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import ferbench_vit_convnext
import pytest
import torch
from torch import nn

from ferbench import (
    Adam,
    AdamW,
    Choice,
    CutMix,
    DefaultInit,
    NetSpec,
    Plateau,
    RandAugment,
    RandomErasing,
    SettingsError,
)
from ferbench.nouns.reference import resolve
from ferbench.nouns.settings import revised
from ferbench.running.small import under_small_settings
from ferbench.training.initialise import initialise

MODELS = {model.full_name: model for model in ferbench_vit_convnext.ferbench_models()}
METHODS = ["vit", "deit", "convnext", "convit"]


def built(name: str, classes: int = 7, channels: int = 1, size: int = 224, **changes: Any) -> nn.Module:
    model = MODELS[name]
    network: nn.Module = resolve(model.build)(
        NetSpec(classes, channels, size), **{**model.options.model_dump(), **changes}
    )
    return network


def small(name: str) -> tuple[nn.Module, int]:
    recipe, options, _ = under_small_settings(MODELS[name], small=True)
    size = recipe.input.size or 0
    return built(name, size=size, **options.model_dump()), size


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_four_methods_the_reports_baseline_and_the_control_of_its_best_claim() -> None:
    assert sorted(MODELS) == sorted([*METHODS, "vit@no-augmentation", "convnext@imagenet"])
    assert {name for name, model in MODELS.items() if "fer2013-paper" in model.tags} == set(METHODS)


@pytest.mark.parametrize(
    ("name", "grey", "colour"),
    [
        ("vit", 85_410_823, 85_804_039),
        ("deit", 85_410_823, 85_804_039),
        ("convit", 85_383_207, 85_776_423),
        ("convnext", 27_822_439, 27_825_511),
    ],
)
def test_parameter_counts_at_one_and_three_channels(name: str, grey: int, colour: int) -> None:
    """ViT-B and ConViT-B see 16 × 16 pixels with 768 filters, ConvNeXt 4 × 4 with 96: so much more for two channels."""
    with torch.device("meta"):
        assert parameters(built(name)) == grey
        assert parameters(built(name, channels=3)) == colour


@pytest.mark.parametrize(
    ("name", "theirs"), [("vit", "vit_base_patch16_224"), ("convit", "convit_base"), ("convnext", "convnext_tiny")]
)
def test_with_imagenets_classes_the_networks_are_those_of_timm(name: str, theirs: str) -> None:
    import timm

    with torch.device("meta"):
        here, there = built(name, classes=1000, channels=3), timm.create_model(theirs)
    shapes = {key: value.shape for key, value in there.state_dict().items()}
    assert {key: value.shape for key, value in here.state_dict().items()} == shapes


def test_convnext_halves_three_times_and_doubles_its_channels() -> None:
    with torch.device("meta"):
        network, x, seen = built("convnext").eval(), torch.zeros(1, 1, 224, 224), []
        x = network.get_submodule("stem")(x)
        for stage in network.get_submodule("stages").children():
            x = stage(x)
            seen.append((x.shape[1], x.shape[2]))
    assert seen == [(96, 56), (192, 28), (384, 14), (768, 7)]


def test_transformers_see_196_patches_and_a_class_token_through_twelve_blocks() -> None:
    with torch.device("meta"):
        vit, convit = built("vit").eval(), built("convit").eval()
        assert vit.get_submodule("patch_embed")(torch.zeros(1, 1, 224, 224)).shape == (1, 196, 768)
        assert vit.get_parameter("pos_embed").shape == (1, 197, 768)
        assert len(list(vit.get_submodule("blocks").children())) == 12
    kinds = [type(block.get_submodule("attn")).__name__ for block in convit.get_submodule("blocks").children()]
    assert kinds == ["GPSA"] * 10 + ["MHSA"] * 2


@pytest.mark.parametrize("name", METHODS)
def test_every_parameter_of_the_small_network_learns(name: str) -> None:
    torch.manual_seed(0)
    network, size = small(name)
    if not isinstance(MODELS[name].recipe.init, DefaultInit):
        initialise(network, MODELS[name].recipe.init)
    reached: set[str] = set()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(3):  # what lies behind a position that begins at zero learns one step later
        optimizer.zero_grad()
        logits = network(torch.randn(7, 1, size, size))
        assert logits.shape == (7, 7)
        nn.functional.cross_entropy(logits, torch.arange(7)).backward()
        optimizer.step()
        reached |= {key for key, value in network.named_parameters() if value.grad is not None and value.grad.any()}
    assert reached == {key for key, _ in network.named_parameters()}


def test_convit_keeps_the_convolutional_beginning_that_drawing_weights_anew_would_undo() -> None:
    assert isinstance(MODELS["convit"].recipe.init, DefaultInit)
    network, _ = small("convit")
    attention = network.get_submodule("blocks.0.attn")
    values = attention.get_submodule("v").get_parameter("weight")
    assert torch.equal(values, torch.eye(len(values)))  # each head hands on what lies at its place
    initialise(network, MODELS["vit"].recipe.init)
    assert not torch.equal(values, torch.eye(len(values)))


@pytest.mark.parametrize("name", ["vit", "deit", "convnext"])
def test_the_others_begin_with_a_truncated_normal_of_0_02(name: str) -> None:
    init = MODELS[name].recipe.init
    assert init.model_dump() == {"name": "truncated-normal", "sd": 0.02}
    torch.manual_seed(0)
    network, _ = small(name)
    initialise(network, init)
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            assert float(module.weight.detach().abs().max()) <= 0.04
            assert module.bias is None or not module.bias.any()


@pytest.mark.parametrize(
    ("name", "optimizer", "lr", "epochs"),
    [
        ("vit", Adam, 3e-4, 85),
        ("deit", AdamW, 1.5e-4, 145),
        ("convnext", AdamW, 1e-4, 110),
        ("convit", AdamW, 1.5e-4, 145),
    ],
)
def test_the_recipes_are_those_of_tables_3_2_to_3_4(name: str, optimizer: type, lr: float, epochs: int) -> None:
    recipe = MODELS[name].recipe
    assert type(recipe).model_validate(recipe.model_dump(mode="json")) == recipe
    assert isinstance(recipe.optimizer, optimizer)
    assert (recipe.optimizer.lr, recipe.optimizer.weight_decay) == (lr, 1e-4)
    assert (recipe.epochs, recipe.batch_size, recipe.selection) == (epochs, 64, "best-val")
    assert isinstance(recipe.schedule, Plateau)
    assert (recipe.schedule.factor, recipe.schedule.patience) == (0.75, 5)
    assert (recipe.input.size, recipe.input.channels, recipe.input.normalise) == (224, 1, "unit")


def test_each_is_augmented_by_what_the_report_says_worked_best_for_it() -> None:
    kinds = {name: {type(op) for op in MODELS[name].recipe.augmentation} for name in METHODS}
    assert {name: CutMix in found for name, found in kinds.items()} == {
        "vit": False,
        "deit": True,
        "convnext": True,
        "convit": True,
    }
    assert [name for name, found in kinds.items() if RandAugment in found] == ["convnext"]
    assert all(RandomErasing in found for found in kinds.values())
    assert MODELS["vit@no-augmentation"].recipe.augmentation == ()


@pytest.mark.parametrize(
    ("name", "tried"),
    [
        ("vit", {"sgd", "adam"}),
        ("deit", {"sgd", "adam", "adamw", "radam"}),
        ("convnext", {"sgd", "adam", "adamw", "radam"}),
    ],
)
def test_the_optimizers_that_were_tried_are_searched_at_the_tables_rate_and_decay(name: str, tried: set[str]) -> None:
    recipe, space = MODELS[name].recipe, MODELS[name].search_space["recipe.optimizer"]
    assert isinstance(space, Choice)
    searched = {each["name"]: revised(recipe, {"optimizer": each}).optimizer for each in space.values}
    assert set(searched) == tried
    assert searched[recipe.optimizer.name] == recipe.optimizer
    assert {(each.lr, each.weight_decay) for each in searched.values()} == {(recipe.optimizer.lr, 1e-4)}


def test_stochastic_depth_rises_to_the_rate_of_the_option() -> None:
    def rates(name: str) -> list[float]:
        network, _ = small(name)
        return [float(m.drop_prob) for m in network.modules() if type(m).__name__ == "DropPath"]  # type: ignore[arg-type]

    assert rates("deit") == pytest.approx([0.05, 0.05, 0.1, 0.1])  # timm leaves it out of the first block
    assert rates("vit") == []


def test_imagenets_weights_are_named_and_what_they_have_seen_is_said() -> None:
    model = MODELS["convnext@imagenet"]
    (weights,) = model.weights
    assert model.recipe.init_from is not None
    assert model.recipe.init_from.weights == weights.name == "convnext-imagenet"
    assert weights.trained_on == "ImageNet-1k"
    assert (model.recipe.input.channels, model.recipe.input.normalise) == (3, "imagenet")
    assert isinstance(model.recipe.init, DefaultInit)
    assert not model.reported
    assert all(MODELS[name].recipe.init_from is None and not MODELS[name].weights for name in METHODS)


def test_reported_numbers_are_those_of_the_report() -> None:
    numbers = {(name, row.split): row.value for name, model in MODELS.items() for row in model.reported}
    assert numbers == {
        ("vit", "val"): 0.52,
        ("vit", "test"): 0.54,
        ("vit@no-augmentation", "val"): 0.40,
        ("deit", "val"): 0.516,
        ("deit", "test"): 0.521,
        ("convnext", "val"): 0.6701,
        ("convnext", "test"): 0.702,
    }
    assert all("scratch" in row.caveat and "99.18 %" in row.caveat for row in MODELS["convnext"].reported)
    assert all("90 % on the training side" in row.caveat for row in MODELS["deit"].reported)


@pytest.mark.parametrize(
    ("name", "size", "changes", "message"),
    [
        ("vit", 100, {}, r"recipe\.input\.size: patches of 16 pixels do not divide pictures of 100; 96 would do"),
        ("convit", 100, {}, r"recipe\.input\.size: patches of 16"),
        ("vit", 224, {"heads": 5}, r"model\.options\.heads: 5 heads do not divide a width of 768"),
        ("convnext", 24, {}, r"recipe\.input\.size: convnext needs pictures of 32 pixels or more"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_setting_to_mend(
    name: str, size: int, changes: dict[str, int], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        built(name, size=size, **changes)


def test_the_plugin_module_imports_neither_torch_nor_timm() -> None:
    code = "import sys, ferbench_vit_convnext; list(ferbench_vit_convnext.ferbench_models())"
    code += "; print('torch' in sys.modules, 'timm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
