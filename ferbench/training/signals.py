"""Signals (EEG): float32 [n, channels, samples], normalised channel by channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ferbench.errors import DataError
from ferbench.nouns.split import Split, View

Moments = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each channel, in units of the data."""

AT_ONCE = 256
FLAT, ROUNDING = 1e-12, 1e-6
"""Standard deviation up to which a channel has no signal, and is not divided by it: a number that is small in volts as
in microvolts, and a share of its mean, which float32 cannot tell from zero."""


def normalised_signal(x: torch.Tensor, normalise: str, moments: Moments | None) -> torch.Tensor:
    """Return signals as the recipe's ``input.normalise`` says; ``x`` float [n, channels, samples].

    ``mean-std``: by ``moments``, those of the training split. ``each``: every channel of every window by its own mean
    and standard deviation. Anything else leaves them as they are.
    """
    x = x.float()
    if normalise == "each":
        mean = x.mean(dim=2, keepdim=True)
        centred = x - mean
        spread = centred.square().mean(dim=2, keepdim=True).sqrt_()
        flat = spread <= FLAT + ROUNDING * mean.abs()
        return torch.where(flat, 0.0, centred / torch.where(flat, 1.0, spread))
    if moments is None:
        return x
    mean, std = (torch.tensor(values, device=x.device).unsqueeze(1) for values in moments)
    return (x - mean) / std


def signal_moments(split: Split, names: Sequence[str]) -> dict[str, Moments]:
    """Moments of each channel over the whole split, by input name, computed in float64.

    Raises DataError where a channel is constant, so that it could not be divided by its spread.
    """
    found = {}
    totals: dict[str, tuple[int, np.ndarray, np.ndarray]] = {}
    for start in range(0, len(split), AT_ONCE):
        indices = np.arange(start, min(start + AT_ONCE, len(split)))
        batch = split.batch(indices, View(), np.random.default_rng(0))
        for name in names:
            values = np.asarray(batch.inputs[name], np.float64)
            part = _part(values)
            totals[name] = _joined(totals[name], part) if name in totals else part
    for name, (count, mean, squares) in totals.items():
        std = np.sqrt(squares / count)
        flat = np.flatnonzero(std <= FLAT + ROUNDING * np.abs(mean))
        if len(flat):
            raise DataError(
                f"Channel {int(flat[0])} of {name} is constant in the training split; leave it out, or set "
                "recipe.input.normalise='each'."
            )
        found[name] = tuple(mean.tolist()), tuple(std.tolist())
    return found


def _part(values: np.ndarray) -> tuple[int, np.ndarray, np.ndarray]:
    """Count, mean and sum of squared deviations of each channel."""
    mean = values.mean(axis=(0, 2))
    return values.shape[0] * values.shape[2], mean, np.square(values - mean[:, None]).sum(axis=(0, 2))


def _joined(
    one: tuple[int, np.ndarray, np.ndarray], other: tuple[int, np.ndarray, np.ndarray]
) -> tuple[int, np.ndarray, np.ndarray]:
    """Moments of two parts together (Chan, Golub and LeVeque 1979): an offset of the electrodes costs no digits."""
    count = one[0] + other[0]
    step = other[1] - one[1]
    return count, one[1] + step * other[0] / count, one[2] + other[2] + step**2 * (one[0] * other[0] / count)
