"""Sharpness-aware minimisation: the gradient where the loss is worst, a small step away (Foret et al. 2021)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ferbench.nouns.model import Objective
from ferbench.nouns.optimizers import SAM
from ferbench.training.stateful import stateful

TINY = 1e-12
"""Added to the gradient's length, so that a gradient of nothing moves nothing."""


@contextmanager
def uphill(optimizer: torch.optim.Optimizer, settings: SAM) -> Iterator[None]:
    """Within it, the weights that learn lie a step of length ``rho`` along their gradients; afterwards where they were.

    ε = ρ g / ‖g‖ (Foret et al. 2021, eq. 2, for p = 2), or with ``adaptive`` ε = ρ w² g / ‖|w| g‖ (Kwon et al. 2021,
    eq. 9, for p = 2 and η = 0), over all weights together.
    """
    learning = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    moved = [parameter for parameter in learning if parameter.grad is not None]
    kept = [parameter.detach().clone() for parameter in moved]
    with torch.no_grad():
        _climb(moved, settings)
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, weight in zip(moved, kept, strict=True):
                parameter.copy_(weight)


@contextmanager
def buffers_kept(net: nn.Module) -> Iterator[None]:
    """Undo what happens to the network's buffers within it, such as the running statistics of batch normalisation."""
    kept = [(buffer, buffer.clone()) for buffer in net.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in kept:
                buffer.copy_(value)


@contextmanager
def state_kept(objective: Objective) -> Iterator[None]:
    """Undo what happens to the state of an objective within it (centres, counters), where it has any."""
    owner = stateful(objective)
    kept = {} if owner is None else deepcopy(owner.state_dict())
    try:
        yield
    finally:
        if owner is not None:
            owner.load_state_dict(kept)


@dataclass(frozen=True)
class Draws:
    """Where every random generator stands that a network or an objective may draw from.

    Foret et al.'s own code gives both passes the same key, so a dropout mask holds for both.
    """

    cpu: torch.Tensor
    cuda: torch.Tensor | None
    legacy: Any
    python: Any
    objective: dict[str, Any]

    @staticmethod
    def of(device: torch.device, rng: np.random.Generator) -> Draws:
        """Where they stand now."""
        cuda = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
        given = dict(rng.bit_generator.state)
        return Draws(torch.get_rng_state(), cuda, np.random.get_state(), random.getstate(), given)

    def again(self, device: torch.device, rng: np.random.Generator) -> None:
        """Put them back, so that the same numbers come again."""
        torch.set_rng_state(self.cpu)
        if self.cuda is not None:
            torch.cuda.set_rng_state(self.cuda, device)
        np.random.set_state(self.legacy)
        random.setstate(self.python)
        rng.bit_generator.state = self.objective


def _climb(moved: list[nn.Parameter], settings: SAM) -> None:
    scales = [parameter.abs() if settings.adaptive else None for parameter in moved]
    slopes = [_times(_grad(parameter), scale) for parameter, scale in zip(moved, scales, strict=True)]
    if not slopes:
        return
    length = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(slope) for slope in slopes]))
    for parameter, slope, scale in zip(moved, slopes, scales, strict=True):
        parameter.add_(_times(slope, scale) * (settings.rho / (length + TINY)))


def _grad(parameter: nn.Parameter) -> torch.Tensor:
    assert parameter.grad is not None
    return parameter.grad


def _times(values: torch.Tensor, scale: torch.Tensor | None) -> torch.Tensor:
    return values if scale is None else values * scale
