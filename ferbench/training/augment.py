"""Augmentation of whole batches, each sample with its own random parameters.

Parameters are drawn by numpy on the host (:func:`draw`), so that every device gets the same; :func:`apply` depends on
the batch and the parameters alone. Every operation equals torchvision's of the same name, sample by sample.
"""

from __future__ import annotations

import numpy as np
import torch

from ferbench.errors import TrainingError
from ferbench.nouns.augmentation import Augmentation
from ferbench.training import colouring, erasing, geometric, policies
from ferbench.training.colouring import Colouring
from ferbench.training.erasing import Erasing
from ferbench.training.geometric import Geometric, Parameters
from ferbench.training.policies import LearntPolicy


def draw(op: Augmentation, n: int, height: int, width: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the parameters of ``n`` samples of ``height`` × ``width`` pixels, each array [n, ...].

    What they are is said where each kind is drawn: :func:`geometric.draw`, :func:`erasing.draw`. Raises TrainingError
    when an operation does not fit the picture.
    """
    if isinstance(op, Geometric):
        return geometric.draw(op, n, height, width, rng)
    if isinstance(op, Colouring):
        return colouring.draw(op, n, height, width, rng)
    if isinstance(op, LearntPolicy):
        return policies.draw(op, n, height, width, rng)
    if isinstance(op, Erasing):
        return erasing.draw(op, n, height, width, rng)
    raise TrainingError(f"{op.name} cannot be applied to each picture by itself.")


def apply(op: Augmentation, x: torch.Tensor, parameters: Parameters) -> torch.Tensor:
    """Return the batch as ``op`` changes it; ``x`` itself stays as it is.

    ``x``: uint8 [n, c, h, w]; for operations after normalisation float32.
    """
    if isinstance(op, Geometric):
        return geometric.apply(op, x, parameters)
    if isinstance(op, Colouring):
        return colouring.apply(op, x, parameters)
    if isinstance(op, LearntPolicy):
        return policies.apply(op, x, parameters)
    if isinstance(op, Erasing):
        return erasing.apply(op, x, parameters)
    raise TrainingError(f"{op.name} cannot be applied to each picture by itself.")
