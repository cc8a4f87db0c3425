"""The ten-layer network: what the abstract counts."""

from __future__ import annotations

import ferbench_saravanan
import pytest
import torch
from ferbench_saravanan.network import TenLayers
from torch import nn

from ferbench import NetSpec, SettingsError

(MODEL,) = ferbench_saravanan.ferbench_models()


def test_it_has_six_convolutions_two_maxima_and_two_linear_layers() -> None:
    with torch.device("meta"):
        net = TenLayers(MODEL.reference)
    kinds = [type(layer) for layer in net.modules()]
    assert [kinds.count(kind) for kind in (nn.Conv2d, nn.MaxPool2d, nn.Linear)] == [6, 2, 2]
    assert sum(parameter.numel() for parameter in net.parameters()) == 9_884_807


def test_every_stage_leaves_the_channels_and_places_of_the_readme() -> None:
    net, x, seen = TenLayers(NetSpec(7, 1, 48), hidden=4).eval(), torch.zeros(2, 1, 48, 48), []
    for stage in net.stages:
        x = stage(x)
        seen.append(tuple(x.shape[1:]))
    assert seen == [(64, 24, 24), (128, 12, 12)]
    assert TenLayers(NetSpec(6, 3, 4), hidden=4).eval()(torch.zeros(2, 3, 4, 4)).shape == (2, 6)


def test_pictures_that_are_too_small_are_refused_with_the_setting_to_mend() -> None:
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: saravanan needs pictures of 4 pixels or more"):
        TenLayers(NetSpec(7, 1, 3))
