"""Operations on colours equal torchvision's, picture by picture, under the same parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as F

from ferbench import (
    AutoContrast,
    ColorJitter,
    Equalize,
    GaussianBlur,
    Posterize,
    Sharpness,
    Solarize,
    TrainingError,
)
from ferbench.nouns.augmentation import Augmentation
from ferbench.training import filters, tones
from ferbench.training.augment import apply, draw
from ferbench.training.choosing import put_index, put_rows
from ferbench.training.equalising import equalize
from tests.training.faces import faces

ALL: tuple[Augmentation, ...] = (
    ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.2, p=0.7),
    Solarize(threshold=100.5),
    Posterize(bits=3),
    Equalize(),
    AutoContrast(),
    Sharpness(factor=1.7),
    GaussianBlur(kernel=5),
)
LAYOUTS = {"grey": (1, False), "planes": (3, False), "pixels": (3, True)}
N = 40


@pytest.fixture(params=LAYOUTS)
def x(request: pytest.FixtureRequest) -> torch.Tensor:
    channels, by_pixel = LAYOUTS[request.param]
    return faces(N, channels, by_pixel=by_pixel)


def drawn(op: Augmentation, x: torch.Tensor, seed: int = 4) -> dict[str, np.ndarray]:
    return draw(op, len(x), x.shape[2], x.shape[3], np.random.default_rng(seed))


def check(ours: torch.Tensor, theirs: list[torch.Tensor], off_by_one: float = 0.0) -> None:
    """All pixels are equal, but for a share ``off_by_one`` that may lie on the border of two grey levels."""
    assert ours.dtype == torch.uint8
    difference = (ours.int() - torch.stack(theirs).int()).abs()
    assert difference.max() <= (1 if off_by_one else 0)
    assert (difference > 0).float().mean() <= off_by_one


@pytest.mark.parametrize(
    ("ours", "theirs", "low", "high", "off_by_one"),
    [
        (tones.brightness, F.adjust_brightness, 0.0, 2.5, 0.0),
        (tones.contrast, F.adjust_contrast, 0.0, 2.5, 1e-4),
        (tones.saturation, F.adjust_saturation, 0.0, 2.5, 1e-4),
        (tones.hue, F.adjust_hue, -0.5, 0.5, 1e-4),
        (tones.solarize, F.solarize, 0.0, 255.0, 0.0),
        (filters.sharpness, F.adjust_sharpness, 0.0, 2.5, 1e-4),
    ],
)
def test_each_picture_is_changed_by_its_own_strength(
    x: torch.Tensor, ours: Callable[..., Any], theirs: Callable[..., Any], low: float, high: float, off_by_one: float
) -> None:
    strength = np.linspace(low, high, N)
    strength[3:6] = np.rint(strength[3:6])
    check(ours(x, strength), [theirs(x[i], float(strength[i])) for i in range(N)], off_by_one)


def test_posterize_keeps_zero_to_eight_bits(x: torch.Tensor) -> None:
    bits = np.arange(N) % 9
    check(tones.posterize(x, bits), [F.posterize(x[i], int(bits[i])) for i in range(N)])


def test_solarize_knows_the_ends_of_its_range(x: torch.Tensor) -> None:
    assert torch.equal(tones.solarize(x, np.zeros(N)), 255 - x)
    check(tones.solarize(x, np.full(N, 255.0)), [F.solarize(picture, 255.0) for picture in x])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(equalize, F.equalize), (tones.auto_contrast, F.autocontrast), (tones.invert, F.invert)],
)
def test_what_has_no_strength_equals_torchvisions(
    x: torch.Tensor, ours: Callable[[torch.Tensor], torch.Tensor], theirs: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    check(ours(x), [theirs(picture) for picture in x])


def test_equalize_leaves_pictures_of_few_pixels_alone() -> None:
    x = faces(6, 1, 12, 12)
    assert torch.equal(equalize(x), x)


@pytest.mark.parametrize("kernel", [3, 7, 11])
def test_each_picture_is_blurred_by_its_own_sigma(x: torch.Tensor, kernel: int) -> None:
    sigma = np.linspace(0.1, 3.0, N)
    expected = [F.gaussian_blur(x[i], [kernel, kernel], [float(sigma[i])] * 2) for i in range(N)]
    check(filters.gaussian_blur(x, kernel, sigma), expected, 1e-3)


def test_jitter_goes_through_its_parts_in_each_pictures_own_order(x: torch.Tensor) -> None:
    op = ColorJitter(brightness=0.5, contrast=0.5, saturation=0.5, hue=0.3, p=0.8)
    p = drawn(op, x)
    functions = [F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue]
    expected = []
    for i in range(N):
        picture = x[i]
        for part in p["order"][i] if p["apply"][i] else ():
            picture = functions[part](picture, float(p[("brightness", "contrast", "saturation", "hue")[part]][i]))
        expected.append(picture)
    difference = (apply(op, x, p).int() - torch.stack(expected).int()).abs()
    # A part that comes later may double the one level by which an earlier one is off.
    assert difference.max() <= 2
    assert (difference > 0).float().mean() < 1e-3


def test_jitter_of_strength_nought_changes_nothing(x: torch.Tensor) -> None:
    assert torch.equal(apply(ColorJitter(), x, drawn(ColorJitter(), x)), x)


def test_saturation_and_hue_leave_grey_alone() -> None:
    x, op = faces(N, 1), ColorJitter(saturation=1.0, hue=0.5)
    assert torch.equal(apply(op, x, drawn(op, x)), x)


@pytest.mark.parametrize(
    ("op", "theirs"),
    [
        (Solarize(threshold=100.5), lambda x: F.solarize(x, 100.5)),
        (Posterize(bits=3), lambda x: F.posterize(x, 3)),
        (Equalize(), F.equalize),
        (AutoContrast(), F.autocontrast),
        (Sharpness(factor=2.0), lambda x: F.adjust_sharpness(x, 2.0)),
    ],
)
def test_an_operation_changes_the_pictures_it_is_drawn_for(
    x: torch.Tensor, op: Augmentation, theirs: Callable[[torch.Tensor], torch.Tensor]
) -> None:
    p = drawn(op, x)
    assert 0 < p["apply"].sum() < N
    check(apply(op, x, p), [theirs(x[i]) if p["apply"][i] else x[i] for i in range(N)])


def test_operations_leave_their_input_as_it_was(x: torch.Tensor) -> None:
    before = x.clone()
    for op in ALL:
        apply(op, x, drawn(op, x))
        assert torch.equal(x, before), op.name


def test_every_device_puts_changed_pictures_alike(x: torch.Tensor) -> None:
    places, pictures = np.array([7, 2, 30]), 255 - x[:3]
    rows, index = x.clone(), x.clone()
    put_rows(rows, places, pictures)
    put_index(index, torch.from_numpy(places), pictures)
    assert torch.equal(rows, index) and torch.equal(rows[places], pictures)


def test_probability_nought_never_and_one_always_applies() -> None:
    for op in ALL:
        for p in (0.0, 1.0):
            drawn_p = draw(op.model_copy(update={"p": p}), 50, 24, 24, np.random.default_rng(0))
            assert (drawn_p["apply"] == bool(p)).all()


def test_a_seed_repeats_the_parameters_and_every_picture_has_its_own() -> None:
    for op in ALL:
        first, again = (draw(op, 64, 24, 24, np.random.default_rng(9)) for _ in range(2))
        assert all(np.array_equal(first[key], again[key]) for key in first)
        assert all(len(values) == 64 and len(np.unique(values, axis=0)) > 1 for values in first.values()), op.name


def test_jitter_draws_factors_from_their_ranges_and_orders_evenly() -> None:
    op = ColorJitter(brightness=0.4, contrast=1.5, hue=0.1, p=0.3)
    p = draw(op, 5000, 24, 24, np.random.default_rng(0))
    assert abs(p["apply"].mean() - 0.3) < 0.03
    for key, low, high in (("brightness", 0.6, 1.4), ("contrast", 0.0, 2.5), ("hue", -0.1, 0.1)):
        margin = (high - low) * 0.03
        assert low <= p[key].min() < low + margin and high - margin < p[key].max() <= high
        assert abs(p[key].mean() - (low + high) / 2) < margin
    assert (p["saturation"] == 1).all()
    orders, counts = np.unique(p["order"], axis=0, return_counts=True)
    assert len(orders) == 24 and np.abs(counts / 5000 - 1 / 24).max() < 0.012


def test_sigma_is_drawn_from_its_range() -> None:
    sigma = draw(GaussianBlur(sigma=(0.5, 1.5)), 5000, 24, 24, np.random.default_rng(0))["sigma"]
    assert 0.5 <= sigma.min() < 0.53 and 1.47 < sigma.max() <= 1.5 and abs(sigma.mean() - 1) < 0.03


def test_a_kernel_that_reaches_beyond_the_picture_is_refused() -> None:
    draw(GaussianBlur(kernel=9), 3, 5, 40, np.random.default_rng(0))
    with pytest.raises(TrainingError, match=r"kernel of 11 .* 5 × 40 .* recipe\.input\.size"):
        draw(GaussianBlur(kernel=11), 3, 5, 40, np.random.default_rng(0))
