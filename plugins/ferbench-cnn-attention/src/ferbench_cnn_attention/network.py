"""Convolution stages whose last maps are read as a sequence of places: by an LSTM, or by self-attention."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from ferbench import NetSpec, Problem, SettingsError


class ConvolutionStages(nn.Sequential):
    """In each stage two 3 × 3 convolutions with batch normalisation and ReLU, a 2 × 2 maximum and dropout."""

    def __init__(self, channels: int, widths: tuple[int, ...], dropout: float) -> None:
        super().__init__(*(_stage(before, after, dropout) for before, after in pairwise((channels, *widths))))


def _stage(before: int, after: int, dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for given in (before, after):
        convolution = nn.Conv2d(given, after, 3, padding=1, bias=False)
        layers += [convolution, nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.MaxPool2d(2), nn.Dropout(dropout))


def as_sequence(maps: torch.Tensor) -> torch.Tensor:
    """Places in row order as a sequence: float [n, channels, height, width] to [n, height · width, channels]."""
    return maps.flatten(2).transpose(1, 2)


class SelfAttention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017, section 3.2) whose heads are as wide as one likes.

    As Keras's ``MultiHeadAttention(num_heads, key_dim)``: queries, keys and values of ``heads`` × ``key_dim`` numbers
    whatever the ``width``, all projections with biases. torch's own wants heads that divide the width.
    """

    def __init__(self, width: int, heads: int, key_dim: int) -> None:
        super().__init__()
        self.heads, self.key_dim = heads, key_dim
        self.query = nn.Linear(width, heads * key_dim)
        self.key = nn.Linear(width, heads * key_dim)
        self.value = nn.Linear(width, heads * key_dim)
        self.out = nn.Linear(heads * key_dim, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, places, width]; the shape stays."""
        query, key, value = (self._by_head(part(x)) for part in (self.query, self.key, self.value))
        # Written out: a sequence is 36 places long, and the fused kernels' gradients are not deterministic.
        weights = (query @ key.transpose(2, 3) / self.key_dim**0.5).softmax(dim=3)
        mixed: torch.Tensor = self.out((weights @ value).transpose(1, 2).flatten(2))
        return mixed

    def _by_head(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(len(x), -1, self.heads, self.key_dim).transpose(1, 2)


class EncoderLayer(nn.Module):
    """Self-attention, then two linear layers at each place, each added to what it was given and normalised."""

    def __init__(self, width: int, heads: int, key_dim: int) -> None:
        super().__init__()
        self.attention = SelfAttention(width, heads, key_dim)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Float [n, places, width]; the shape stays."""
        x = self.norm1(x + self.attention(x))
        result: torch.Tensor = self.norm2(x + self.feed_forward(x))
        return result


class CNNAttention(nn.Module):
    """Convolution stages, a learnt vector for each place, encoder layers, the mean over places and a linear layer."""

    def __init__(self, stages: ConvolutionStages, place: torch.Tensor, encoder: nn.Sequential, head: nn.Module) -> None:
        super().__init__()
        self.stages, self.encoder, self.head = stages, encoder, head
        self.place = nn.Parameter(place)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        sequence = as_sequence(self.stages(x)) + self.place
        logits: torch.Tensor = self.head(self.encoder(sequence).mean(dim=1))
        return logits


class CNNLSTM(nn.Module):
    """Convolution stages, an LSTM over their places in row order, and a linear layer on its last state."""

    def __init__(self, stages: ConvolutionStages, lstm: nn.LSTM, head: nn.Module) -> None:
        super().__init__()
        self.stages, self.lstm, self.head = stages, lstm, head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, classes] of pictures float [n, channels, size, size]."""
        outputs, _ = self.lstm(as_sequence(self.stages(x)))
        logits: torch.Tensor = self.head(outputs[:, -1])
        return logits


def build_attention(
    spec: NetSpec,
    *,
    widths: tuple[int, ...],
    conv_dropout: float,
    dropout: float,
    heads: int,
    key_dim: int,
    layers: int,
) -> CNNAttention:
    """Build the CNN with self-attention. Raises SettingsError for pictures that the stages halve to one place."""
    side, width = _side(spec, widths), widths[-1]
    encoder = nn.Sequential(*(EncoderLayer(width, heads, key_dim) for _ in range(layers)))
    head = nn.Sequential(nn.Dropout(dropout), nn.Linear(width, spec.classes))
    place = torch.empty(side * side, width).normal_(std=0.02)
    return CNNAttention(ConvolutionStages(spec.channels, widths, conv_dropout), place, encoder, head)


def build_lstm(spec: NetSpec, *, widths: tuple[int, ...], conv_dropout: float, dropout: float, hidden: int) -> CNNLSTM:
    """Build the CNN-LSTM. Raises SettingsError for pictures that the stages halve to one place."""
    _side(spec, widths)
    head = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, spec.classes))
    lstm = nn.LSTM(widths[-1], hidden, batch_first=True)
    return CNNLSTM(ConvolutionStages(spec.channels, widths, conv_dropout), lstm, head)


def _side(spec: NetSpec, widths: tuple[int, ...]) -> int:
    """Side of the last stage's maps; a single place would be no sequence."""
    side = spec.size >> len(widths)
    if side < 2:
        message = f"{len(widths)} stages need pictures of {2 << len(widths)} pixels or more (given: {spec.size})"
        raise SettingsError([Problem("recipe.input.size", message)])
    return side
