"""The student: a vision transformer with a class token and a distillation token (Touvron et al. 2021, figure 2)."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
from timm.models.deit import VisionTransformerDistilled
from torch import nn

from ferbench import NetSpec, Problem, SettingsError

Joint = Literal["probability", "logit", "class", "distillation"]


class Student(nn.Module):
    """timm's distilled transformer, whose two heads are read together: float [n, channels, size, size] to [n, classes].

    ``joint`` says how: mean of the heads' probabilities, of their logits, or one head alone.
    """

    def __init__(self, vit: VisionTransformerDistilled, joint: Joint) -> None:
        super().__init__()
        self.vit = vit
        self.joint = joint

    def forward(self, x: torch.Tensor, separate: bool = False) -> torch.Tensor:
        """Logits [n, classes]; with ``separate`` those of the class head and of the distillation head, [2, n, classes].

        Under ``probability`` they are log probabilities: what a softmax makes of them is the mean of both heads'.
        """
        tokens = self.vit.forward_features(x)
        heads = torch.stack((self.vit.head(tokens[:, 0]), self.vit.head_dist(tokens[:, 1])))
        return heads if separate else joined(heads, self.joint)


def joined(heads: torch.Tensor, joint: Joint) -> torch.Tensor:
    """What two heads, float [2, n, classes], say together: logits float32 [n, classes]."""
    own, imitated = heads.float().unbind()
    match joint:
        case "probability":
            return torch.logaddexp(own.log_softmax(1), imitated.log_softmax(1)) - math.log(2)
        case "logit":
            return (own + imitated) / 2
        case "class":
            return own
        case "distillation":
            return imitated


def build_student(
    spec: NetSpec,
    *,
    patch: int = 16,
    width: int = 192,
    depth: int = 12,
    heads: int = 3,
    drop_path: float = 0.1,
    joint: Joint = "probability",
    **options: Any,
) -> Student:
    """Build it for ``spec``: 5,429,198 parameters at 1 channel, 224 pixels and 7 classes.

    Raises SettingsError where patches do not fill the picture, or heads the width.
    """
    problems = []
    if spec.size % patch:
        message = f"{patch} pixels do not divide pictures of {spec.size} evenly"
        problems.append(Problem("model.options.patch", message))
    if width % heads:
        problems.append(Problem("model.options.heads", f"{heads} heads do not divide a width of {width} evenly"))
    if problems:
        raise SettingsError(problems)
    vit = VisionTransformerDistilled(
        img_size=spec.size,
        patch_size=patch,
        in_chans=spec.channels,
        num_classes=spec.classes,
        embed_dim=width,
        depth=depth,
        num_heads=heads,
        drop_path_rate=drop_path,
    )
    return Student(vit, joint)
