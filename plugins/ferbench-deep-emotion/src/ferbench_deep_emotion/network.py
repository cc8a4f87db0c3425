"""Minaee et al.'s attentional network: a spatial transformer in front of four convolutions.

Widths and kernel sizes are those of the public port (omarsayed7/Deep-Emotion), which the paper does not state.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from ferbench import NetSpec, Problem, SettingsError

SMALLEST = 18
"""Side in pixels that leaves the localisation network one place."""

IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""The affine map that leaves a picture as it is, row by row."""


class SpatialTransformer(nn.Module):
    """Look at an affine part of the picture that the picture itself decides (Jaderberg et al. 2015).

    The last layer gives the difference from the identity: whatever initialises the network, it begins with about the
    whole picture. (Weights near zero would otherwise mean a map that sends all to the middle pixel.) The network's own
    weights of that layer are zero, which is exactly the identity.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.localisation = nn.Sequential(
            nn.Conv2d(channels, 8, 7),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 10, 5),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
            nn.Flatten(),
        )
        side = ((size - 6) // 2 - 4) // 2
        self.regressor = nn.Sequential(nn.Linear(10 * side**2, 32), nn.ReLU(inplace=True), nn.Linear(32, 6))
        for parameter in self.regressor[2].parameters():
            nn.init.zeros_(parameter)
        self.register_buffer("identity", torch.tensor(IDENTITY), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, channels, size, size] to the same shape."""
        change = self.regressor(self.localisation(x)).float()
        return sampled(x, (change + self.get_buffer("identity")).reshape(-1, 2, 3))


def sampled(x: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
    """Pictures ``x`` seen through the affine maps ``theta`` [n, 2, 3], bilinear, black outside.

    What :func:`torch.nn.functional.grid_sample` gives, whose gradient on CUDA differs from run to run.
    """
    n, channels, height, width = x.shape
    grid = functional.affine_grid(theta, [n, channels, height, width], align_corners=False)
    across = ((grid[..., 0] + 1) * width - 1) / 2
    down = ((grid[..., 1] + 1) * height - 1) / 2
    left, top = across.detach().floor(), down.detach().floor()
    pixels = x.flatten(2)
    total = torch.zeros_like(x)
    for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        weight = (1 - (across - column).abs()) * (1 - (down - row).abs()) * inside
        place = row.clamp(0, height - 1).long() * width + column.clamp(0, width - 1).long()
        values = pixels.gather(2, place.flatten(1)[:, None].expand(-1, channels, -1))
        total = total + values.reshape(x.shape) * weight[:, None]
    return total


class AlwaysDropout(nn.Dropout):
    """Dropout that stays on at evaluation, as in the port, where it is called without the training flag.

    What it drops at evaluation is drawn from the picture itself, so that a picture has one score in any company.
    """

    def forward(self, x: torch.Tensor, picture: torch.Tensor | None = None) -> torch.Tensor:
        """Drop units of float [n, units]; ``picture`` [n, …] is what the draw goes by at evaluation."""
        if self.training or picture is None:
            return functional.dropout(x, self.p, training=True)
        kept = drawn_from(picture, x.shape[1]) >= self.p
        return x * kept / (1 - self.p)


def drawn_from(picture: torch.Tensor, count: int) -> torch.Tensor:
    """``count`` numbers in [0, 1) for each picture, which look random and depend on its pixels alone."""
    pixels = (picture.float().flatten(1) * 4096).round().long()
    places = _mixed(torch.arange(pixels.shape[1], device=picture.device))
    seeds = _mixed((pixels * places).sum(1))
    units = torch.arange(count, device=picture.device)
    return (_mixed(seeds[:, None] + units * 7919) % 65536) / 65536


def _mixed(x: torch.Tensor) -> torch.Tensor:
    """Scramble whole numbers to others of 31 bits, with multiplication and shifts."""
    for factor in (73_244_475, 295_559_667):
        x = x & 0x7FFFFFFF
        x = ((x >> 15) ^ x) * factor
    x = x & 0x7FFFFFFF
    return (x >> 15) ^ x


class DeepEmotion(nn.Module):
    """Spatial transformer, four 3 × 3 convolutions of ten channels without padding, two linear layers.

    66,877 parameters for grey pictures of 48 pixels and 7 classes. ``dropout_at_test``: the port's mistake. Raises
    SettingsError for pictures below 18 pixels.
    """

    def __init__(self, spec: NetSpec, *, dropout: float = 0.5, dropout_at_test: bool = False) -> None:
        super().__init__()
        if spec.size < SMALLEST:
            message = f"deep-emotion needs pictures of {SMALLEST} pixels or more (given: {spec.size})"
            raise SettingsError([Problem("recipe.input.size", message)])
        self.transformer = SpatialTransformer(spec.channels, spec.size)
        self.features = nn.Sequential(
            nn.Conv2d(spec.channels, 10, 3),
            nn.ReLU(inplace=True),
            nn.Conv2d(10, 10, 3),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
            nn.Conv2d(10, 10, 3),
            nn.ReLU(inplace=True),
            nn.Conv2d(10, 10, 3),
            nn.BatchNorm2d(10),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
            nn.Flatten(),
        )
        side = ((spec.size - 4) // 2 - 4) // 2
        self.dropout = AlwaysDropout(dropout) if dropout_at_test else nn.Dropout(dropout)
        self.hidden = nn.Linear(10 * side**2, 50)
        self.output = nn.Linear(50, spec.classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        seen = self.features(self.transformer(x))
        kept = self.dropout(seen, x) if isinstance(self.dropout, AlwaysDropout) else self.dropout(seen)
        logits: torch.Tensor = self.output(torch.relu(self.hidden(kept)))
        return logits
