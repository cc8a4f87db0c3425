"""Rectangles overwritten with noise, and squares cut out."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ferbench import Cutout, RandomErasing
from ferbench.training.augment import apply, draw


def normalised(count: int, channels: int = 1) -> torch.Tensor:
    return torch.full((count, channels, 40, 30), 9.0)


def test_noise_is_standard_normal_each_pixel_and_channel_its_own_and_only_inside() -> None:
    op, x = RandomErasing(p=1.0, value="random"), normalised(50, 3)
    p = draw(op, 50, 40, 30, np.random.default_rng(1))
    result = apply(op, x, p)
    for picture, top, left, tall, wide in zip(
        result, *(p[key] for key in ("top", "left", "height", "width")), strict=True
    ):
        inside = torch.zeros(40, 30, dtype=torch.bool)
        inside[top : top + tall, left : left + wide] = True
        assert (picture[:, ~inside] == 9).all() and not (picture[:, inside] == 9).any()
    noise = result[result != 9]
    assert len(np.unique(noise.numpy())) > 0.99 * len(noise)
    assert abs(float(noise.mean())) < 0.02 and abs(float(noise.std()) - 1) < 0.02
    assert (x == 9).all()


def test_the_same_seed_gives_the_same_noise_and_another_seed_other() -> None:
    op, x = RandomErasing(p=1.0, value="random"), normalised(4)
    first, again, other = (apply(op, x, draw(op, 4, 40, 30, np.random.default_rng(seed))) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_noise_draws_the_rectangles_that_a_value_draws() -> None:
    noise, value = (draw(RandomErasing(value=v), 9, 40, 30, np.random.default_rng(3)) for v in ("random", 0.0))
    assert all(np.array_equal(noise[key], value[key]) for key in value)


@pytest.mark.parametrize("channels", [1, 3])
def test_squares_are_cut_out_and_may_lie_partly_outside(channels: int) -> None:
    op, x = Cutout(size=8, count=2, value=-1.0), normalised(60, channels)
    p = draw(op, 60, 40, 30, np.random.default_rng(1))
    expected = x.clone()
    for picture, tops, lefts in zip(expected, p["top"], p["left"], strict=True):
        for top, left in zip(tops, lefts, strict=True):
            picture[:, max(top, 0) : max(top + 8, 0), max(left, 0) : max(left + 8, 0)] = -1
    assert torch.equal(apply(op, x, p), expected)
    assert p["top"].min() < 0 and p["top"].max() > 32


def test_the_middle_of_a_square_is_any_pixel_alike() -> None:
    p = draw(Cutout(size=6), 20_000, 10, 5, np.random.default_rng(0))
    for key, side in (("top", 10), ("left", 5)):
        share = np.bincount(p[key][:, 0] + 3, minlength=side) / 20_000
        assert len(share) == side and np.abs(share - 1 / side).max() < 0.02


def test_squares_are_cut_out_with_their_probability() -> None:
    x = normalised(2000)
    op = Cutout(size=8, p=0.3)
    touched = (apply(op, x, draw(op, 2000, 40, 30, np.random.default_rng(0))) != 9).flatten(1).any(1)
    assert abs(float(touched.float().mean()) - 0.3) < 0.04
