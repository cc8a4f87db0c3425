"""Devices, and the fixed rule by which each chooses precision and memory layout."""

from __future__ import annotations

import os
import random
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import nn

from ferbench.errors import Problem, SettingsError

BF16_FLAGS = {"avx512_bf16", "amx_bf16"}


@dataclass(frozen=True)
class Numerics:
    """How numbers are held: a device, and the precision of what autocast covers. Layout is always channels-last."""

    device: torch.device
    precision: Literal["fp32", "bf16"]

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which networks run."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")


def choose_device(name: str) -> torch.device:
    """``auto`` is the first GPU, else the CPU. Raises SettingsError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise SettingsError([Problem("--device", f"{name!r} is no device; use auto, cpu, cuda or cuda:1")]) from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise SettingsError([Problem("--device", f"{name!r} is not there: this machine shows {count} CUDA devices")])
    if device.type not in ("cpu", "cuda"):
        raise SettingsError([Problem("--device", f"{name!r} is not supported; use auto, cpu, cuda or cuda:1")])
    return device


def numerics_for(device: torch.device, wanted: Literal["auto", "fp32", "bf16"]) -> Numerics:
    """Apply the rule: bf16 where the device multiplies it natively, else fp32. It never depends on a timing."""
    if wanted != "auto":
        return Numerics(device, wanted)
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        native = bool(BF16_FLAGS & _cpu_flags())
    return Numerics(device, "bf16" if native else "fp32")


def ask_for_determinism() -> None:
    """Let cuBLAS give the same bits each time; it looks for this when CUDA starts, so this must come before.

    A workspace that the user has chosen stays.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def only_deterministic(device: torch.device) -> None:
    """On CUDA, use kernels alone that give the same bits each time; torch raises RuntimeError where it has none.

    On the CPU the same work gives the same bits as it is.
    """
    if device.type == "cuda":
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False


def channels_last(net: nn.Module) -> nn.Module:
    """Lay the weights of a network's 2-D convolutions out channels-last, as its pictures are; return it."""
    for value in (*net.parameters(), *net.buffers()):
        if value.ndim == 4:  # `net.to` refuses the five axes of 3-D convolutions
            value.data = value.data.contiguous(memory_format=torch.channels_last)
    return net


def seed_everything(seed: int) -> None:
    """Seed every generator that a network or an objective may draw from: torch's, numpy's and Python's own."""
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


def _cpu_flags() -> set[str]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return set()
    return set(text.partition("flags")[2].partition("\n")[0].split())
