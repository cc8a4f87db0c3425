"""Xception: count, sizes, and where its weights come from."""

from __future__ import annotations

import ferbench_xception
import pytest
import torch
from ferbench_xception.network import build
from torch import nn

from ferbench import NetSpec, SettingsError

MODELS = {model.full_name: model for model in ferbench_xception.ferbench_models()}


def test_the_parameters_are_chollets_but_for_the_last_layer() -> None:
    """22,855,952 for 1,000 classes, of which the last layer has 2,049 each."""
    with torch.device("meta"):
        net = build(MODELS["xception"].reference)
    assert sum(parameter.numel() for parameter in net.parameters()) == 22_855_952 - 993 * 2049 == 20_821_295


def test_other_pictures_and_classes_fit_down_to_a_smallest_size() -> None:
    with torch.device("meta"):
        assert build(NetSpec(6, 1, 32))(torch.zeros(2, 1, 32, 32)).shape == (2, 6)
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: xception needs pictures of 32 pixels or more"):
        build(NetSpec(7, 3, 31))


def test_the_network_has_thirty_six_convolutions_in_fourteen_modules() -> None:
    """Section 3 of the paper; a separable convolution counts as one, and the shortcuts are not counted."""
    with torch.device("meta"):
        net = build(MODELS["xception"].reference)
    depthwise = [m for m in net.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    assert len(depthwise) + 2 == 36
    assert len([name for name, _ in net.named_children() if name.startswith("block")]) == 12


def test_only_the_imagenet_variant_begins_with_weights() -> None:
    assert MODELS["xception"].recipe.init_from is None
    source = MODELS["xception@imagenet"].recipe.init_from
    assert source is not None
    assert [weights.name for weights in MODELS["xception@imagenet"].weights] == [source.weights]
