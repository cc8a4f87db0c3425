"""EmoNeXt (El Boudouri and Bohi 2023): a ConvNeXt behind a spatial transformer, with squeeze-and-excitation.

Parts of the ConvNeXt are called as in the files of weights that its authors published, so that these fit by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from ferbench import DropPath, NetSpec, Problem, SettingsError

SMALLEST = 32
"""Side in pixels that a ConvNeXt reduces to one."""

REDUCTION = 16
LAYER_SCALE = 1e-6

SCALES = {
    "atto": ((2, 2, 6, 2), (40, 80, 160, 320)),
    "tiny": ((3, 3, 9, 3), (96, 192, 384, 768)),
    "small": ((3, 3, 27, 3), (96, 192, 384, 768)),
    "base": ((3, 3, 27, 3), (128, 256, 512, 1024)),
    "large": ((3, 3, 27, 3), (192, 384, 768, 1536)),
    "xlarge": ((3, 3, 27, 3), (256, 512, 1024, 2048)),
}
"""Blocks and channels of the four stages. The paper has five; ``atto`` is timm's smallest, for trials."""


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels of float [n, channels, h, w]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise at each place; the shape stays."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """A block of ConvNeXt (Liu et al. 2022, figure 4): 7 × 7 depthwise, then 1 × 1 to four times the channels and back.

    Its branch begins at a millionth of its size, and is left out in training with probability ``drop_path``.
    """

    def __init__(self, channels: int, drop_path: float) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.full((channels,), LAYER_SCALE))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, channels, h, w]; the shape stays."""
        inner = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        inner = self.gamma * self.pwconv2(functional.gelu(self.pwconv1(inner)))
        dropped: torch.Tensor = self.drop_path(inner.permute(0, 3, 1, 2))
        return x + dropped


class SqueezeExcitation(nn.Module):
    """Weigh each channel by a number between 0 and 1 that all channel means decide (Hu et al. 2018)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, channels // REDUCTION, bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(channels // REDUCTION, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scale float [n, channels, h, w]; the shape stays."""
        gates: torch.Tensor = self.fc(x.mean(dim=(2, 3)))
        return x * gates[:, :, None, None]


class SpatialTransformer(nn.Module):
    """Warp each picture by an affine map that a small network reads from it (Jaderberg et al. 2015).

    It begins with the map that leaves pictures as they are; what comes from outside of a picture is black.
    """

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.localization = nn.Sequential(
            nn.Conv2d(channels, 8, 7),
            nn.BatchNorm2d(8),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 10, 5),
            nn.BatchNorm2d(10),
            nn.MaxPool2d(2),
            nn.ReLU(inplace=True),
        )
        side = ((size - 6) // 2 - 4) // 2
        self.fc_loc = nn.Sequential(nn.Linear(10 * side * side, 32), nn.ReLU(inplace=True), nn.Linear(32, 6))

    def start(self) -> None:
        """Begin with the identity."""
        last = self.fc_loc[2]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            last.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Warped pictures, float [n, channels, size, size]."""
        maps = self.fc_loc(self.localization(x).flatten(1)).reshape(-1, 2, 3)
        # In bf16 a coordinate would be off by up to half a pixel of 224.
        with torch.autocast(x.device.type, enabled=False):
            grid = functional.affine_grid(maps.float(), list(x.shape), align_corners=True)
            return functional.grid_sample(x.float(), grid, align_corners=True)


class EmoNeXt(nn.Module):
    """Spatial transformer, ConvNeXt with squeeze-and-excitation where it halves the picture, average, linear layer.

    ``scale``: one of SCALES. ``drop_path``: rate of stochastic depth at the last block, rising linearly from 0.
    Raises SettingsError for pictures below 32 pixels.
    """

    def __init__(self, spec: NetSpec, *, scale: str, drop_path: float) -> None:
        super().__init__()
        if spec.size < SMALLEST:
            message = f"emonext needs pictures of {SMALLEST} pixels or more (given: {spec.size})"
            raise SettingsError([Problem("recipe.input.size", message)])
        depths, widths = SCALES[scale]
        self.transformer = SpatialTransformer(spec.channels, spec.size)
        rates = iter(torch.linspace(0, drop_path, sum(depths), device="cpu").tolist())
        stem = nn.Sequential(nn.Conv2d(spec.channels, widths[0], 4, stride=4), LayerNorm2d(widths[0], eps=1e-6))
        self.downsample_layers = nn.ModuleList([stem, *_halvings(widths)])
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(channels, next(rates)) for _ in range(depth)))
            for depth, channels in zip(depths, widths, strict=True)
        )
        self.norm = nn.LayerNorm(widths[-1], eps=1e-6)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        self.transformer.start()
        self.head = nn.Linear(widths[-1], spec.classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, channels of the last stage] of pictures float [n, channels, size, size]."""
        x = self.transformer(x)
        for halve, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(halve(x))
        pooled: torch.Tensor = self.norm(x.mean(dim=(2, 3)))
        return pooled

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        logits: torch.Tensor = self.head(self.features(x))
        return logits


def build_emonext(spec: NetSpec, *, scale: str = "tiny", drop_path: float = 0.1, **_: float) -> EmoNeXt:
    """EmoNeXt; the options of its objective are left to that."""
    return EmoNeXt(spec, scale=scale, drop_path=drop_path)


def _halvings(widths: tuple[int, ...]) -> Iterator[nn.Sequential]:
    for before, after in pairwise(widths):
        norm, halve = LayerNorm2d(before, eps=1e-6), nn.Conv2d(before, after, 2, stride=2)
        yield nn.Sequential(norm, halve, SqueezeExcitation(after))
