"""LHC-Net (Pecoraro et al. 2021): a pre-activation ResNet34 with attention between channels behind its stages."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from ferbench import NetSpec, Problem, SettingsError

SMALLEST = 32
"""Side in pixels that the trunk reduces to one."""

BLOCKS = (3, 4, 6, 3)
HEADS = (8, 8, 7, 7, 1)
EMBEDDINGS = (196, 196, 56, 14, 25)
"""Residual blocks of each stage; heads and width of their embeddings behind the first maximum and behind each stage."""
STRENGTHS = (0.0, 0.0, 0.0, -1.0, -0.5)
"""What the five controllers begin with: a module counts 1 + tanh of it."""


def normalisation(channels: int) -> nn.BatchNorm2d:
    """Batch normalisation with the trunk's ε."""
    return nn.BatchNorm2d(channels, eps=2e-5)


class PreActivation(nn.Module):
    """A residual block that normalises before it convolves (He et al. 2016, identity mappings).

    The first block of a stage has a 1 × 1 convolution as shortcut, which begins behind the first activation.
    """

    def __init__(self, before: int, after: int, stride: int, first: bool) -> None:
        super().__init__()
        self.bn1 = normalisation(before)
        self.conv1 = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
        self.bn2 = normalisation(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(before, after, 1, stride, bias=False) if first else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, before, h, w] to [n, after, h / stride, w / stride]."""
        active = torch.relu(self.bn1(x))
        inner: torch.Tensor = self.conv2(torch.relu(self.bn2(self.conv1(active))))
        return inner + (x if self.shortcut is None else self.shortcut(active))


class LocalHeads(nn.Module):
    """Local multi-head channel self-attention (the paper's LHC module), added to what it is given.

    Tokens are channels. Each head sees a horizontal strip of the picture, ``side``² / heads places, and has an
    embedding that queries (averages of 3 × 3) and keys (maxima of 3 × 3) share. Scores are divided by the embedding's
    width to the power of 1 + p, where p, between 0 and 1, is learnt from each channel's mean score. Where ``heads`` do
    not divide the places, the next smaller number that does is taken. With a ``strength`` what is added is multiplied
    by 1 + tanh(strength), which is learnt (the authors' controller).
    """

    def __init__(self, channels: int, side: int, heads: int, width: int, strength: float | None = None) -> None:
        super().__init__()
        places = side * side
        self.heads = max(count for count in range(1, heads + 1) if places % count == 0)
        self.width = width
        self.average = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)
        self.maximum = nn.MaxPool2d(3, stride=1, padding=1)
        self.embed = nn.ModuleList(nn.Linear(places // self.heads, width) for _ in range(self.heads))
        self.power = nn.Linear(channels, channels)
        self.value = nn.Conv2d(channels, channels, 3, padding=1)
        self.strength = None if strength is None else nn.Parameter(torch.tensor(strength))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, channels, side, side]; the shape stays."""
        queries, keys = self._embedded(self.average(x)), self._embedded(self.maximum(x))
        scores = (queries @ keys.transpose(2, 3)).float()
        powers = 1 + torch.sigmoid(self.power(scores.mean(dim=3)).float())
        weights = (scores / self.width ** powers[..., None]).softmax(dim=3)
        attended = weights @ self._strips(self.average(self.value(x))).float()
        if self.strength is not None:
            attended = attended * (1 + torch.tanh(self.strength))
        return x + attended.transpose(1, 2).reshape(x.shape)

    def _strips(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, channels, side, side] to [n, heads, channels, places of a head]."""
        return x.reshape(len(x), x.shape[1], self.heads, -1).transpose(1, 2)

    def _embedded(self, x: torch.Tensor) -> torch.Tensor:
        strips = self._strips(x)
        return torch.stack([embed(strips[:, head]) for head, embed in enumerate(self.embed)], dim=1)


class LHCNet(nn.Module):
    """Pre-activation ResNet34, three linear layers, and attention behind its first maximum and each stage.

    ``attention``: ``none``, ``plain``, or ``controlled`` (each module with a strength that is learnt). ``width``:
    channels of the first stage. ``hidden``: outputs of the first linear layer; the second has a quarter. ``dropout``:
    behind either. ``momentum``: share of each batch in running statistics. Raises SettingsError for pictures below 32
    pixels.
    """

    def __init__(
        self,
        spec: NetSpec,
        *,
        attention: Literal["none", "plain", "controlled"],
        width: int,
        hidden: int,
        dropout: float,
        momentum: float,
    ) -> None:
        super().__init__()
        if spec.size < SMALLEST:
            message = f"lhcnet needs pictures of {SMALLEST} pixels or more (given: {spec.size})"
            raise SettingsError([Problem("recipe.input.size", message)])
        self.bn_data = normalisation(spec.channels)
        self.conv0 = nn.Conv2d(spec.channels, width, 7, stride=2, padding=3, bias=False)
        self.bn0 = normalisation(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        widths, side = [width * 2**stage for stage in range(len(BLOCKS))], -(-spec.size // 4)
        stages, before, sides = [], width, [side]
        for number, (after, count) in enumerate(zip(widths, BLOCKS, strict=True)):
            stride = 2 if number else 1
            blocks = [PreActivation(before, after, stride, first=True)]
            blocks += [PreActivation(after, after, 1, first=False) for _ in range(count - 1)]
            stages.append(nn.Sequential(*blocks))
            before, side = after, -(-side // stride)
            sides.append(side)
        self.stages = nn.ModuleList(stages)
        strengths = STRENGTHS if attention == "controlled" else [None] * len(STRENGTHS)
        places = zip([width, *widths], sides, HEADS, EMBEDDINGS, strengths, strict=True)
        self.attention = nn.ModuleList(nn.Identity() if attention == "none" else LocalHeads(*place) for place in places)
        self.bn1 = normalisation(before)
        self.head = nn.Sequential(
            nn.Linear(before, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden // 4),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden // 4, spec.classes),
        )
        # Keras's way for every layer; Glorot's even spread for the head, He's for the trunk.
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = momentum
            if isinstance(module, nn.Conv2d | nn.Linear):
                trunk = isinstance(module, nn.Conv2d) and module.bias is None
                fill = nn.init.kaiming_uniform_ if trunk else nn.init.xavier_uniform_
                fill(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        # The data are normalised, not scaled.
        nn.init.ones_(self.bn_data.weight).requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        first, *behind = self.attention
        x = first(self.maxpool(torch.relu(self.bn0(self.conv0(self.bn_data(x))))))
        for stage, attention in zip(self.stages, behind, strict=True):
            x = attention(stage(x))
        logits: torch.Tensor = self.head(torch.relu(self.bn1(x)).mean(dim=(2, 3)))
        return logits


def build_lhcnet(
    spec: NetSpec, *, width: int = 64, hidden: int = 4096, dropout: float = 0.4, momentum: float = 0.01
) -> LHCNet:
    """The network with its five attention modules."""
    return LHCNet(spec, attention="plain", width=width, hidden=hidden, dropout=dropout, momentum=momentum)


def build_controlled(
    spec: NetSpec, *, width: int = 64, hidden: int = 4096, dropout: float = 0.4, momentum: float = 0.01
) -> LHCNet:
    """The network whose five attention modules each have a strength."""
    return LHCNet(spec, attention="controlled", width=width, hidden=hidden, dropout=dropout, momentum=momentum)


def build_trunk(
    spec: NetSpec, *, width: int = 64, hidden: int = 4096, dropout: float = 0.4, momentum: float = 0.01
) -> LHCNet:
    """The pre-activation ResNet34 and the head alone."""
    return LHCNet(spec, attention="none", width=width, hidden=hidden, dropout=dropout, momentum=momentum)
