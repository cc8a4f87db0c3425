"""Augmentation equals torchvision's, sample by sample, under the same parameters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as F

from ferbench import (
    Affine,
    HorizontalFlip,
    PadCrop,
    Perspective,
    RandomCrop,
    RandomErasing,
    Recipe,
    ResizedCrop,
    SettingsError,
    TrainingError,
    VerticalFlip,
)
from ferbench.nouns.augmentation import Augmentation
from ferbench.nouns.settings import validated
from ferbench.training.augment import apply, draw
from ferbench.training.pixels import crop_gather, crop_rows, flip_rows, flip_where, resize, to_grey

MODES = {"nearest": F.InterpolationMode.NEAREST, "bilinear": F.InterpolationMode.BILINEAR}

ALL = (
    PadCrop(padding=3),
    RandomCrop(size=9),
    HorizontalFlip(),
    Affine(degrees=20, translate=0.2, scale=(0.8, 1.2)),
    RandomErasing(p=1.0),
    PadCrop(padding=3, border="reflect"),
    ResizedCrop(size=9),
    VerticalFlip(),
    Affine(zoom=(0.8, 1.2), shear=(10, 10), translate=0.2, degrees=20, scale=(0.8, 1.2), border="edge"),
    Perspective(p=1.0),
    RandomErasing(p=1.0, value="random"),
)


def faces(count: int, height: int, width: int, layout: str) -> torch.Tensor:
    """Pictures uint8 [n, c, h, w] of random pixels: grey, colour in planes, or colour pixel by pixel."""
    rng = np.random.default_rng(height)
    if layout == "grey":
        return torch.from_numpy(rng.integers(0, 256, (count, 1, height, width), np.uint8))
    if layout == "planes":
        return torch.from_numpy(rng.integers(0, 256, (count, 3, height, width), np.uint8))
    return torch.from_numpy(rng.integers(0, 256, (count, height, width, 3), np.uint8)).permute(0, 3, 1, 2)


@pytest.fixture(params=[("grey", 17, 12, 14), ("planes", 5, 14, 11), ("pixels", 8, 12, 13), ("pixels", 1, 12, 12)])
def x(request: pytest.FixtureRequest) -> torch.Tensor:
    layout, count, height, width = request.param
    return faces(count, height, width, layout)


def drawn(op: Augmentation, x: torch.Tensor) -> dict[str, np.ndarray]:
    return draw(op, len(x), x.shape[2], x.shape[3], np.random.default_rng(4))


def test_pad_and_crop_equal_torchvisions(x: torch.Tensor) -> None:
    op = PadCrop(padding=3)
    p = drawn(op, x)
    padded = F.pad(x, [3, 3, 3, 3])
    size = list(x.shape[2:])
    expected = [F.crop(padded[i], int(p["top"][i]), int(p["left"][i]), *size) for i in range(len(x))]
    assert torch.equal(apply(op, x, p), torch.stack(expected))


def test_a_random_crop_equals_torchvisions(x: torch.Tensor) -> None:
    op = RandomCrop(size=9)
    p = drawn(op, x)
    expected = [F.crop(x[i], int(p["top"][i]), int(p["left"][i]), 9, 9) for i in range(len(x))]
    assert torch.equal(apply(op, x, p), torch.stack(expected))


def test_a_flip_equals_torchvisions(x: torch.Tensor) -> None:
    op = HorizontalFlip()
    p = drawn(op, x)
    expected = [F.horizontal_flip(x[i]) if p["flip"][i] else x[i] for i in range(len(x))]
    assert torch.equal(apply(op, x, p), torch.stack(expected))


@pytest.mark.parametrize("fill", [0.0, 100.0, 127.5])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_one_warp_equals_torchvisions_affine(x: torch.Tensor, interpolation: str, fill: float) -> None:
    op = Affine.model_validate(
        {"degrees": 40, "translate": 0.2, "scale": (0.7, 1.3), "p": 0.7, "interpolation": interpolation, "fill": fill}
    )
    p = drawn(op, x)
    p["right"] = p["right"] + 0.3  # parts of a pixel are not drawn, but can be given
    expected = [
        F.affine(
            x[i],
            angle=float(p["angle"][i]),
            translate=[float(p["right"][i]), float(p["down"][i])],
            scale=float(p["scale"][i]),
            shear=[0.0, 0.0],
            interpolation=MODES[interpolation],
            fill=fill,
        )
        if p["apply"][i]
        else x[i]
        for i in range(len(x))
    ]
    difference = (apply(op, x, p).int() - torch.stack(expected).int()).abs()
    # The last bit of a coordinate decides where a value lies exactly between two grey levels.
    assert difference.max() <= (1 if interpolation == "bilinear" else 0)
    assert (difference > 0).float().mean() < 1e-3


def test_a_warp_by_whole_pixels_and_no_angle_moves_the_picture_exactly() -> None:
    x = faces(2, 12, 12, "grey")
    p = {
        "apply": np.array([True, True]),
        "angle": np.array([0.0, 90.0]),
        "right": np.array([2.0, 0.0]),
        "down": np.array([-1.0, 0.0]),
        "scale": np.ones(2),
    }
    moved = apply(Affine(), x, p)
    assert torch.equal(moved[0, 0, :11, 2:], x[0, 0, 1:, :10])
    assert not moved[0, 0, 11].any() and not moved[0, 0, :, :2].any()
    assert torch.equal(moved[1, 0], x[1, 0].rot90(-1))  # clockwise


def test_random_erasing_equals_torchvisions(x: torch.Tensor) -> None:
    op = RandomErasing(p=0.7, value=0.25)
    normalised = x.float() / 255
    p = drawn(op, x)
    expected = [
        F.erase(normalised[i], *(int(p[key][i]) for key in ("top", "left", "height", "width")), torch.tensor(0.25))
        for i in range(len(x))
    ]
    assert torch.equal(apply(op, normalised, p), torch.stack(expected))


def test_grey_equals_torchvisions() -> None:
    x = faces(6, 12, 13, "pixels")
    assert torch.equal(to_grey(x), F.rgb_to_grayscale(x))


@pytest.mark.parametrize("size", [7, 20])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic"])
def test_resizing_equals_torchvisions(x: torch.Tensor, interpolation: str, size: int) -> None:
    mode = F.InterpolationMode(interpolation)
    expected = F.resize(x, [size, size], interpolation=mode, antialias=True)
    assert torch.equal(resize(x, size, interpolation), expected)  # type: ignore[arg-type]


def test_every_device_crops_and_flips_alike(x: torch.Tensor) -> None:
    rng = np.random.default_rng(0)
    top, left = rng.integers(3, size=len(x)), rng.integers(3, size=len(x))
    assert torch.equal(crop_rows(x, top, left, (10, 9)), crop_gather(x, top, left, (10, 9)))
    chosen = rng.random(len(x)) < 0.5
    assert torch.equal(flip_rows(x, chosen), flip_where(x, chosen))


def test_augmentation_leaves_its_input_as_it_was(x: torch.Tensor) -> None:
    for op in ALL:
        given = x.float() if isinstance(op, RandomErasing) else x.clone(memory_format=torch.preserve_format)
        before = given.clone()
        apply(op, given, drawn(op, x))
        assert torch.equal(given, before)


def test_each_sample_has_parameters_of_its_own_and_a_seed_repeats_them() -> None:
    for op in ALL:
        first, again = (draw(op, 64, 40, 40, np.random.default_rng(9)) for _ in range(2))
        assert all(np.array_equal(first[key], again[key]) for key in first)
        assert all(len(values) == 64 for values in first.values())
        varied = [len(np.unique(values)) > 1 for key, values in first.items() if key != "apply"]
        assert all(varied), op.name


def test_crops_are_drawn_from_all_places_alike() -> None:
    p = draw(PadCrop(padding=2), 5000, 40, 40, np.random.default_rng(0))
    for key in ("top", "left"):
        share = np.bincount(p[key], minlength=5) / 5000
        assert len(share) == 5 and np.abs(share - 0.2).max() < 0.03
    p = draw(RandomCrop(size=38), 5000, 40, 41, np.random.default_rng(0))
    assert np.bincount(p["top"]).size == 3 and np.bincount(p["left"]).size == 4


def test_affine_parameters_lie_in_their_ranges_and_translations_are_whole_pixels() -> None:
    op = Affine(degrees=10, translate=0.25, scale=(0.8, 1.1), p=0.3)
    p = draw(op, 5000, 40, 80, np.random.default_rng(0))
    assert abs(p["apply"].mean() - 0.3) < 0.03
    for key, low, high in (("angle", -10, 10), ("right", -20, 20), ("down", -10, 10), ("scale", 0.8, 1.1)):
        margin = (high - low) * 0.03
        assert low <= p[key].min() < low + margin and high - margin < p[key].max() <= high
        assert abs(p[key].mean() - (low + high) / 2) < margin
    assert np.array_equal(p["right"], np.rint(p["right"]))


def test_erased_rectangles_have_the_areas_and_ratios_asked_for() -> None:
    op = RandomErasing(p=0.6, scale=(0.05, 0.2), ratio=(0.5, 2.0))
    p = draw(op, 5000, 100, 100, np.random.default_rng(0))
    erased = p["height"] > 0
    assert abs(erased.mean() - 0.6) < 0.03
    area = (p["height"] * p["width"])[erased] / 10_000
    ratio = (p["height"] / np.maximum(p["width"], 1))[erased]
    assert 0.045 < area.min() < 0.06 and 0.19 < area.max() < 0.21 and abs(area.mean() - 0.125) < 0.01
    assert ratio.min() > 0.45 and ratio.max() < 2.1 and abs(np.log(ratio).mean()) < 0.05
    assert (p["top"] + p["height"] <= 100).all() and (p["left"] + p["width"] <= 100).all()


def test_a_rectangle_that_never_fits_erases_nothing() -> None:
    p = draw(RandomErasing(p=1.0, scale=(1.0, 1.0), ratio=(1.0, 1.0)), 20, 30, 30, np.random.default_rng(0))
    assert not p["height"].any()


def test_probability_zero_never_and_one_always_applies() -> None:
    rng = np.random.default_rng(0)
    x = faces(30, 12, 12, "grey")
    for op in (HorizontalFlip(p=0.0), Affine(degrees=30, p=0.0)):
        assert torch.equal(apply(op, x, draw(op, 30, 12, 12, rng)), x)
    always = HorizontalFlip(p=1.0)
    assert torch.equal(apply(always, x, draw(always, 30, 12, 12, rng)), x.flip(3))
    assert draw(Affine(p=1.0), 30, 12, 12, rng)["apply"].all()


def test_a_crop_larger_than_the_picture_is_refused_with_both_sizes() -> None:
    with pytest.raises(TrainingError, match=r"44 × 44 .* 40 × 48"):
        draw(RandomCrop(size=44), 3, 40, 48, np.random.default_rng(0))


@pytest.mark.parametrize(
    "settings", [{"name": "affine", "scale": (0.0, 1.0)}, {"name": "random-erasing", "ratio": (0.0, 1.0)}]
)
def test_a_scale_or_ratio_of_zero_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError, match=r"augmentation.*greater than 0"):
        validated(Recipe, {"augmentation": [settings]})
