"""ResEmoteNet: counts, shapes, dropout, and pictures that are mirrored at test as in the authors' code."""

from __future__ import annotations

import ferbench_resemotenet
import pytest
import torch
from ferbench_resemotenet.network import ResEmoteNet, SqueezeExcitation
from torch import nn
from torch.nn import functional as F

from ferbench import EarlyStopping, HorizontalFlip, NetSpec, RandomViews, SettingsError

MODELS = {model.full_name: model for model in ferbench_resemotenet.ferbench_models()}
SPEC = NetSpec(classes=7, channels=3, size=64)


def test_the_parameter_count_is_that_of_the_authors_network() -> None:
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in ResEmoteNet(SPEC).parameters()) == 80_238_599


def test_every_stage_has_the_channels_and_size_of_the_authors_code() -> None:
    with torch.device("meta"):
        network = ResEmoteNet(SPEC).eval()
        x, seen = torch.zeros(2, 3, 64, 64), []
        for stage in network.stages:
            x = stage(x)
            seen.append((x.shape[1], x.shape[2]))
        assert seen == [(64, 32), (128, 16), (256, 8), (512, 4), (1024, 2), (2048, 1)]
        linear = [layer.out_features for layer in network.head if isinstance(layer, nn.Linear)]
    assert linear == [1024, 512, 256, 7]


def test_logits_are_what_the_authors_network_gives_step_by_step() -> None:
    torch.manual_seed(0)
    network = ResEmoteNet(NetSpec(classes=7, channels=3, size=16), width=4).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
    values, x = network.state_dict(), torch.randn(2, 3, 16, 16)

    def folded(x: torch.Tensor, conv: str, norm: str, stride: int = 1) -> torch.Tensor:
        weight = values[f"{conv}.weight"]
        x = F.conv2d(x, weight, values[f"{conv}.bias"], stride=stride, padding=weight.shape[-1] // 2)
        mean, var = values[f"{norm}.running_mean"], values[f"{norm}.running_var"]
        return F.batch_norm(x, mean, var, values[f"{norm}.weight"], values[f"{norm}.bias"])

    seen = x
    for stage in range(3):
        seen = F.max_pool2d(F.relu(folded(seen, f"stages.{stage}.0", f"stages.{stage}.1")), 2)
    squeezed = F.relu(seen.mean((2, 3)) @ values["stages.2.4.gate.0.weight"].T)
    seen = seen * torch.sigmoid(squeezed @ values["stages.2.4.gate.2.weight"].T)[..., None, None]
    for stage in (3, 4, 5):
        at = f"stages.{stage}"
        inner = F.relu(folded(seen, f"{at}.body.0", f"{at}.body.1", stride=2))
        beside = folded(seen, f"{at}.shortcut.0", f"{at}.shortcut.1", stride=2)
        seen = F.relu(folded(inner, f"{at}.body.3", f"{at}.body.4") + beside)
    expected = seen.mean((2, 3))
    for layer in (0, 3, 6):
        expected = F.relu(F.linear(expected, values[f"head.{layer}.weight"], values[f"head.{layer}.bias"]))
    expected = F.linear(expected, values["head.9.weight"], values["head.9.bias"])
    with torch.no_grad():
        assert torch.allclose(network(x), expected, atol=1e-5)


def test_dropout_stands_behind_two_stages_and_three_hidden_layers_and_is_off_at_evaluation() -> None:
    network = ResEmoteNet(SPEC, width=4)
    assert [layer.p for layer in network.modules() if isinstance(layer, nn.Dropout)] == [0.2] * 2 + [0.5] * 3
    x = torch.rand(4, 3, 64, 64)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


def test_squeeze_and_excitation_scales_each_channel_by_its_own_number_between_0_and_1() -> None:
    torch.manual_seed(0)
    x = torch.rand(2, 32, 5, 5) + 0.5
    ratio = SqueezeExcitation(32)(x) / x
    assert ((ratio > 0) & (ratio < 1)).all()
    assert torch.allclose(ratio, ratio[:, :, :1, :1].expand_as(ratio), atol=1e-6)
    assert ratio[0, :, 0, 0].std() > 0


def test_only_the_paper_variant_mirrors_pictures_at_test() -> None:
    honest, paper = MODELS["resemotenet"].recipe, MODELS["resemotenet@paper"].recipe
    assert honest.tta.name == "none"
    assert paper.tta == RandomViews(count=1)
    assert paper.augmentation == honest.augmentation == (HorizontalFlip(p=0.5),)
    assert paper.selection == honest.selection == "best-val"


def test_training_stops_after_the_sixteenth_epoch_that_is_no_better_as_in_the_code() -> None:
    recipe = MODELS["resemotenet"].recipe
    assert recipe.model_validate(recipe.model_dump(mode="json")) == recipe
    assert recipe.early_stopping == EarlyStopping(patience=16)
    assert (recipe.epochs, recipe.batch_size, recipe.schedule.name) == (80, 16, "constant")


def test_the_claim_is_said_to_be_disputed() -> None:
    for model in MODELS.values():
        claim = next(number for number in model.reported if number.dataset == "fer2013")
        assert claim.value == 0.7979
        assert claim.caveat.startswith("disputed")
    (cited,) = ferbench_resemotenet.ferbench_reported()
    assert (cited.value, cited.extra_data) == (0.7597, "pretrained weights") and "Vignesh" in cited.caveat


def test_other_pictures_and_classes_fit_down_to_8_pixels() -> None:
    assert ResEmoteNet(NetSpec(8, 1, 8), width=2).eval()(torch.zeros(2, 1, 8, 8)).shape == (2, 8)
    with pytest.raises(SettingsError, match=r"recipe\.input\.size: resemotenet needs pictures of 8 pixels or more"):
        ResEmoteNet(NetSpec(7, 1, 7))
