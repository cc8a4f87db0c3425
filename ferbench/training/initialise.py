"""Initial weights of a network, by name."""

from __future__ import annotations

from torch import nn

from ferbench.nouns.initial import DefaultInit, HeInit, Init, NormalInit, TruncatedNormalInit, XavierInit


def initialise(net: nn.Module, init: Init) -> None:
    """Fill the weights of convolutions and linear layers as ``init`` says; other layers keep theirs."""
    if isinstance(init, DefaultInit):
        return
    for module in net.modules():
        if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
            _fill(module, init)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _fill(module: nn.modules.conv._ConvNd | nn.Linear, init: Init) -> None:
    if isinstance(init, HeInit):
        linear = isinstance(module, nn.Linear)
        nn.init.kaiming_normal_(module.weight, mode="fan_in" if linear else "fan_out", nonlinearity="relu")
    elif isinstance(init, XavierInit):
        nn.init.xavier_uniform_(module.weight)
    elif isinstance(init, NormalInit):
        nn.init.normal_(module.weight, std=init.sd)
    elif isinstance(init, TruncatedNormalInit):
        nn.init.trunc_normal_(module.weight, std=init.sd, a=-2 * init.sd, b=2 * init.sd)
