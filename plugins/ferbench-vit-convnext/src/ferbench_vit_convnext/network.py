"""The four networks, from timm, for any number of channels, classes and pixels that patches divide."""

from __future__ import annotations

from collections.abc import Sequence

from timm.models.convit import ConVit
from timm.models.convnext import ConvNeXt
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from ferbench import NetSpec, Problem, SettingsError

STEM, HALVINGS = 4, 3
"""ConvNeXt's first convolution makes patches of four pixels; three stages halve what is left."""


def build_vit(
    spec: NetSpec, *, patch: int, width: int, depth: int, heads: int, dropout: float, drop_path: float
) -> VisionTransformer:
    """ViT (Dosovitskiy et al. 2021), and DeiT (Touvron et al. 2021) without its distillation token: the same network.

    85,410,823 parameters for ``depth`` 12, ``width`` 768, patches of 16 of 224 grey pixels, and 7 classes.
    Raises SettingsError where patches do not divide the picture, or heads the width.
    """
    _check_patches(spec, patch)
    _check_heads(width, heads)
    return VisionTransformer(
        img_size=spec.size,
        patch_size=patch,
        in_chans=spec.channels,
        num_classes=spec.classes,
        embed_dim=width,
        depth=depth,
        num_heads=heads,
        proj_drop_rate=dropout,
        pos_drop_rate=dropout,
        drop_path_rate=drop_path,
    )


def build_convit(
    spec: NetSpec,
    *,
    patch: int,
    width: int,
    depth: int,
    heads: int,
    local_layers: int,
    locality: float,
    drop_path: float,
) -> ConVit:
    """ConViT (d'Ascoli et al. 2021): the first ``local_layers`` begin as convolutions, and learn where else to look.

    85,383,207 parameters at the options' defaults, 224 grey pixels and 7 classes.
    Raises SettingsError where patches do not divide the picture, or heads the width.
    """
    _check_patches(spec, patch)
    _check_heads(width, heads)
    return ConVit(
        img_size=spec.size,
        patch_size=patch,
        in_chans=spec.channels,
        num_classes=spec.classes,
        embed_dim=width // heads,  # timm counts the width of a head here
        depth=depth,
        num_heads=heads,
        local_up_to_layer=local_layers,
        locality_strength=locality,
        drop_path_rate=drop_path,
    )


def build_convnext(spec: NetSpec, *, depths: Sequence[int], widths: Sequence[int], drop_path: float) -> nn.Module:
    """ConvNeXt (Liu et al. 2022): 27,822,439 parameters for ``tiny``'s stages, grey pictures and 7 classes.

    Raises SettingsError for pictures of fewer than 32 pixels.
    """
    smallest = STEM * 2**HALVINGS
    if spec.size < smallest:
        message = f"convnext needs pictures of {smallest} pixels or more (given: {spec.size})"
        raise SettingsError([Problem("recipe.input.size", message)])
    return ConvNeXt(
        in_chans=spec.channels,
        num_classes=spec.classes,
        depths=tuple(depths),
        dims=tuple(widths),
        drop_path_rate=drop_path,
    )


def _check_patches(spec: NetSpec, patch: int) -> None:
    if spec.size % patch:
        near = max(1, round(spec.size / patch)) * patch
        message = f"patches of {patch} pixels do not divide pictures of {spec.size}; {near} would do"
        raise SettingsError([Problem("recipe.input.size", message)])


def _check_heads(width: int, heads: int) -> None:
    if width % heads:
        raise SettingsError([Problem("model.options.heads", f"{heads} heads do not divide a width of {width}")])
