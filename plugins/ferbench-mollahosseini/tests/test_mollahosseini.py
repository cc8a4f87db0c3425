"""The inception network: stages, branches, and what the abstract says of it."""

from __future__ import annotations

import ferbench_mollahosseini
import pytest
import torch
from ferbench_mollahosseini.network import FIRST, Inception, InceptionNet
from torch import nn

from ferbench import NetSpec, SettingsError

(MODEL,) = ferbench_mollahosseini.ferbench_models()


def test_two_convolutions_with_maxima_come_before_four_inception_modules() -> None:
    with torch.device("meta"):
        net = InceptionNet(MODEL.reference)
    kinds = [type(layer) for layer in net.stem.modules()]
    assert (kinds.count(nn.Conv2d), kinds.count(nn.MaxPool2d)) == (2, 2)
    assert sum(isinstance(layer, Inception) for layer in net.modules()) == 4
    with torch.device("meta"):
        plain = InceptionNet(MODEL.reference, norm=False)
    assert sum(parameter.numel() for parameter in net.parameters()) == 7_798_039
    assert sum(parameter.numel() for parameter in plain.parameters()) == 7_795_503
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in plain.modules())


def test_every_stage_leaves_the_channels_and_places_of_the_readme() -> None:
    net = InceptionNet(NetSpec(7, 1, 48)).eval()
    x = net.stem(torch.zeros(2, 1, 48, 48))
    assert x.shape == (2, 192, 6, 6)
    assert net.first[0](x).shape == (2, 256, 6, 6)
    x = net.first(x)
    assert x.shape == (2, 480, 3, 3)
    assert net.last(x).shape == (2, 512, 3, 3)
    assert InceptionNet(NetSpec(6, 3, 16), hidden=(8, 8)).eval()(torch.zeros(2, 3, 16, 16)).shape == (2, 6)


def test_a_module_has_a_real_five_by_five_branch_and_keeps_the_places() -> None:
    module = Inception(192, FIRST[0])
    kernels = [layer.kernel_size for layer in module.modules() if isinstance(layer, nn.Conv2d)]
    assert kernels == [(1, 1), (1, 1), (3, 3), (1, 1), (5, 5), (1, 1)]
    assert module(torch.zeros(1, 192, 5, 7)).shape == (1, FIRST[0].total, 5, 7)


def test_pictures_that_are_too_small_are_refused_with_the_setting_to_mend() -> None:
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: mollahosseini needs pictures of 16 pixels or more"):
        InceptionNet(NetSpec(7, 1, 15))


def test_its_number_claims_no_division_since_none_is_named_where_it_is_cited() -> None:
    (number,) = MODEL.reported
    assert (number.value, number.protocol) == (0.664, "not-stated")
    assert number.caveat == "the table that cites it names no division; not verified in the paper itself"
