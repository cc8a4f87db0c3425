"""MixUp and CutMix: each sample of a prepared batch is mixed with another one, and so are their targets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch

from ferbench.errors import TrainingError
from ferbench.nouns.augmentation import Augmentation, CutMix, MixUp
from ferbench.nouns.split import Batch


def mix(batch: Batch, augmentation: tuple[Augmentation, ...], classes: int, rng: np.random.Generator) -> Batch:
    """Mix the samples of a prepared batch as its recipe's ``augmentation`` says.

    Inputs, float [n, ...], are mixed alike. Targets become float32 [n, ``classes``], also where by chance nothing is
    mixed. Masks and weights stay those of the samples themselves. Where the recipe mixes nothing, the batch is returned
    as it is and nothing is drawn. Raises TrainingError for an input that cannot be mixed.
    """
    ops = [op for op in augmentation if isinstance(op, MixUp | CutMix)]
    if not ops:
        return batch
    op = ops[0] if len(ops) == 1 else ops[rng.integers(len(ops))]
    height, width = _sides(op, batch)
    return apply(op, batch, draw(op, len(batch.target), height, width, rng), classes)


def draw(op: MixUp | CutMix, n: int, height: int, width: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw for each of ``n`` samples its ``partner`` (int64 [n]) and the ``share`` that stays its own (float64 [n]).

    CutMix: also ``top``, ``bottom``, ``left`` and ``right`` (int64 [n], pixels, the end is outside) of the rectangle
    that is the partner's. Its middle is any pixel; what reaches beyond the picture is cut off, and the share is that of
    the pixels which remain, as in the authors' code and torchvision's.
    """
    partner, count = rng.permutation(n), 1 if op.each == "batch" else n
    share = np.where(rng.random(count) < op.p, rng.beta(op.alpha, op.alpha, count), 1.0)
    drawn = {"partner": partner}
    if isinstance(op, CutMix):
        half = 0.5 * np.sqrt(1 - share)
        for start, end, side in (("top", "bottom", height), ("left", "right", width)):
            middle, reach = rng.integers(side, size=count), (half * side).astype(np.int64)
            drawn[start], drawn[end] = np.maximum(middle - reach, 0), np.minimum(middle + reach, side)
        pixels = (drawn["bottom"] - drawn["top"]) * (drawn["right"] - drawn["left"])
        share = 1 - pixels / (height * width)
    drawn["share"] = share
    return {name: np.resize(values, n) for name, values in drawn.items()}


def apply(op: MixUp | CutMix, batch: Batch, parameters: Mapping[str, np.ndarray], classes: int) -> Batch:
    """Return the batch mixed; its tensors stay as they are."""
    target = batch.target
    if target.ndim == 1:
        target = torch.zeros(len(target), classes, device=target.device).scatter_(1, target.unsqueeze(1), 1.0)
    partner = torch.from_numpy(parameters["partner"]).to(target.device, non_blocking=True)
    inputs = {
        name: _pasted(x, x[partner], parameters) if isinstance(op, CutMix) else _shared(x, x[partner], parameters)
        for name, x in batch.inputs.items()
    }
    return replace(batch, inputs=inputs, target=_shared(target, target[partner], parameters))


def _shared(x: torch.Tensor, other: torch.Tensor, parameters: Mapping[str, np.ndarray]) -> torch.Tensor:
    share = parameters["share"]
    own, theirs = (
        torch.from_numpy(part).float().to(x.device, non_blocking=True).view(-1, *[1] * (x.ndim - 1))
        for part in (share, 1 - share)
    )
    return other.mul(theirs).add_(x.mul(own))


def _pasted(x: torch.Tensor, other: torch.Tensor, parameters: Mapping[str, np.ndarray]) -> torch.Tensor:
    rows, columns = (
        (np.arange(side) >= parameters[start][:, None]) & (np.arange(side) < parameters[end][:, None])
        for start, end, side in (("top", "bottom", x.shape[-2]), ("left", "right", x.shape[-1]))
    )
    inside = torch.from_numpy(rows[:, :, None] & columns[:, None, :]).to(x.device, non_blocking=True)
    return torch.where(inside.view(len(x), *[1] * (x.ndim - 3), *x.shape[-2:]), other, x)


def _sides(op: MixUp | CutMix, batch: Batch) -> tuple[int, int]:
    """Height and width of the pictures; (0, 0) where they do not matter. Raises TrainingError, see :func:`mix`."""
    for name, x in batch.inputs.items():
        if not x.is_floating_point():
            raise TrainingError(
                f"{op.name} cannot mix the input {name}, which is {x.dtype} and not floating-point. "
                f"Take {op.name} out of recipe.augmentation."
            )
    if isinstance(op, MixUp):
        return 0, 0
    sides = {tuple(x.shape[-2:]) if x.ndim >= 4 else () for x in batch.inputs.values()}
    if len(sides) > 1 or () in sides:
        shapes = ", ".join(f"{name} {list(x.shape)}" for name, x in batch.inputs.items())
        raise TrainingError(
            f"cutmix pastes one rectangle into pictures of one size, and the inputs are {shapes}. "
            "Use mixup instead, or give all inputs one size."
        )
    height, width = sides.pop()
    return height, width
