"""Trained weights in a fresh network: what is loaded, adapted, left out and refused."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ferbench import TrainingError
from ferbench.training.transfer import go_on, transfer


class Net(nn.Module):
    """A convolution, normalisation, a linear head; a transformer of the picture that comes last in its constructor."""

    def __init__(self, channels: int = 1, classes: int = 3, width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.head = nn.Linear(width, classes)
        self.turn = nn.Conv2d(width, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes]."""
        features = self.norm(self.conv(x))
        turned = features * self.turn(features).mean(1, keepdim=True)
        return torch.as_tensor(self.head(turned.mean((2, 3))))


def given(**settings: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    return {name: torch.rand_like(value.float()) for name, value in Net(**settings).state_dict().items()}


def picture(channels: int = 1) -> dict[str, torch.Tensor]:
    return {"image": torch.zeros(1, channels, 8, 8)}


def equal(net: nn.Module, weights: dict[str, torch.Tensor], *names: str) -> list[bool]:
    own = net.state_dict()
    return [torch.equal(own[name], weights[name].to(own[name].dtype)) for name in names]


def test_all_but_the_last_layer_is_loaded_buffers_too() -> None:
    net, weights = Net(), given()
    head = net.head.weight.detach().clone()
    found = transfer(net, weights, 3, picture(), "it")
    assert found.left_out == ("head.weight", "head.bias"), "the layer that is called last, though turn is named last"
    assert torch.equal(net.head.weight, head), "also where the number of classes agrees"
    assert all(equal(net, weights, "conv.weight", "conv.bias", "norm.weight", "norm.running_mean", "turn.weight"))
    assert len(found.loaded) == 9
    assert found.counts == {
        "loaded": 9,
        "adapted": 0,
        "left_out": 2,
        "mismatched": 0,
        "missing": 0,
        "unused": 0,
    }


def test_a_last_layer_of_other_classes_is_left_out_and_not_called_mismatched() -> None:
    found = transfer(Net(classes=7), given(classes=1000), 7, picture(), "it")
    assert found.left_out == ("head.weight", "head.bias")
    assert dict(found.mismatched) == {}


def test_what_does_not_fit_is_told_by_name_and_shape() -> None:
    weights = given()
    weights["turn.weight"] = torch.zeros(5, 4, 1, 1)
    weights["turn.extra"] = torch.zeros(1)
    del weights["norm.weight"], weights["head.bias"]
    found = transfer(Net(), weights, 3, picture(), "it")
    assert dict(found.mismatched) == {"turn.weight": "[5, 4, 1, 1] → [3, 4, 1, 1]"}
    assert found.missing == ("norm.weight",)
    assert found.unused == ("turn.extra",)
    assert found.plain()["mismatched"] == {"turn.weight": "[5, 4, 1, 1] → [3, 4, 1, 1]"}


def test_colour_weights_see_a_grey_picture_as_the_same_grey_in_three_channels() -> None:
    grey, colour, weights = Net(channels=1), Net(channels=3), given(channels=3)
    found = transfer(grey, weights, 3, picture(1), "it")
    transfer(colour, weights, 3, picture(3), "it")
    assert dict(found.adapted) == {"conv.weight": "3 channels summed into 1"}
    assert "conv.weight" in found.loaded and not found.mismatched
    x = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(grey.conv(x), colour.conv(x.expand(-1, 3, -1, -1)))


def test_grey_weights_are_spread_over_three_channels() -> None:
    grey, colour, weights = Net(channels=1), Net(channels=3), given(channels=1)
    transfer(grey, weights, 3, picture(1), "it")
    found = transfer(colour, weights, 3, picture(3), "it")
    assert dict(found.adapted) == {"conv.weight": "1 channel spread over 3"}
    x = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(grey.conv(x), colour.conv(x.expand(-1, 3, -1, -1)))


def test_a_deeper_convolution_is_never_adapted() -> None:
    weights = given()
    weights["turn.weight"] = torch.zeros(3, 1, 1, 1)
    assert "turn.weight" in transfer(Net(), weights, 3, picture(), "it").mismatched


def test_weights_of_another_architecture_are_refused_with_names_of_both() -> None:
    weights = {"features.0.weight": torch.zeros(8, 3, 3, 3), "norm.num_batches_tracked": torch.tensor(1)}
    with pytest.raises(TrainingError, match=r"Nothing of it fits.*conv.weight \[4, 1, 3, 3\].*features.0.weight \[8"):
        transfer(Net(), weights, 3, picture(), "it")


def test_a_network_without_a_layer_for_its_classes_takes_everything() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten())
    found = transfer(net, {"0.weight": torch.ones(4, 1, 3, 3), "0.bias": torch.ones(4)}, 3, picture(), "it")
    assert (found.loaded, found.left_out) == (("0.weight", "0.bias"), ())


def test_to_go_on_everything_is_loaded_the_last_layer_too() -> None:
    net, weights = Net(), given()
    del weights["norm.num_batches_tracked"]
    found = go_on(net, weights | {"epoch": torch.tensor(3)}, "it")
    assert all(equal(net, weights, *weights))
    assert (found.missing, found.unused) == (("norm.num_batches_tracked",), ("epoch",))


def test_a_network_with_parts_of_its_own_extends_what_was_trained() -> None:
    net = Net()
    net.own = nn.Linear(2, 2)
    before = net.own.weight.detach().clone()
    found = go_on(net, given(), "it", extends=True)
    assert all(equal(net, given(), *given()))
    assert torch.equal(net.own.weight, before) and {"own.weight", "own.bias"} <= set(found.missing)
    with pytest.raises(TrainingError, match=r"the network lacks extra.weight"):
        go_on(net, given() | {"extra.weight": torch.zeros(1)}, "it", extends=True)


def test_to_go_on_no_parameter_may_lack_or_differ_and_nothing_is_loaded_then() -> None:
    net, weights = Net(), given(classes=5)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    del weights["norm.bias"]
    with pytest.raises(TrainingError, match=r"they lack norm.bias; shapes differ: head.weight \[5, 4\] → \[3, 4\]"):
        go_on(net, weights, "it")
    assert all(equal(net, before, *before))
