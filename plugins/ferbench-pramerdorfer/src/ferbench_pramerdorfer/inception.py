"""The Inception network of Pramerdorfer and Kampel 2016, section IV."""

from __future__ import annotations

import torch
from torch import nn

from ferbench import NetSpec
from ferbench_pramerdorfer.network import convolution


class InceptionModule(nn.Module):
    """Four paths side by side (Szegedy et al. 2015, figure 2b), all sizes in shares of ``n`` 3 × 3 kernels.

    1 × 1: 3/4 n. 3 × 3: n behind n/2. 5 × 5: n/4 behind n/8. 3 × 3 maximum: n/4 behind it. Together 9/4 n channels.
    """

    def __init__(self, before: int, n: int) -> None:
        super().__init__()
        self.paths = nn.ModuleList(
            (
                nn.Sequential(*convolution(before, 3 * n // 4, 1)),
                nn.Sequential(*convolution(before, n // 2, 1), *convolution(n // 2, n, 3)),
                nn.Sequential(*convolution(before, n // 8, 1), *convolution(n // 8, n // 4, 5)),
                nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), *convolution(before, n // 4, 1)),
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, before, height, width] to [n, 9/4 n, height, width]."""
        return torch.cat([path(x) for path in self.paths], dim=1)


class Inception(nn.Module):
    """C-I-P-II-P-II-P-II-P-F: a convolution, seven modules with three 3 × 3 maxima, average pooling, a linear layer.

    The first module has ``step`` 3 × 3 kernels, each further one ``step`` more (a multiple of 8). ``stem``: channels of
    the first convolution. ``dropout``: before the linear layer. 1,189,167 parameters for grey pictures and 7 classes.
    """

    def __init__(self, spec: NetSpec, *, step: int = 32, stem: int = 64, dropout: float = 0.4) -> None:
        super().__init__()
        self.stem = nn.Sequential(*convolution(spec.channels, stem, 3))
        stages, before, n = [], stem, 0
        for count in (1, 2, 2, 2):
            modules: list[nn.Module] = []
            for _ in range(count):
                n += step
                modules.append(InceptionModule(before, n))
                before = 9 * n // 4
            stages.append(nn.Sequential(*modules))
        self.stages = nn.ModuleList(stages)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(before, spec.classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        x = self.stem(x)
        for number, stage in enumerate(self.stages):
            x = stage(self.pool(x) if number else x)
        logits: torch.Tensor = self.head(self.dropout(x.mean(dim=(2, 3))))
        return logits
