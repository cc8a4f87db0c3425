"""The LMU networks: shapes, parameter counts, recipes and what they claim."""

from __future__ import annotations

import subprocess
import sys

import ferbench_secnn
import pytest
import torch
from torch import nn

from ferbench import Affine, Model, NetSpec, RandomErasing, SettingsError
from ferbench.nouns.reference import resolve

MODELS = {model.full_name: model for model in ferbench_secnn.ferbench_models()}
NAMES = ["lmu-cnn", "lmu-cnn@se", "lmu-cnn@se-aug", "lmu-cnn@se-residual", "lmu-cnn@resnet18"]


def _built(model: Model, classes: int = 6, size: int = 64) -> nn.Module:
    # With seed 0 the four hidden units of squeeze-and-excitation all start below zero, and the gate learns nothing.
    torch.manual_seed(1)
    network: nn.Module = resolve(model.build)(
        NetSpec(classes=classes, channels=3, size=size), **model.options.model_dump()
    )
    return network


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_five_networks_of_the_report_are_there() -> None:
    assert list(MODELS) == NAMES


@pytest.mark.parametrize(
    ("name", "six", "seven"),
    [
        ("lmu-cnn", 2_606_086, 2_606_599),
        ("lmu-cnn@se", 2_606_598, 2_607_111),
        ("lmu-cnn@se-aug", 2_606_598, 2_607_111),
        ("lmu-cnn@se-residual", 23_720_198, 23_721_223),
        ("lmu-cnn@resnet18", 11_179_590, 11_180_103),
    ],
)
def test_parameter_counts_are_those_of_the_authors(name: str, six: int, seven: int) -> None:
    with torch.device("meta"):
        assert _parameters(_built(MODELS[name], classes=6)) == six
        assert _parameters(_built(MODELS[name], classes=7)) == seven


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("lmu-cnn", [(64, 32), (128, 16), (256, 8), (512, 4)]),
        ("lmu-cnn@se", [(64, 32), (128, 16), (256, 8), (512, 4)]),
        ("lmu-cnn@se-residual", [(64, 64), (128, 32), (256, 16), (512, 8), (1024, 4)]),
    ],
)
def test_every_stage_has_the_channels_and_size_of_the_papers_figure(name: str, stages: list[tuple[int, int]]) -> None:
    network = _built(MODELS[name]).eval()
    x, seen = torch.zeros(2, 3, 64, 64), []
    for stage in network.get_submodule("stages").children():
        x = stage(x)
        seen.append((x.shape[1], x.shape[2]))
    assert seen == stages


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_learns(name: str) -> None:
    network = _built(MODELS[name], classes=7)
    logits = network(torch.randn(4, 3, 32, 32))
    assert logits.shape == (4, 7)
    nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 3])).backward()
    still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().any()]
    # A bias before batch normalisation cancels out; its gradient is rounding error, or exactly zero.
    assert [name for name in still if not name.endswith(".0.bias")] == []


def test_squeeze_and_excitation_scales_each_channel_by_its_own_number_between_0_and_1() -> None:
    from ferbench_secnn.network import SqueezeExcitation

    torch.manual_seed(0)
    x = torch.rand(2, 32, 5, 5) + 0.5
    ratio = SqueezeExcitation(32)(x) / x
    assert ((ratio > 0) & (ratio < 1)).all()
    assert torch.allclose(ratio, ratio[:, :, :1, :1].expand_as(ratio), atol=1e-6)
    assert ratio[0, :, 0, 0].std() > 0


def test_dropout_behind_the_convolutions_is_an_option_that_is_off() -> None:
    model = MODELS["lmu-cnn"]
    with_option = resolve(model.build)(NetSpec(6, 3, 64), squeeze=False, dropout=0.5, conv_dropout=0.2)
    rates = [module.p for module in with_option.modules() if isinstance(module, nn.Dropout)]
    assert rates == [0.2, 0.2, 0.2, 0.2, 0.5]
    assert [module.p for module in _built(model).modules() if isinstance(module, nn.Dropout)] == [0.5]


def test_resnet18_with_its_first_maximum_gives_what_torchvisions_gives() -> None:
    torchvision = pytest.importorskip("torchvision", reason="torchvision is not installed")
    from ferbench_secnn.resnet import build_resnet18

    torch.manual_seed(0)
    theirs = torchvision.models.resnet18(num_classes=6).eval()
    ours = build_resnet18(NetSpec(6, 3, 64), stem_pool=True).eval()
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(ours(x), theirs(x), atol=1e-5)


@pytest.mark.parametrize("name", ["lmu-cnn", "lmu-cnn@se-residual"])
def test_pictures_that_are_too_small_are_refused_with_the_setting_to_mend(name: str) -> None:
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: lmu-cnn needs pictures of 16 pixels or more"):
        _built(MODELS[name], size=12)


@pytest.mark.parametrize("name", NAMES)
def test_the_recipe_is_that_of_the_final_code(name: str) -> None:
    recipe = MODELS[name].recipe
    assert recipe.model_validate(recipe.model_dump()) == recipe
    assert (recipe.epochs, recipe.batch_size, recipe.input.size, recipe.input.channels) == (80, 16, 64, 3)
    assert recipe.input.normalise == "imagenet"
    assert recipe.optimizer.model_dump(include={"name", "lr", "momentum", "weight_decay"}) == {
        "name": "sgd",
        "lr": 1e-3,
        "momentum": 0.9,
        "weight_decay": 1e-4,
    }
    assert recipe.early_stopping is not None
    assert recipe.early_stopping.patience == 16  # the code stops when more than 15 are no better


def test_only_se_aug_augments_beyond_mirroring() -> None:
    strong = {name for name, model in MODELS.items() if len(model.recipe.augmentation) > 1}
    assert strong == {"lmu-cnn@se-aug"}
    kinds = {type(operation) for operation in MODELS["lmu-cnn@se-aug"].recipe.augmentation}
    assert {Affine, RandomErasing} < kinds


def test_only_the_default_variant_joins_the_fer2013_suite() -> None:
    assert [name for name, model in MODELS.items() if "fer2013" in model.tags] == ["lmu-cnn"]


def test_reported_numbers_are_of_six_classes_and_of_no_protocol_that_fer2013_ranks() -> None:
    numbers = [number for model in MODELS.values() for number in model.reported]
    assert len(numbers) == 14
    final = {(number.dataset, number.value) for number in numbers if number.paper}
    assert final == {("fer2013", 0.641), ("fer2013", 0.647), ("raf-db", 0.806), ("raf-db", 0.817)}
    assert all("training side" in number.caveat for number in numbers if not number.paper)
    assert {number.classes for number in numbers} == {6}
    assert {(number.dataset, number.protocol) for number in numbers} == {
        ("raf-db", "6-class"),
        ("fer2013", "6-class-merged"),
    }
    assert all(number.caveat and 0 < number.value < 1 for number in numbers)


@pytest.mark.parametrize("name", NAMES)
def test_every_value_of_the_search_space_fits_the_recipe_or_the_options(name: str) -> None:
    from ferbench.nouns.settings import revised

    model = MODELS[name]
    assert model.search_space
    for key, choice in model.search_space.items():
        for value in choice.values:  # type: ignore[union-attr]
            root, settings = (
                ("recipe.", model.recipe) if key.startswith("recipe.") else ("model.options.", model.options)
            )
            changed = revised(settings, {key.removeprefix(root): value})
            assert type(changed) is type(settings)


def test_the_plugin_module_imports_neither_torch_nor_numpy() -> None:
    code = "import sys, ferbench_secnn; list(ferbench_secnn.ferbench_models()); print('torch' in sys.modules)"
    code += "; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
