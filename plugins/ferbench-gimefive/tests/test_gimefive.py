"""GiMeFive: count, stages and places of dropout."""

from __future__ import annotations

import ferbench_gimefive
import pytest
import torch
from ferbench_gimefive.network import GiMeFive
from torch import nn
from torch.nn import functional as F

from ferbench import EarlyStopping, HorizontalFlip, NetSpec, RandomViews, SettingsError

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


@pytest.mark.parametrize(
    ("name", "rates"),
    [
        ("gimefive", [0.2] * 4 + [0.5]),
        ("gimefive@paper", [0.2] * 4 + [0.5]),
        ("gimefive@plain", [0.0] * 4 + [0.5]),
    ],
)
def test_dropout_stands_behind_every_block_but_the_last(name: str, rates: list[float]) -> None:
    with torch.device("meta"):
        net = GiMeFive(NetSpec(6, 3, 64), **MODELS[name].options.model_dump())
    assert [layer.p for layer in net.modules() if isinstance(layer, nn.Dropout)] == rates


def test_logits_are_what_the_authors_network_gives_step_by_step() -> None:
    torch.manual_seed(0)
    net = GiMeFive(NetSpec(6, 3, 32)).eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
    values, x = net.state_dict(), torch.randn(2, 3, 32, 32)
    seen = x
    for stage in range(5):
        conv, norm = f"stages.{stage}.0", f"stages.{stage}.1"
        seen = F.conv2d(seen, values[f"{conv}.weight"], values[f"{conv}.bias"], padding=1)
        mean, var = values[f"{norm}.running_mean"], values[f"{norm}.running_var"]
        seen = F.batch_norm(seen, mean, var, values[f"{norm}.weight"], values[f"{norm}.bias"])
        seen = F.max_pool2d(F.relu(seen), 2)
    expected = F.relu(F.linear(seen.mean((2, 3)), values["head.0.weight"], values["head.0.bias"]))
    expected = F.relu(F.linear(expected, values["head.3.weight"], values["head.3.bias"]))
    expected = F.linear(expected, values["head.5.weight"], values["head.5.bias"])
    with torch.no_grad():
        assert torch.allclose(net(x), expected, atol=1e-5)


def test_training_stops_after_the_sixteenth_epoch_that_is_no_better_as_in_the_code() -> None:
    for model in MODELS.values():
        assert model.recipe.early_stopping == EarlyStopping(patience=16)
        assert (model.recipe.epochs, model.recipe.batch_size, model.recipe.schedule.name) == (80, 16, "constant")


def test_only_the_paper_variant_mirrors_pictures_at_test() -> None:
    views = {name: model.recipe.tta for name, model in MODELS.items()}
    assert views.pop("gimefive@paper") == RandomViews(count=1)
    assert {view.name for view in views.values()} == {"none"}
    assert {model.recipe.augmentation for model in MODELS.values()} == {(HorizontalFlip(p=0.5),)}


def test_pictures_that_are_too_small_are_refused_with_the_setting_to_mend() -> None:
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: gimefive needs pictures of 32 pixels or more"):
        GiMeFive(NetSpec(7, 3, 31))


def test_reported_numbers_are_of_six_classes_and_of_no_protocol_that_fer2013_ranks() -> None:
    numbers = [number for model in MODELS.values() for number in model.reported]
    assert {(number.dataset, number.protocol, number.classes) for number in numbers} == {
        ("fer2013", "6-class-merged", 6),
        ("raf-db", "6-class", 6),
    }
    (own,) = {number.value for number in numbers if number.split == "authors-600"}
    assert own == 0.462
    others = {row.method: row.value for row in ferbench_gimefive.ferbench_reported()}
    assert others == {"VGG (Wang & Kawka)": 0.494, "ResNet34 (Wang & Kawka)": 0.671}
