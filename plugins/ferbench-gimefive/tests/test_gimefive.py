"""GiMeFive: count, stages and places of dropout."""

from __future__ import annotations

import ferbench_gimefive
import pytest
import torch
from ferbench_gimefive.network import GiMeFive
from torch import nn

from ferbench import NetSpec, SettingsError

MODELS = {model.full_name: model for model in ferbench_gimefive.ferbench_models()}


def test_the_parameters_are_those_of_the_authors() -> None:
    with torch.device("meta"):
        net = GiMeFive(NetSpec(6, 3, 64))
    assert sum(parameter.numel() for parameter in net.parameters()) == 10_478_086


def test_every_stage_has_the_channels_and_size_of_the_readme() -> None:
    net, x, seen = GiMeFive(NetSpec(7, 3, 64)).eval(), torch.zeros(1, 3, 64, 64), []
    for stage in net.stages:
        x = stage(x)
        seen.append((x.shape[1], x.shape[2]))
    assert seen == [(64, 32), (128, 16), (256, 8), (512, 4), (1024, 2)]
    with torch.device("meta"):
        assert GiMeFive(NetSpec(8, 1, 32))(torch.zeros(2, 1, 32, 32)).shape == (2, 8)


@pytest.mark.parametrize(("name", "rates"), [("gimefive", [0.2] * 4 + [0.5]), ("gimefive@plain", [0.0] * 4 + [0.5])])
def test_dropout_stands_behind_every_block_but_the_last(name: str, rates: list[float]) -> None:
    with torch.device("meta"):
        net = GiMeFive(NetSpec(6, 3, 64), **MODELS[name].options.model_dump())
    assert [layer.p for layer in net.modules() if isinstance(layer, nn.Dropout)] == rates


def test_pictures_that_are_too_small_are_refused_with_the_setting_to_mend() -> None:
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: gimefive needs pictures of 32 pixels or more"):
        GiMeFive(NetSpec(7, 3, 31))


def test_reported_numbers_are_of_six_classes_and_of_no_protocol_that_fer2013_ranks() -> None:
    numbers = [number for model in MODELS.values() for number in model.reported]
    assert {(number.dataset, number.protocol, number.classes) for number in numbers} == {
        ("fer2013", "6-class-merged", 6),
        ("raf-db", "6-class", 6),
    }
