"""A network of timm for the pictures and classes at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
import torch
from torch import nn

from ferbench import NetSpec, Problem, SettingsError


def build(architecture: str, spec: NetSpec, arguments: Mapping[str, Any]) -> nn.Module:
    """The network for ``spec``, with timm's own initial weights; nothing is fetched.

    Networks that are made for one size are told the side of the pictures. Raises SettingsError where timm refuses the
    size or the ``arguments``.
    """
    reserved = sorted({"pretrained", "in_chans", "num_classes", "img_size", "checkpoint_path"} & arguments.keys())
    if reserved:
        message = f"{', '.join(reserved)} follow from recipe and data, and cannot be given"
        raise SettingsError([Problem("model.options.arguments", message)])
    config = timm.get_pretrained_cfg(architecture)
    given: dict[str, Any] = dict(arguments)
    if config is not None and config.fixed_input_size:
        given["img_size"] = spec.size
    try:
        net: nn.Module = timm.create_model(
            architecture, pretrained=False, in_chans=spec.channels, num_classes=spec.classes, **given
        )
        _pass(net, spec)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        raise SettingsError([_refused(architecture, spec, arguments, error)]) from error
    return net


def _pass(net: nn.Module, spec: NetSpec) -> None:
    """Let the network see one empty picture: many refuse a size only then."""
    with torch.inference_mode():
        net.eval()(torch.zeros(1, spec.channels, spec.size, spec.size, device=next(net.parameters()).device))
    net.train()


def _refused(architecture: str, spec: NetSpec, arguments: Mapping[str, Any], error: Exception) -> Problem:
    reason = " ".join(str(error).split()) or type(error).__name__
    if arguments:
        return Problem("model.options.arguments", f"timm's {architecture} refuses {dict(arguments)}: {reason}")
    return Problem("recipe.input.size", f"timm's {architecture} cannot be built for {spec.size} pixels: {reason}")
