"""The policies that AutoAugment learnt, and the strengths of its operations, as data.

Cubuk et al. 2019, "AutoAugment: Learning Augmentation Strategies from Data", appendix; as torchvision has them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

OPERATIONS = (
    "identity",
    "shear-x",
    "shear-y",
    "translate-x",
    "translate-y",
    "rotate",
    "brightness",
    "color",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "auto-contrast",
    "equalize",
    "invert",
)
"""All operations of the policies; parameters name them by their places here."""

SIGNED = np.array([1 <= place <= 9 for place in range(len(OPERATIONS))])
"""Whether the strength of an operation goes both ways."""

RAND_AUGMENT = 14
"""RandAugment draws from so many of them: all but the last."""


def strengths(bins: int, height: int, width: int) -> np.ndarray:
    """The strength of each operation at each of ``bins`` magnitudes, float64 [operations, bins]; 0 where it has none.

    Shear: pixels per pixel. Translation: pixels. Rotation: degrees. Posterize: bits. Solarize: threshold of 0 to 255.
    The others: what is added to or taken off the factor 1.
    """
    table = np.zeros((len(OPERATIONS), bins))
    highest = {"translate-x": 150 / 331 * width, "translate-y": 150 / 331 * height, "rotate": 30.0}
    highest |= {"shear-x": 0.3, "shear-y": 0.3}
    highest |= dict.fromkeys(("brightness", "color", "contrast", "sharpness"), 0.9)
    for name, value in highest.items():
        # torchvision's steps are those of float32, and a translation is cut to whole pixels from them.
        table[OPERATIONS.index(name)] = torch.linspace(0, value, bins).double().numpy()
    table[OPERATIONS.index("solarize")] = 255 * torch.linspace(1, 0, bins).double().numpy()
    table[OPERATIONS.index("posterize")] = np.rint(8 - np.arange(bins) / ((bins - 1) / 4))
    return table


@dataclass(frozen=True)
class Policy:
    """Pairs of operations of which a picture gets one: each array [pairs, 2].

    ``operation``: places in ``OPERATIONS``. ``probability``: with which it is applied. ``magnitude``: out of ten, 0
    where the operation has none.
    """

    operation: np.ndarray
    probability: np.ndarray
    magnitude: np.ndarray


def _policy(text: str) -> Policy:
    """Read a pair a line: operation, probability, and magnitude if it has one; twice."""
    words = [[step.split() for step in line.split(",")] for line in text.strip().splitlines()]
    return Policy(
        operation=np.array([[OPERATIONS.index(step[0]) for step in pair] for pair in words]),
        probability=np.array([[float(step[1]) for step in pair] for pair in words]),
        magnitude=np.array([[int(step[2]) if len(step) > 2 else 0 for step in pair] for pair in words]),
    )


POLICIES = {
    "imagenet": _policy(
        """
        posterize 0.4 8, rotate 0.6 9
        solarize 0.6 5, auto-contrast 0.6
        equalize 0.8, equalize 0.6
        posterize 0.6 7, posterize 0.6 6
        equalize 0.4, solarize 0.2 4
        equalize 0.4, rotate 0.8 8
        solarize 0.6 3, equalize 0.6
        posterize 0.8 5, equalize 1.0
        rotate 0.2 3, solarize 0.6 8
        equalize 0.6, posterize 0.4 6
        rotate 0.8 8, color 0.4 0
        rotate 0.4 9, equalize 0.6
        equalize 0.0, equalize 0.8
        invert 0.6, equalize 1.0
        color 0.6 4, contrast 1.0 8
        rotate 0.8 8, color 1.0 2
        color 0.8 8, solarize 0.8 7
        sharpness 0.4 7, invert 0.6
        shear-x 0.6 5, equalize 1.0
        color 0.4 0, equalize 0.6
        equalize 0.4, solarize 0.2 4
        solarize 0.6 5, auto-contrast 0.6
        invert 0.6, equalize 1.0
        color 0.6 4, contrast 1.0 8
        equalize 0.8, equalize 0.6
        """
    ),
    "cifar10": _policy(
        """
        invert 0.1, contrast 0.2 6
        rotate 0.7 2, translate-x 0.3 9
        sharpness 0.8 1, sharpness 0.9 3
        shear-y 0.5 8, translate-y 0.7 9
        auto-contrast 0.5, equalize 0.9
        shear-y 0.2 7, posterize 0.3 7
        color 0.4 3, brightness 0.6 7
        sharpness 0.3 9, brightness 0.7 9
        equalize 0.6, equalize 0.5
        contrast 0.6 7, sharpness 0.6 5
        color 0.7 7, translate-x 0.5 8
        equalize 0.3, auto-contrast 0.4
        translate-y 0.4 3, sharpness 0.2 6
        brightness 0.9 6, color 0.2 8
        solarize 0.5 2, invert 0.0
        equalize 0.2, auto-contrast 0.6
        equalize 0.2, equalize 0.6
        color 0.9 9, equalize 0.6
        auto-contrast 0.8, solarize 0.2 8
        brightness 0.1 3, color 0.7 0
        solarize 0.4 5, auto-contrast 0.9
        translate-y 0.9 9, translate-y 0.7 9
        auto-contrast 0.9, solarize 0.8 3
        equalize 0.8, invert 0.1
        translate-y 0.7 9, auto-contrast 0.9
        """
    ),
    "svhn": _policy(
        """
        shear-x 0.9 4, invert 0.2
        shear-y 0.9 8, invert 0.7
        equalize 0.6, solarize 0.6 6
        invert 0.9, equalize 0.6
        equalize 0.6, rotate 0.9 3
        shear-x 0.9 4, auto-contrast 0.8
        shear-y 0.9 8, invert 0.4
        shear-y 0.9 5, solarize 0.2 6
        invert 0.9, auto-contrast 0.8
        equalize 0.6, rotate 0.9 3
        shear-x 0.9 4, solarize 0.3 3
        shear-y 0.8 8, invert 0.7
        equalize 0.9, translate-y 0.6 6
        invert 0.9, equalize 0.6
        contrast 0.3 3, rotate 0.8 4
        invert 0.8, translate-y 0.0 2
        shear-y 0.7 6, solarize 0.4 8
        invert 0.6, rotate 0.8 4
        shear-y 0.3 7, translate-x 0.9 3
        shear-x 0.1 6, invert 0.6
        solarize 0.7 2, translate-y 0.6 7
        shear-y 0.8 4, invert 0.8
        shear-x 0.7 9, translate-y 0.8 3
        shear-y 0.8 5, auto-contrast 0.7
        shear-x 0.7 2, invert 0.1
        """
    ),
}
