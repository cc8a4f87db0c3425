"""Networks of timm by name: which names there are, what is built, and what is said of what cannot be."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import ferbench_timm
import pytest
import timm
import torch
from ferbench_timm.names import known_names
from torch import nn

from ferbench import Model, NetSpec, SettingsError, UnknownNameError
from ferbench.nouns.reference import resolve
from ferbench.plugins import discover

(FAMILY,) = ferbench_timm.ferbench_models()


def made(name: str) -> Model:
    model: Model = FAMILY.make(name)
    return model


def built(name: str, classes: int = 7, channels: int = 1, size: int = 224, **arguments: Any) -> nn.Module:
    with torch.device("meta"):
        net: nn.Module = resolve(made(name).build)(NetSpec(classes, channels, size), arguments=arguments)
        with torch.inference_mode():
            assert net.eval()(torch.zeros(2, channels, size, size)).shape == (2, classes)
    return net


def test_the_names_read_from_its_files_are_those_that_timm_lists() -> None:
    assert known_names() == set(timm.list_models())


@pytest.mark.parametrize(
    ("name", "size", "parameters"),
    [
        ("convnext_atto", 96, 3_375_487),
        ("resnet18", 48, 11_173_831),
        ("vit_tiny_patch16_224", 96, 5_396_743),
        ("swin_tiny_patch4_window7_224", 96, None),
        ("mixer_s32_224", 64, None),
        ("efficientnet_b0", 64, None),
    ],
)
def test_networks_are_built_for_the_pictures_and_classes_at_hand(name: str, size: int, parameters: int | None) -> None:
    net = built(name, size=size)
    assert parameters in (None, sum(parameter.numel() for parameter in net.parameters()))


def test_without_a_change_a_network_is_timms_own() -> None:
    ours = built("resnet18", classes=1000, channels=3)
    with torch.device("meta"):
        theirs = timm.create_model("resnet18")
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}


def test_arguments_reach_the_constructor_and_its_refusal_names_them() -> None:
    rates = [
        m.drop_prob for m in built("convnext_atto", drop_path_rate=0.2).modules() if type(m).__name__ == "DropPath"
    ]
    assert max(rates) == pytest.approx(0.2)  # type: ignore[type-var]
    with pytest.raises(SettingsError, match=r"model\.options\.arguments: timm's resnet18 refuses \{'colour': 3\}"):
        built("resnet18", colour=3)
    with pytest.raises(SettingsError, match="pretrained follow from recipe and data"):
        built("resnet18", pretrained=True)


def test_a_size_that_a_network_cannot_take_is_named() -> None:
    with pytest.raises(
        SettingsError, match=r"recipe\.input\.size: timm's bat_resnext26ts cannot be built for 224 pixels"
    ):
        built("bat_resnext26ts")
    built("bat_resnext26ts", size=256)


def test_the_size_in_a_name_is_the_recipes() -> None:
    sizes = {
        name: made(name).recipe.input.size for name in ("vit_base_patch16_384", "resnet18", "levit_384", "regnetx_320")
    }
    assert sizes == {"vit_base_patch16_384": 384, "resnet18": 224, "levit_384": 224, "regnetx_320": 224}
    assert made("swinv2_base_window12to24_192to384").reference.size == 384


def test_the_recipe_is_plain_data_and_trains_from_scratch() -> None:
    model = made("resnet18")
    assert type(model.recipe).model_validate(model.recipe.model_dump(mode="json")) == model.recipe
    assert (model.full_name, model.weights, model.recipe.init_from) == ("timm:resnet18", (), None)
    assert (model.recipe.input.channels, model.recipe.input.normalise) == (1, "mean-std")


def test_pretrained_names_weights_whose_data_only_the_user_knows() -> None:
    model = made("resnet18@pretrained")
    assert model.full_name == "timm:resnet18@pretrained"
    (weights,) = model.weights
    assert model.recipe.init_from is not None
    assert model.recipe.init_from.weights == weights.name == "timm-resnet18"
    assert weights.trained_on == ""
    assert (model.recipe.input.channels, model.recipe.input.normalise) == (3, "imagenet")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("timm:resnet81", "timm has no network 'resnet81'. Did you mean 'resnet18'"),
        ("timm:", "timm has no network ''."),
        ("timm:resnet18@pretraind", "has no variant 'pretraind'. Variants: timm:resnet18, timm:resnet18@pretrained."),
        ("timm:resnet18@", "timm:resnet18 has no variant ''"),
        ("timm:../resnet18", "timm has no network"),
    ],
)
def test_a_name_that_timm_does_not_have_is_answered_with_the_nearest(name: str, words: str) -> None:
    with pytest.raises(UnknownNameError) as raised:
        discover(only=["timm"]).model(name)
    assert words in str(raised.value)


def test_making_a_model_imports_neither_torch_nor_timm() -> None:
    code = "import sys, ferbench_timm; family, = ferbench_timm.ferbench_models(); family.make('resnet18@pretrained')"
    code += "; print('torch' in sys.modules, 'timm' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
