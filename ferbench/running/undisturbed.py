"""Training within a program that goes on afterwards: a script, or the kernel of a notebook."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator

import numpy as np
import torch


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Begin as a fresh process would, and put everything that a training changes back afterwards.

    That is: random generators, torch's default type and device, gradient and inference mode, autocast, threads, rules
    of determinism, precision of products, and the environment variables.
    """
    with contextlib.ExitStack() as stack:
        stack.callback(_set_environment, dict(os.environ))
        stack.callback(random.setstate, random.getstate())
        stack.callback(np.random.set_state, np.random.get_state())
        stack.enter_context(torch.random.fork_rng(devices=_cuda_devices()))
        stack.callback(torch.set_num_threads, torch.get_num_threads())
        stack.callback(torch.set_default_dtype, torch.get_default_dtype())
        stack.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
        only = torch.is_deterministic_algorithms_warn_only_enabled()
        before = torch.are_deterministic_algorithms_enabled()
        stack.callback(torch.use_deterministic_algorithms, before, warn_only=only)
        stack.callback(setattr, torch.backends.cudnn, "benchmark", torch.backends.cudnn.benchmark)
        torch.set_default_dtype(torch.float32)
        torch.set_float32_matmul_precision("highest")
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = False
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        _leave_autocast(stack)
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        yield


def _leave_autocast(stack: contextlib.ExitStack) -> None:
    """Switch autocast off, by hand: a context around the training would keep its casts of weights from step to step.

    They are dropped when the outermost context ends, so where the program is in one, none may be kept at all.
    """
    for device in ("cpu", "cuda"):
        stack.callback(torch.set_autocast_enabled, device, torch.is_autocast_enabled(device))
        torch.set_autocast_enabled(device, False)
    stack.callback(torch.set_autocast_cache_enabled, torch.is_autocast_cache_enabled())
    depth = torch.autocast_increment_nesting() - 1
    torch.autocast_decrement_nesting()
    torch.set_autocast_cache_enabled(depth == 0)


def _cuda_devices() -> list[int]:
    """The GPUs whose generators have a state; looking must not start CUDA."""
    started: bool = torch.cuda.is_initialized()
    return list(range(torch.cuda.device_count())) if started else []


def _set_environment(wanted: dict[str, str]) -> None:
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    os.environ.update(wanted)
