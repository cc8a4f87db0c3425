"""torch.compile: when, and for which batches.

A cell is a process of its own, so what is compiled is shared between seeds through Inductor's cache on disk.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from ferbench.errors import TrainingError

TRITON_CAPABILITY = (7, 0)
"""What the compiler for GPUs needs at least."""
WORTHWHILE = 1_000_000
"""Training samples, all epochs together, from which compiling pays: it takes a minute or so, and gains a third."""

Call = Callable[..., Any]


def decide(wanted: Literal["auto", "always", "never"], device: torch.device, samples: int) -> bool:
    """Whether the network is compiled: a fixed rule of device and size, never of a timing.

    ``auto``: on CUDA where there is a compiler, for trainings of ``WORTHWHILE`` samples or more. ``samples``: those of
    the training, all epochs together.
    """
    if wanted != "auto" or device.type != "cuda":
        return wanted == "always"
    able = torch.cuda.get_device_capability(device) >= TRITON_CAPABILITY
    tools = importlib.util.find_spec("triton") and (
        os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")
    )
    return bool(able and tools and samples >= WORTHWHILE)


def keep_compiled(folder: Path) -> None:
    """Let Inductor keep what it compiles in ``folder``, where the next cell of the same network finds it."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)  # torch names one in /tmp as soon as it is imported


def compile_network(net: nn.Module) -> None:
    """Compile calls of ``net`` in place: its parameters keep their names, and copies of it are not compiled.

    In training and in evaluation each, the first shape that comes is compiled for, as a fixed one. Batches of another
    size, such as the last of an epoch, run as they are: they are few, and compiling for them would cost more.
    """
    plain: Call = net._call_impl
    net._compiled_call_impl = _fixed(net, plain, torch.compile(plain, dynamic=False))


def _fixed(net: nn.Module, plain: Call, compiled: Call) -> Call:
    shapes: dict[bool, tuple[torch.Size, ...]] = {}

    def call(*inputs: torch.Tensor, **named: torch.Tensor) -> Any:
        shape = tuple(value.shape for value in (*inputs, *named.values()))
        if shapes.setdefault(net.training, shape) != shape:
            return plain(*inputs, **named)
        try:
            return compiled(*inputs, **named)
        except torch._dynamo.exc.TorchDynamoException as error:
            cause = str(error).strip().partition("\n")[0]
            raise TrainingError(
                f"torch.compile failed ({cause}). --set run.compile=never trains without it."
            ) from error

    return call
