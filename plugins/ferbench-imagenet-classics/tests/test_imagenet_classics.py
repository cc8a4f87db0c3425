"""AlexNet and GoogLeNet: torchvision's networks at 224 pixels, and other sizes, channels and classes."""

from __future__ import annotations

import subprocess
import sys

import ferbench_imagenet_classics
import pytest
import torch
from ferbench_imagenet_classics.network import build_alexnet, build_googlenet
from torch import nn
from torchvision import models

from ferbench import NetSpec, SettingsError

MODELS = {model.full_name: model for model in ferbench_imagenet_classics.ferbench_models()}
SPEC = NetSpec(classes=7, channels=3, size=224)


def _shapes(net: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in net.state_dict().items()}


def test_parameters_and_names_are_torchvisions() -> None:
    with torch.device("meta"):
        alexnet, googlenet = build_alexnet(SPEC), build_googlenet(SPEC)
        assert _shapes(alexnet) == _shapes(models.alexnet(num_classes=7))
        assert _shapes(googlenet) == _shapes(models.googlenet(num_classes=7, aux_logits=False, init_weights=False))
    assert sum(parameter.numel() for parameter in alexnet.parameters()) == 57_032_519
    assert sum(parameter.numel() for parameter in googlenet.parameters()) == 5_607_079


@pytest.mark.parametrize("size", [63, 64, 95, 96, 128, 200, 223, 224, 256])
def test_alexnets_first_linear_layer_fits_what_its_convolutions_leave(size: int) -> None:
    with torch.device("meta"):
        assert build_alexnet(NetSpec(7, 3, size))(torch.zeros(2, 3, size, size)).shape == (2, 7)


def test_alexnet_gives_what_torchvisions_gives_at_224_pixels() -> None:
    torch.manual_seed(0)
    net, x = build_alexnet(SPEC).eval(), torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        features = net.get_submodule("features")(x)
        assert features.shape == (1, 256, 6, 6)
        assert torch.equal(nn.AdaptiveAvgPool2d(6)(features), features)  # so that leaving it out changes nothing


def test_googlenet_takes_small_grey_pictures() -> None:
    net = build_googlenet(NetSpec(6, 1, 32)).eval()
    assert net(torch.zeros(2, 1, 32, 32)).shape == (2, 6)
    with torch.device("meta"):
        assert build_alexnet(NetSpec(6, 1, 64))(torch.zeros(2, 1, 64, 64)).shape == (2, 6)


def test_pictures_that_are_too_small_are_refused_with_the_setting_to_mend() -> None:
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: alexnet needs pictures of 63 pixels or more"):
        build_alexnet(NetSpec(7, 3, 62))
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: googlenet needs pictures of 32 pixels or more"):
        build_googlenet(NetSpec(7, 3, 31))


def test_only_the_imagenet_variants_begin_with_weights_and_name_file_and_checksum() -> None:
    begun = {name: model.recipe.init_from for name, model in MODELS.items() if model.recipe.init_from}
    assert set(begun) == {"alexnet@imagenet", "googlenet@imagenet"}
    for name, source in begun.items():
        (weights,) = MODELS[name].weights
        assert source.weights == weights.name
        assert weights.sha256 in weights.how_to_get
        assert "ImageNet" in weights.trained_on


def test_googlenet_is_given_what_its_published_weights_were_trained_with() -> None:
    """torchvision turns ImageNet's normalisation into [−1, 1] inside; here pictures come so."""
    assert MODELS["googlenet@imagenet"].recipe.input.normalise == "signed"
    assert not build_googlenet(SPEC).transform_input
    assert MODELS["alexnet@imagenet"].recipe.input.normalise == "imagenet"


def test_only_the_division_that_the_listing_states_is_claimed() -> None:
    claims = {
        name: [(item.protocol, item.value) for item in MODELS[name].reported] for name in ("alexnet", "googlenet")
    }
    assert claims == {"alexnet": [("75-25", 0.65)], "googlenet": [("not-stated", 0.652)]}


def test_the_plugin_module_imports_neither_torch_nor_torchvision() -> None:
    code = "import sys, ferbench_imagenet_classics as p; list(p.ferbench_models())"
    code += "; print({'torch', 'torchvision'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
