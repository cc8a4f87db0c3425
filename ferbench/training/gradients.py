"""What happens to a gradient between the backward pass and the optimizer's step."""

from __future__ import annotations

import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from ferbench.nouns.optimizers import Optimization


def clip(optimizer: torch.optim.Optimizer, settings: Optimization) -> None:
    """Cut each element to ± ``clip_value``, then scale the whole gradient down to the length ``clip_norm``.

    The whole is that of all parameters that the optimizer updates. Nothing waits for the device.
    """
    learning = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if settings.clip_value is not None:
        clip_grad_value_(learning, settings.clip_value)
    if settings.clip_norm is not None:
        clip_grad_norm_(learning, settings.clip_norm)
