"""Xception (Chollet 2017), built by timm under its name there, ``legacy_xception``."""

from __future__ import annotations

import timm
from torch import nn

from ferbench import NetSpec, Problem, SettingsError

SMALLEST = 32


def build(spec: NetSpec, *, dropout: float = 0.5) -> nn.Module:
    """Xception with ``dropout`` before its linear layer: 20,821,295 parameters for 3 channels and 7 classes.

    Raises SettingsError for pictures below 32 pixels.
    """
    if spec.size < SMALLEST:
        message = f"xception needs pictures of {SMALLEST} pixels or more (given: {spec.size})"
        raise SettingsError([Problem("recipe.input.size", message)])
    net: nn.Module = timm.create_model(
        "legacy_xception", pretrained=False, in_chans=spec.channels, num_classes=spec.classes, drop_rate=dropout
    )
    return net
