"""Weights that are held at zero: the sparse part of dense-sparse-dense training (Han et al., ICLR 2017)."""

from __future__ import annotations

import torch
from torch import nn

Masks = tuple[tuple[nn.Parameter, torch.Tensor], ...]
"""Weights, and which of their elements stay (1) or are held at zero (0)."""


def pruned(net: nn.Module, sparsity: float) -> Masks:
    """Set the smallest ``sparsity`` of each learning layer's weights to zero, by magnitude; return what is held there.

    Layers are convolutions and linear ones: their biases, and normalisation layers, stay dense.
    """
    masks = []
    for weight in _weights(net) if sparsity else ():
        count = int(sparsity * weight.numel())
        order = weight.detach().abs().flatten().argsort(stable=True)
        mask = torch.ones_like(weight).flatten()
        mask[order[:count]] = 0
        masks.append((weight, mask.view_as(weight)))
    hold(tuple(masks))
    return tuple(masks)


def found(net: nn.Module, sparsity: float) -> Masks:
    """The masks of a stage that goes on: what is zero stays so."""
    return tuple((weight, (weight.detach() != 0).to(weight.dtype)) for weight in _weights(net) if sparsity)


def hold(masks: Masks) -> None:
    """Bring the held weights back to zero, after a step of the optimizer."""
    with torch.no_grad():
        for weight, mask in masks:
            weight.mul_(mask)


def _weights(net: nn.Module) -> list[nn.Parameter]:
    layers = [module for module in net.modules() if isinstance(module, nn.Linear | nn.modules.conv._ConvNd)]
    weights = dict.fromkeys(layer.get_parameter("weight") for layer in layers)  # a shared one counts once
    return [weight for weight in weights if weight.requires_grad]
