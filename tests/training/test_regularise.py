"""Rates of dropout and stochastic depth, and what our own layer does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import ferbench
from ferbench import DropPath, SettingsError
from ferbench.training.regularise import set_drop_path, set_dropout


class Block(nn.Module):
    """Two branches of a transformer's block."""

    def __init__(self) -> None:
        super().__init__()
        self.drop_path1, self.drop_path2 = DropPath(), DropPath()


def test_dropout_sets_every_layer_of_dropout() -> None:
    layers = nn.Dropout(0.1), nn.Dropout2d(), nn.AlphaDropout()
    other = DropPath(0.2)
    set_dropout(nn.Sequential(layers[0], nn.Sequential(*layers[1:]), other), 0.4)
    assert [*(layer.p for layer in layers), other.drop_prob] == [0.4, 0.4, 0.4, 0.2]


def test_drop_path_rises_linearly_by_layer() -> None:
    net = nn.Sequential(DropPath(), Block(), DropPath(), DropPath())
    set_drop_path(net, 0.3)
    found = [layer.drop_prob for layer in net.modules() if isinstance(layer, DropPath)]
    assert found == pytest.approx([0.0, 0.1, 0.1, 0.2, 0.3])
    alone = nn.Sequential(DropPath())
    set_drop_path(alone, 0.3)
    assert alone[0].drop_prob == 0.3


def test_drop_path_gives_torchvisions_network_the_rates_of_its_own_rule() -> None:
    models = pytest.importorskip("torchvision.models")
    from torchvision.ops import StochasticDepth

    def rates(net: nn.Module) -> list[float]:
        return [layer.p for layer in net.modules() if isinstance(layer, StochasticDepth)]

    net = models.convnext_tiny()
    reference = rates(net)  # built with 0.1
    set_drop_path(net, 0.2)
    assert rates(net) == pytest.approx([2 * rate for rate in reference])


def test_drop_path_gives_timms_network_the_rates_of_its_own_rule() -> None:
    timm = pytest.importorskip("timm")
    net = timm.create_model("vit_tiny_patch16_224", drop_path_rate=0.5)
    reference = [layer.drop_prob for layer in net.modules() if type(layer).__name__ == "DropPath"]
    set_drop_path(net, 0.2)
    found = [layer.drop_prob for layer in net.modules() if type(layer).__name__ == "DropPath"]
    assert len(found) == len(reference) == 22, "timm leaves the layer out of the first block"
    assert found == pytest.approx([0.2 * (number // 2) / 10 for number in range(22)])


def test_a_network_without_such_layers_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"recipe\.dropout: Linear has no dropout layer"):
        set_dropout(nn.Linear(2, 2), 0.1)
    with pytest.raises(SettingsError, match=r"recipe\.drop_path: Linear has no layer of stochastic depth"):
        set_drop_path(nn.Linear(2, 2), 0.1)


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    layer = ferbench.DropPath(0.25)
    branch = torch.ones(20_000, 2, 1, 3)
    seen = layer(branch)
    per_sample = seen.flatten(1)
    assert torch.equal(per_sample.amin(1), per_sample.amax(1))
    assert sorted(set(per_sample[:, 0].tolist())) == pytest.approx([0.0, 4 / 3])
    assert float(seen.mean()) == pytest.approx(1.0, abs=0.02)
    assert layer.eval()(branch) is branch
