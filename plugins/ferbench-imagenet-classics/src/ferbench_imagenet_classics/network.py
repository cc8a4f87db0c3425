"""torchvision's AlexNet and GoogLeNet, for pictures of any sensible size and any number of channels and classes."""

from __future__ import annotations

from torch import nn
from torchvision import models

from ferbench import NetSpec, Problem, SettingsError

SMALLEST_ALEXNET, SMALLEST_GOOGLENET = 63, 32


def build_alexnet(spec: NetSpec, *, dropout: float = 0.5) -> nn.Module:
    """AlexNet in one tower (Krizhevsky 2014): 57,032,519 parameters for 3 channels, 224 pixels and 7 classes.

    Names, shapes and outputs are torchvision's at 224 pixels. At others the first linear layer has another width:
    torchvision averages to 6 × 6 places instead, whose gradient on CUDA is not repeatable. Raises SettingsError for
    pictures below 63 pixels.
    """
    _check_size(spec, SMALLEST_ALEXNET, "alexnet")
    net: nn.Module = models.alexnet(num_classes=spec.classes, dropout=dropout)
    features, head = net.get_submodule("features"), net.get_submodule("classifier")
    assert isinstance(features, nn.Sequential)
    assert isinstance(head, nn.Sequential)
    if spec.channels != 3:
        features[0] = nn.Conv2d(spec.channels, 64, 11, stride=4, padding=2)
    net.avgpool = nn.Identity()
    side = (spec.size - 7) // 4 + 1
    for _ in range(3):
        side = (side - 3) // 2 + 1
    if side != 6:
        head[1] = nn.Linear(256 * side**2, 4096)
    return net


def build_googlenet(spec: NetSpec, *, dropout: float = 0.4) -> nn.Module:
    """GoogLeNet (Szegedy et al. 2015) as torchvision has it, without the auxiliary classifiers.

    5,607,079 parameters for 3 channels and 7 classes. Raises SettingsError for pictures below 32 pixels.
    """
    _check_size(spec, SMALLEST_GOOGLENET, "googlenet")
    net: nn.Module = models.googlenet(
        num_classes=spec.classes, aux_logits=False, transform_input=False, init_weights=True, dropout=dropout
    )
    if spec.channels != 3:
        first = net.get_submodule("conv1")
        first.conv = nn.Conv2d(spec.channels, 64, 7, stride=2, padding=3, bias=False)
        nn.init.trunc_normal_(first.get_parameter("conv.weight"), std=0.01, a=-2, b=2)
    return net


def _check_size(spec: NetSpec, smallest: int, name: str) -> None:
    if spec.size < smallest:
        message = f"{name} needs pictures of {smallest} pixels or more (given: {spec.size})"
        raise SettingsError([Problem("recipe.input.size", message)])
