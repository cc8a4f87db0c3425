"""A small network with the edges of Kirsch's eight compass masks laid over its feature maps."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

from ferbench import NetSpec, Problem, SettingsError

CHANNELS = (32, 64, 128)
SMALLEST = 2 ** len(CHANNELS)
"""Side in pixels that the maxima reduce to one."""

RING = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
"""The border of a 3 × 3 mask, clockwise; three neighbours in a row weigh 5, the other five −3."""


def kirsch_masks() -> torch.Tensor:
    """The eight masks, float32 [8, 1, 3, 3], divided by 15: a step from 0 to 1 gives at most 1 (Kirsch 1971)."""
    masks = torch.zeros(len(RING), 1, 3, 3)
    for turn in range(len(RING)):
        for place, (row, column) in enumerate(RING):
            masks[turn, 0, row, column] = 5.0 if (place - turn) % len(RING) < 3 else -3.0
    return masks / 15


class KirschEdges(nn.Module):
    """The strongest of eight directions at every pixel of every map, at least 0: [n, c, h, w] → the same shape."""

    masks: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("masks", kirsch_masks())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Edges; pixels beyond the border repeat it, so that the border itself is none."""
        maps = F.pad(x.flatten(0, 1).unsqueeze(1), (1, 1, 1, 1), mode="replicate")
        return F.conv2d(maps, self.masks.to(maps.dtype)).amax(dim=1).reshape(x.shape)


class KirschCNN(nn.Module):
    """Three convolutions with batch normalisation, ReLU and 2 × 2 maximum, two linear layers.

    Edges are added before each maximum. ``edges``: of the ``picture``, reduced by maxima to each stage's size and added
    to all its maps; of the stage's own ``features``; or ``none``. ``width`` multiplies the channels 32, 64, 128. Raises
    SettingsError for pictures below 8 pixels.
    """

    def __init__(
        self,
        spec: NetSpec,
        *,
        edges: Literal["picture", "features", "none"] = "picture",
        width: float = 1.0,
        hidden: int = 512,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if spec.size < SMALLEST:
            message = f"kirsch-cnn needs pictures of {SMALLEST} pixels or more (given: {spec.size})"
            raise SettingsError([Problem("recipe.input.size", message)])
        widths = [max(1, round(width * channels)) for channels in CHANNELS]
        before = [spec.channels, *widths[:-1]]
        # Without normalisation the edges, alike in every map, drown what the convolutions find.
        self.convolutions = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 5, padding=2, bias=False), nn.BatchNorm2d(b))
            for a, b in zip(before, widths, strict=True)
        )
        self.edges = None if edges == "none" else KirschEdges()
        self.of_picture = edges == "picture"
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(widths[-1] * (spec.size // SMALLEST) ** 2, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, spec.classes),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        laid_over = self.edges(x.mean(dim=1, keepdim=True)) if self.edges is not None and self.of_picture else None
        for convolution in self.convolutions:
            x = F.relu(convolution(x))
            if laid_over is not None:
                x = x + laid_over
                laid_over = F.max_pool2d(laid_over, 2)
            elif self.edges is not None:
                x = x + self.edges(x)
            x = F.max_pool2d(x, 2)
        logits: torch.Tensor = self.head(x)
        return logits
