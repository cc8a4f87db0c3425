"""Parameters and floating-point operations of a network."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ferbench.nouns.model import NetSpec


def parameters(net: nn.Module) -> int:
    """Number of parameters, shared ones counted once."""
    return sum(parameter.numel() for parameter in net.parameters())


def flops(net: nn.Module, spec: NetSpec) -> int | None:
    """Operations of one forward pass of one sample (a multiplication and an addition are two).

    None for networks with several inputs, which are not counted. The network is left in evaluation mode.
    """
    if len(spec.inputs) > 1:
        return None
    shape = next(iter(spec.inputs.values()), (spec.channels, spec.size, spec.size))
    net.eval()
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, *shape, device=next(net.parameters()).device))
    return int(counter.get_total_flops())
