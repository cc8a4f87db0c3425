"""Grey values, their mean and deviation, and a box plot's whiskers."""

from __future__ import annotations

import numpy as np
import pytest

from ferbench import brightness, whiskers
from ferbench.data import light
from ferbench.data.light import grey_values

RNG = np.random.default_rng(0)


def test_grey_pictures_have_the_mean_and_deviation_of_their_pixels() -> None:
    pictures = RNG.integers(0, 256, (9, 7, 5), np.uint8)
    for same in (pictures, pictures[..., None]):
        means, deviations = brightness(same)
        assert means == pytest.approx(pictures.mean(axis=(1, 2)))
        assert deviations == pytest.approx(pictures.std(axis=(1, 2)))


def test_of_colours_the_luma_counts() -> None:
    colours = np.zeros((3, 4, 4, 3), np.uint8)
    colours[range(3), ..., range(3)] = 200
    assert grey_values(colours)[:, 0, 0].tolist() == pytest.approx([59.8, 117.4, 22.8])
    assert brightness(colours)[0] == pytest.approx([59.8, 117.4, 22.8])


@pytest.mark.parametrize("shape", [(2, 48, 48), (2, 31, 17, 3), (2, 3, 12, 12, 1)])
@pytest.mark.parametrize("level", [1, 77, 255])
def test_the_deviation_of_equal_pixels_is_nothing(shape: tuple[int, ...], level: int) -> None:
    assert brightness(np.full(shape, level, np.uint8))[1].tolist() == [0, 0]


def test_frames_that_fill_a_clip_up_do_not_count() -> None:
    clips = RNG.integers(0, 256, (2, 4, 5, 5, 3), np.uint8)
    clips[1, 2:] = 0
    mask = np.array([[True] * 4, [True, True, False, False]])
    means, deviations = brightness(clips, mask)
    for clip, frames in enumerate((clips[0], clips[1, :2])):
        values = grey_values(frames[None])
        assert (means[clip], deviations[clip]) == pytest.approx((values.mean(), values.std()), rel=1e-5)


def test_many_pictures_are_worked_on_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = RNG.integers(0, 256, (11, 6, 6, 3), np.uint8)
    whole = brightness(pictures)
    monkeypatch.setattr(light, "_AT_ONCE", 250)
    assert np.array_equal(brightness(pictures), whole)


def test_whiskers_reach_beyond_the_quartiles() -> None:
    assert whiskers(np.arange(101.0)) == (25 - 75, 75 + 75)
    assert whiskers(np.arange(101.0), 0.5) == (25 - 25, 75 + 25)
