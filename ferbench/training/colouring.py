"""Augmentation that changes the values of pixels, each picture of a batch with its own random parameters.

Every operation equals torchvision's of the same name, picture by picture; see the modules that it calls for where a
pixel may differ by one grey level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from ferbench.errors import TrainingError
from ferbench.nouns.colour import AutoContrast, ColorJitter, Equalize, GaussianBlur, Posterize, Sharpness, Solarize
from ferbench.training import tones
from ferbench.training.choosing import change_some
from ferbench.training.equalising import equalize
from ferbench.training.filters import gaussian_blur, sharpness

Colouring = ColorJitter | Solarize | Posterize | Equalize | AutoContrast | Sharpness | GaussianBlur

PARTS: dict[str, Callable[[torch.Tensor, np.ndarray], torch.Tensor]] = {
    "brightness": tones.brightness,
    "contrast": tones.contrast,
    "saturation": tones.saturation,
    "hue": tones.hue,
}
"""What a ColorJitter does, in the order in which its ``order`` counts them."""


def draw(op: Colouring, n: int, height: int, width: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the parameters of ``n`` pictures; all have ``apply`` (bool [n]).

    ``ColorJitter``: also ``order`` (int64 [n, 4], places in ``PARTS``, first to last), and the factors ``brightness``,
    ``contrast``, ``saturation`` and the turn ``hue`` (float [n]). ``GaussianBlur``: ``sigma`` (float [n], pixels). All
    are uniform. Raises TrainingError where a kernel reaches further than the picture.
    """
    drawn: dict[str, np.ndarray] = {"apply": rng.random(n) < op.p}
    if isinstance(op, ColorJitter):
        drawn["order"] = rng.permuted(np.tile(np.arange(len(PARTS)), (n, 1)), axis=1)
        for part in ("brightness", "contrast", "saturation"):
            strength = getattr(op, part)
            drawn[part] = rng.uniform(max(0.0, 1 - strength), 1 + strength, n)
        drawn["hue"] = rng.uniform(-op.hue, op.hue, n)
    if isinstance(op, GaussianBlur):
        if op.kernel // 2 >= min(height, width):
            raise TrainingError(
                f"A gaussian-blur with a kernel of {op.kernel} does not fit into pictures of {height} × {width} pixels."
                " Set a smaller kernel, or larger pictures with recipe.input.size."
            )
        drawn["sigma"] = rng.uniform(*op.sigma, n)
    return drawn


def apply(op: Colouring, x: torch.Tensor, parameters: Mapping[str, np.ndarray]) -> torch.Tensor:
    """Return the batch, uint8 [n, c, h, w] (c 1 or 3), as ``op`` changes it; ``x`` itself stays as it is."""

    def change(some: torch.Tensor, *rows: np.ndarray) -> torch.Tensor:
        return _changed(op, some, dict(zip(parameters, rows, strict=True)))

    return change_some(x, parameters["apply"], change, *parameters.values())


def _changed(op: Colouring, x: torch.Tensor, parameters: Mapping[str, np.ndarray]) -> torch.Tensor:
    match op:
        case ColorJitter():
            return _jittered(op, x, parameters)
        case Solarize():
            return tones.solarize(x, np.full(len(x), op.threshold))
        case Posterize():
            return tones.posterize(x, np.full(len(x), op.bits))
        case Equalize():
            return equalize(x)
        case AutoContrast():
            return tones.auto_contrast(x)
        case Sharpness():
            return sharpness(x, np.full(len(x), op.factor))
        case GaussianBlur():
            return gaussian_blur(x, op.kernel, parameters["sigma"])


def _jittered(op: ColorJitter, x: torch.Tensor, parameters: Mapping[str, np.ndarray]) -> torch.Tensor:
    """Go through the four places of the order; at each, the pictures of which it is the same part go together."""
    for position in range(len(PARTS)):
        for place, (part, change) in enumerate(PARTS.items()):
            if getattr(op, part) > 0:
                x = change_some(x, parameters["order"][:, position] == place, change, parameters[part])
    return x
