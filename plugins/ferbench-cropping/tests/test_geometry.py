"""Squares, edges and turns, in numbers."""

from __future__ import annotations

import numpy as np
import pytest
from ferbench_cropping.geometry import TEMPLATE, align, cut, similarity, square_around

from ferbench import DataError


@pytest.mark.parametrize(
    ("box", "square"),
    [
        ((10, 20, 50, 60), (5, 15, 55, 65)),  # 40 and a quarter: 50, with the same centre
        ((10, 20, 30, 60), (-5, 15, 45, 65)),  # the longer side counts
        ((0, 0, 8, 8), (-1, -1, 9, 9)),
    ],
)
def test_a_square_is_a_quarter_larger_than_the_face(box: tuple[int, ...], square: tuple[int, ...]) -> None:
    assert square_around(np.array(box, dtype=float)) == square


def test_beyond_its_edges_a_picture_goes_on_as_it_ends() -> None:
    picture = np.arange(16, dtype=np.uint8).reshape(4, 4)
    corner = cut(picture, (-2, -1, 2, 3), 4)
    assert corner.tolist() == [[0, 0, 0, 1], [0, 0, 0, 1], [4, 4, 4, 5], [8, 8, 8, 9]]
    assert cut(picture, (10, 10, 12, 12), 2).tolist() == [[15, 15], [15, 15]]


def test_a_cut_has_the_size_and_the_colours_that_are_asked_for() -> None:
    picture = np.zeros((30, 20, 3), dtype=np.uint8)
    picture[..., 0] = 200
    made = cut(picture, (0, 0, 20, 20), 8)
    assert made.shape == (8, 8, 3) and (made == [200, 0, 0]).all()


def test_turn_scale_and_shift_are_found_again() -> None:
    turn, shift = 1.7 * np.exp(0.4j), 12 - 5j
    moved = turn * (TEMPLATE[:, 0] + 1j * TEMPLATE[:, 1]) + shift
    found = similarity(TEMPLATE, np.stack([moved.real, moved.imag], axis=1))
    assert np.allclose(found, (turn, shift))


def test_points_that_are_one_cannot_be_aligned() -> None:
    with pytest.raises(DataError, match="same place"):
        similarity(np.ones((5, 2)), TEMPLATE)


@pytest.mark.parametrize("size", [112, 64])
@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("degrees", [-30, 0, 20])
def test_eyes_nose_and_mouth_come_to_lie_on_the_template(size: int, scale: float, degrees: float) -> None:
    """Five bright spots in a turned picture are found again where they belong, to within 0.6 pixels."""
    turn = scale * np.exp(1j * np.deg2rad(degrees))
    points = turn * (TEMPLATE @ [1, 1j] - (56 + 56j)) + (220 + 190j)
    landmarks = np.stack([points.real, points.imag], axis=1)
    down, across = np.mgrid[:400, :440]
    spread = 3 * scale
    made = []
    for x, y in landmarks:
        spot = 255 * np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * spread**2))
        aligned = align(spot.astype(np.uint8), landmarks, size).astype(float)
        down_here, across_here = np.mgrid[:size, :size]
        made.append([(aligned * across_here).sum() / aligned.sum(), (aligned * down_here).sum() / aligned.sum()])
    # Pixels are numbered by their centres, in the template as well.
    assert np.abs(np.array(made) - TEMPLATE * size / 112).max() < 0.6


def test_an_aligned_picture_keeps_its_colours() -> None:
    picture = np.zeros((150, 150, 3), dtype=np.uint8)
    picture[..., 1] = 77
    made = align(picture, TEMPLATE + 10, 48)
    assert made.shape == (48, 48, 3) and (made == [0, 77, 0]).all()
