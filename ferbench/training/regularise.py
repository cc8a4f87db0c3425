"""Rates of dropout and of stochastic depth, set in a network that is there already."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from ferbench.errors import Problem, SettingsError

DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
RATE_OF = {"DropPath": "drop_prob", "StochasticDepth": "p"}
"""Classes of stochastic depth (ours and timm's, torchvision's) by name, and the attribute that holds their rate."""


class DropPath(nn.Module):
    """Stochastic depth (Huang et al. 2016): in training, each sample's branch is left out with ``drop_prob``.

    The branches that stay are divided by ``1 - drop_prob``, so that nothing has to change at test. Put it at the end of
    a residual branch: ``x + drop_path(branch(x))``. Takes and returns float [n, ...].
    """

    def __init__(self, drop_prob: float = 0.0) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, branch: torch.Tensor) -> torch.Tensor:
        """The branch, without some samples' in training."""
        if not self.training or not self.drop_prob:
            return branch
        kept = 1 - self.drop_prob
        shape = (len(branch),) + (1,) * (branch.ndim - 1)
        return branch * (branch.new_empty(shape).bernoulli_(kept) / kept)

    def extra_repr(self) -> str:
        """The rate, as torch prints it."""
        return f"drop_prob={self.drop_prob}"


def set_dropout(net: nn.Module, rate: float) -> None:
    """Give every dropout layer this rate. Raises SettingsError for a network without any."""
    layers = [module for module in net.modules() if isinstance(module, DROPOUTS)]
    if not layers:
        raise SettingsError([Problem("recipe.dropout", f"{type(net).__name__} has no dropout layer")])
    for layer in layers:
        layer.p = rate


def set_drop_path(net: nn.Module, rate: float) -> None:
    """Let the rate of stochastic depth rise linearly, from 0 at the first layer to ``rate`` at the last.

    Branches of one block (``drop_path1`` and ``drop_path2`` of a transformer's) are one layer. Raises SettingsError for
    a network without any.
    """
    layers: dict[str, list[nn.Module]] = {}
    for layer, module in _stochastic(net):
        layers.setdefault(layer, []).append(module)
    if not layers:
        mend = f"{type(net).__name__} has no layer of stochastic depth (ferbench.DropPath, or timm's or torchvision's)"
        raise SettingsError([Problem("recipe.drop_path", mend)])
    last = len(layers) - 1
    for number, modules in enumerate(layers.values()):
        for module in modules:
            setattr(module, RATE_OF[type(module).__name__], rate * number / last if last else rate)


def _stochastic(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules of stochastic depth in the network's order, and the layer to which each belongs."""
    for name, module in net.named_modules():
        if type(module).__name__ in RATE_OF:
            block = name.rpartition(".")[0]
            inside = block and not isinstance(net.get_submodule(block), nn.Sequential | nn.ModuleList)
            yield (block if inside else name), module
