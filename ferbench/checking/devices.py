"""Whether a network and its objective stay on the GPU that they are given, seen on a machine that has none.

PyTorch's fake tensors have a device and a shape and no numbers: an operation whose tensors lie on two devices is
refused, as it is where there is a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorDeviceMismatchError as MismatchError
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from ferbench.checking.made_up import class_names, spec_of
from ferbench.checking.networks import COMPANY, Reading
from ferbench.checking.report import Outcome, Subject, failed, passed, skipped
from ferbench.checking.trial import StandIn, build, objective_of, required_of
from ferbench.nouns.model import Model, StepContext
from ferbench.nouns.split import Batch
from ferbench.training.losses import call_network

GPU = torch.device("cuda", 0)
MEND = "Keep constants as buffers (register_buffer), and make new tensors with device=x.device."


def stays(subject: Subject[Model]) -> Outcome:
    """Forward and loss mix no tensor of the CPU with those of the GPU.

    Where it asks for a number (a length that data give, a value that is read), the look ends.
    """
    model, spec = subject.item, spec_of(subject.item)
    net, objective = build(model, spec), objective_of(model, spec)
    batch = Reading(model, spec).batch(np.arange(COMPANY))
    required = required_of(subject, spec, COMPANY)
    pretended = FakeTensorMode(allow_non_fake_inputs=True, allow_fallback_kernels=False, shape_env=ShapeEnv())
    with pretended, torch.backends.cudnn.flags(enabled=False):  # cuDNN's own operations ask for a driver
        for module in (net, objective):
            if isinstance(module, nn.Module):
                _move(module)
        cells: dict[str, Any] = {role: _OnGpu(**vars(cell)) for role, cell in required.items()}
        context = StepContext(0, 0, 0, class_names(spec.classes), GPU, np.random.default_rng(0), cells)
        try:
            given = _on_gpu(batch)
            result = objective(net.train(), given, context).loss if objective else call_network(net.train(), given)
        except MismatchError as error:
            return failed(f"{str(error).splitlines()[0]} ({_place(error)})", MEND)
        except Exception as error:  # other rules run the network with numbers, and show what it raises then
            return skipped(f"seen in part: then it asks for numbers, and pretended tensors have none ({_place(error)})")
    if result.device.type != GPU.type:
        return failed(f"what it returns lies on the {result.device.type.upper()}", MEND)
    return passed("its forward and its objective" if objective else "its forward")


@dataclass(frozen=True)
class _OnGpu(StandIn):
    """A required cell whose network lies on the GPU."""

    def network(self) -> nn.Module:
        with unset_fake_temporarily():
            net = super().network()
        _move(net)
        return net


def _move(module: nn.Module) -> None:
    """Put parameters and buffers on the GPU, as ``module.to`` does, and nothing else; what is shared stays shared."""
    moved: dict[int, nn.Parameter] = {}
    for part in module.modules():
        for name, value in part._parameters.items():
            if value is not None:
                part._parameters[name] = moved.setdefault(id(value), _parameter(value))
        for name, buffer in part._buffers.items():
            part._buffers[name] = None if buffer is None else buffer.to(GPU)


def _parameter(value: nn.Parameter) -> nn.Parameter:
    return nn.Parameter(value.detach().to(GPU), requires_grad=value.requires_grad)


def _on_gpu(batch: Batch) -> Batch:
    inputs: Mapping[str, Any] = {name: value.to(GPU) for name, value in batch.inputs.items()}
    mask = None if batch.mask is None else batch.mask.to(GPU)
    index = torch.arange(len(batch.target)).to(GPU)
    return Batch(inputs, batch.target.to(GPU), mask, None, index)


def _place(error: BaseException) -> str:
    """The innermost line of the plugin's code: where PyTorch itself begins, it ends."""
    place, trace = "", error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "")
        if not name.startswith(("torch", "ferbench.")):
            place = f"{name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place or "in PyTorch"
