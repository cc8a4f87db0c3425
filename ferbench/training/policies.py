"""RandAugment and AutoAugment of whole batches: each picture with operations and strengths of its own.

The operations, their strengths, signs and policies are torchvision's. Pictures that get the same operation are changed
together; all that move pixels go through one warp.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from ferbench.nouns.colour import AutoAugment, RandAugment
from ferbench.training import tones
from ferbench.training.choosing import put_changed
from ferbench.training.equalising import equalize
from ferbench.training.filters import sharpness
from ferbench.training.learnt import OPERATIONS, POLICIES, RAND_AUGMENT, SIGNED, strengths
from ferbench.training.warp import inverse_matrices, warp

LearntPolicy = RandAugment | AutoAugment

AUTO_AUGMENT_BINS = 10

MOVING = ("shear-x", "shear-y", "translate-x", "translate-y", "rotate")

CHANGES: dict[str, Callable[[torch.Tensor, np.ndarray], torch.Tensor]] = {
    "brightness": lambda x, strength: tones.brightness(x, 1 + strength),
    "color": lambda x, strength: tones.saturation(x, 1 + strength),
    "contrast": lambda x, strength: tones.contrast(x, 1 + strength),
    "sharpness": lambda x, strength: sharpness(x, 1 + strength),
    "posterize": tones.posterize,
    "solarize": tones.solarize,
    "auto-contrast": lambda x, _: tones.auto_contrast(x),
    "equalize": lambda x, _: equalize(x),
    "invert": lambda x, _: tones.invert(x),
}
"""What is done to the values of pixels, given how strongly (see :func:`ferbench.training.learnt.strengths`)."""


def draw(op: LearntPolicy, n: int, height: int, width: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw what ``n`` pictures of ``height`` × ``width`` pixels go through, one step after the other.

    ``operation``: int64 [n, steps], places in ``OPERATIONS``. ``strength``: float64 [n, steps], signed. RandAugment
    draws each operation for itself; AutoAugment a pair, and of that each with its probability (else the identity).
    """
    if isinstance(op, RandAugment):
        operation = rng.integers(RAND_AUGMENT, size=(n, op.operations))
        strength = strengths(op.bins, height, width)[operation, op.magnitude]
    else:
        policy, pair = POLICIES[op.policy], rng.integers(len(POLICIES[op.policy].operation), size=n)
        applied = rng.random((n, 2)) < policy.probability[pair]
        operation = np.where(applied, policy.operation[pair], OPERATIONS.index("identity"))
        strength = strengths(AUTO_AUGMENT_BINS, height, width)[operation, policy.magnitude[pair]]
    backwards = SIGNED[operation] & (rng.random(operation.shape) < 0.5)
    return {"operation": operation, "strength": np.where(backwards, -strength, strength)}


def apply(op: LearntPolicy, x: torch.Tensor, parameters: Mapping[str, np.ndarray]) -> torch.Tensor:
    """Return the batch, uint8 [n, c, h, w] (c 1 or 3), as ``op`` changes it; ``x`` itself stays as it is."""
    for operation, strength in zip(parameters["operation"].T, parameters["strength"].T, strict=True):
        x = _step(op, x, operation, strength)
    return x


def _step(op: LearntPolicy, x: torch.Tensor, operation: np.ndarray, strength: np.ndarray) -> torch.Tensor:
    result = x.clone()

    def moved(some: torch.Tensor, operation: np.ndarray, strength: np.ndarray) -> torch.Tensor:
        return warp(some, _matrices(operation, strength, x.shape[2], x.shape[3]), op.interpolation, op.fill)

    moving = np.isin(operation, [OPERATIONS.index(name) for name in MOVING])
    put_changed(result, x, moving, moved, operation, strength)
    for name, change in CHANGES.items():
        put_changed(result, x, operation == OPERATIONS.index(name), change, strength)
    return result


def _matrices(operation: np.ndarray, strength: np.ndarray, height: int, width: int) -> np.ndarray:
    """Matrices float64 [n, 2, 3] of operations that move pixels, as :func:`ferbench.training.warp.warp` takes them.

    Shears keep the upper or left border of the picture where it is, rotations (counter-clockwise) its middle.
    """

    def of(name: str) -> np.ndarray:
        own: np.ndarray = strength * (operation == OPERATIONS.index(name))
        return own

    along_x, along_y = of("shear-x"), of("shear-y")
    matrices = inverse_matrices(
        -of("rotate"), np.trunc(of("translate-x")), np.trunc(of("translate-y")), np.ones(len(operation))
    )
    matrices[:, 0, 1] += along_x
    matrices[:, 0, 2] += along_x * height / 2
    matrices[:, 1, 0] += along_y
    matrices[:, 1, 2] += along_y * width / 2
    return matrices
