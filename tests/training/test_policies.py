"""RandAugment and AutoAugment equal torchvision's operations, strengths and policies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from ferbench import AutoAugment, RandAugment, Recipe, SettingsError
from ferbench.nouns.settings import validated
from ferbench.training.augment import apply, draw
from ferbench.training.learnt import OPERATIONS, POLICIES, RAND_AUGMENT, SIGNED, strengths
from tests.training.faces import faces

MODES = {"nearest": F.InterpolationMode.NEAREST, "bilinear": F.InterpolationMode.BILINEAR}
N = 60
LEARNT = {
    "imagenet": v2.AutoAugmentPolicy.IMAGENET,
    "cifar10": v2.AutoAugmentPolicy.CIFAR10,
    "svhn": v2.AutoAugmentPolicy.SVHN,
}


def torchvisions(name: str) -> str:
    """Our name of an operation as torchvision writes it: shear-x is ShearX."""
    return "".join(part.capitalize() for part in name.split("-")).replace("Autocontrast", "AutoContrast")


def reference(x: torch.Tensor, name: str, strength: float, mode: str, fill: float) -> Any:
    """One operation on one picture [c, h, w], by torchvision."""
    still: dict[str, Any] = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0]}
    how: dict[str, Any] = {"interpolation": MODES[mode], "fill": fill}
    degrees = math.degrees(math.atan(strength))
    match name:
        case "identity":
            return x
        case "shear-x":
            return F.affine(x, **{**still, "shear": [degrees, 0.0]}, center=[0, 0], **how)
        case "shear-y":
            return F.affine(x, **{**still, "shear": [0.0, degrees]}, center=[0, 0], **how)
        case "translate-x":
            return F.affine(x, **{**still, "translate": [int(strength), 0]}, **how)
        case "translate-y":
            return F.affine(x, **{**still, "translate": [0, int(strength)]}, **how)
        case "rotate":
            return F.rotate(x, strength, **how)
        case "brightness":
            return F.adjust_brightness(x, 1 + strength)
        case "color":
            return F.adjust_saturation(x, 1 + strength)
        case "contrast":
            return F.adjust_contrast(x, 1 + strength)
        case "sharpness":
            return F.adjust_sharpness(x, 1 + strength)
        case "posterize":
            return F.posterize(x, int(strength))
        case "solarize":
            return F.solarize(x, strength)
        case "auto-contrast":
            return F.autocontrast(x)
        case "equalize":
            return F.equalize(x)
        case "invert":
            return F.invert(x)
    raise AssertionError(name)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("mode", "fill"), [("nearest", 0.0), ("nearest", 130.0), ("bilinear", 130.0)])
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_equals_torchvisions_at_every_strength(name: str, mode: str, fill: float, channels: int) -> None:
    x = faces(22, channels)
    table = strengths(11, *x.shape[2:])[OPERATIONS.index(name)]
    if name.startswith("shear"):
        table = table * 0.99  # some of the steps lead to places exactly between two pixels, where the last bit decides
    strength = np.concatenate([table, -table if SIGNED[OPERATIONS.index(name)] else table])
    p = {"operation": np.full((22, 1), OPERATIONS.index(name)), "strength": strength[:, None]}
    op = RandAugment.model_validate({"interpolation": mode, "fill": fill})
    expected = [reference(x[i], name, float(strength[i]), mode, fill) for i in range(22)]
    difference = (apply(op, x, p).int() - torch.stack(expected).int()).abs()
    # Likewise the last bit of a coordinate, or of a sum, where a value lies exactly between two grey levels.
    exact = name in ("identity", "brightness", "posterize", "solarize", "auto-contrast", "equalize", "invert")
    assert difference.max() <= (0 if exact or (mode == "nearest" and "-" in name) else 1)
    assert (difference > 0).float().mean() < 1e-3


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("op", [RandAugment(operations=3), AutoAugment(), AutoAugment(policy="cifar10")])
def test_each_picture_goes_through_its_own_operations(op: RandAugment | AutoAugment, channels: int) -> None:
    x = faces(N, channels)
    before = x.clone()
    p = draw(op, N, x.shape[2], x.shape[3], np.random.default_rng(1))
    expected = []
    for picture, operations, strength in zip(x, p["operation"], p["strength"], strict=True):
        for operation, value in zip(operations, strength, strict=True):
            picture = reference(picture, OPERATIONS[operation], float(value), "nearest", 0.0)
        expected.append(picture)
    wrong = (apply(op, x, p) != torch.stack(expected)).float()
    assert wrong.mean() < 1e-3
    assert torch.equal(x, before)


@pytest.mark.parametrize("bins", [10, 31])
@pytest.mark.parametrize(("height", "width"), [(48, 48), (224, 331)])
def test_strengths_and_signs_are_torchvisions(bins: int, height: int, width: int) -> None:
    ours = strengths(bins, height, width)
    for place, name in enumerate(OPERATIONS):
        space = v2.AutoAugment if name == "invert" else v2.RandAugment
        values, signed = space._AUGMENTATION_SPACE[torchvisions(name)]
        theirs = values(bins, height, width)
        expected = np.zeros(bins) if theirs is None else theirs.double().numpy()
        assert np.array_equal(ours[place], 255 * expected if name == "solarize" else expected)
        assert SIGNED[place] == signed


def test_rand_augment_draws_from_torchvisions_operations() -> None:
    assert [torchvisions(name) for name in OPERATIONS[:RAND_AUGMENT]] == list(v2.RandAugment._AUGMENTATION_SPACE)


@pytest.mark.parametrize("name", LEARNT)
def test_a_learnt_policy_is_torchvisions(name: str) -> None:
    policy = POLICIES[name]
    ours = [
        tuple(
            (torchvisions(OPERATIONS[operation]), probability, magnitude)
            for operation, probability, magnitude in zip(*pair, strict=True)
        )
        for pair in zip(policy.operation, policy.probability, policy.magnitude, strict=True)
    ]
    theirs = v2.AutoAugment(LEARNT[name])._policies
    assert ours == [tuple((step, p, magnitude or 0) for step, p, magnitude in pair) for pair in theirs]


def test_rand_augment_draws_all_operations_alike_and_both_signs() -> None:
    op = RandAugment(operations=2, magnitude=9)
    p = draw(op, 7000, 48, 48, np.random.default_rng(0))
    share = np.bincount(p["operation"].ravel(), minlength=RAND_AUGMENT) / p["operation"].size
    assert len(share) == RAND_AUGMENT and np.abs(share - 1 / RAND_AUGMENT).max() < 0.01
    assert p["operation"].shape == p["strength"].shape == (7000, 2)
    for place, name in enumerate(OPERATIONS[:RAND_AUGMENT]):
        values = p["strength"][p["operation"] == place]
        assert np.allclose(np.abs(values), strengths(31, 48, 48)[place, 9])
        assert abs((values < 0).mean() - (0.5 if SIGNED[place] else 0)) < 0.06, name


def test_auto_augment_draws_pairs_alike_and_applies_each_step_with_its_probability() -> None:
    policy = POLICIES["svhn"]
    p = draw(AutoAugment(policy="svhn"), 20_000, 48, 48, np.random.default_rng(0))
    for step in range(2):
        share = np.bincount(p["operation"][:, step], minlength=len(OPERATIONS)) / 20_000
        expected = np.bincount(policy.operation[:, step], policy.probability[:, step] / 25, len(OPERATIONS))
        expected[0] = 1 - expected.sum()
        assert np.abs(share - expected).max() < 0.015
    rotated = p["strength"][p["operation"] == OPERATIONS.index("rotate")]
    assert {round(float(angle)) for angle in np.abs(rotated)} == {10, 13}
    assert abs((rotated < 0).mean() - 0.5) < 0.05


def test_a_seed_repeats_what_is_drawn() -> None:
    for op in (RandAugment(), AutoAugment()):
        first, again = (draw(op, 30, 24, 24, np.random.default_rng(3)) for _ in range(2))
        assert all(np.array_equal(first[key], again[key]) for key in first)


def test_a_magnitude_outside_of_its_bins_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"augmentation.*magnitude 31 .* 31 bins.* 0 to 30"):
        validated(Recipe, {"augmentation": [{"name": "rand-augment", "magnitude": 31}]})
