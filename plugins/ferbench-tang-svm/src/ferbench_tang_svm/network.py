"""Tang 2013, section 4.1: two convolutions with maxima, 3,072 rectified units, and a linear support vector machine.

The paper gives the number of stages and of hidden units; widths and kernel sizes are chosen here so that the network
has the five million parameters that others count for it.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from ferbench import NetSpec, Problem, SettingsError

SMALLEST = 16
"""Side in pixels that leaves one place after both stages."""

WIDTH = 32
KERNEL = 5


class PixelStandardisation(nn.Module):
    """Take off each pixel's mean and divide by its standard deviation, both over all training pictures so far.

    They are gathered in training, as running means over every picture that was seen, and used as they stand in
    training and evaluation alike: a picture never depends on its batch.
    """

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.seen = nn.BatchNorm1d(pixels, eps=1e-3, momentum=None, affine=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, channels, size, size]; the shape stays."""
        flat = x.flatten(1)
        if self.training and len(flat) > 1:
            with torch.no_grad():
                self.seen(flat)
        standard = functional.batch_norm(flat, self.seen.running_mean, self.seen.running_var, eps=self.seen.eps)
        return standard.reshape(x.shape)


class TangSVM(nn.Module):
    """The network; its outputs are margins of one class against the rest.

    4,867,943 parameters for grey pictures of 42 pixels and 7 classes. Raises SettingsError for pictures below 16
    pixels.
    """

    def __init__(self, spec: NetSpec, *, hidden: int = 3072, dropout: float = 0.0, standardise: bool = True) -> None:
        super().__init__()
        if spec.size < SMALLEST:
            message = f"tang-svm needs pictures of {SMALLEST} pixels or more (given: {spec.size})"
            raise SettingsError([Problem("recipe.input.size", message)])
        pixels = spec.channels * spec.size**2
        self.standardise = PixelStandardisation(pixels) if standardise else nn.Identity()
        self.stages = nn.Sequential(_stage(spec.channels), _stage(WIDTH))
        side = ((spec.size - KERNEL + 1) // 2 - KERNEL + 1) // 2
        self.hidden = nn.Sequential(nn.Flatten(), nn.Linear(WIDTH * side**2, hidden), nn.ReLU(inplace=True))
        self.dropout = nn.Dropout(dropout)
        self.svm = nn.Linear(hidden, spec.classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Margins [n, classes] of pictures float [n, channels, size, size]."""
        margins: torch.Tensor = self.svm(self.dropout(self.hidden(self.stages(self.standardise(x)))))
        return margins


def _stage(before: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, WIDTH, KERNEL), nn.ReLU(inplace=True), nn.MaxPool2d(2))
