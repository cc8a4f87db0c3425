"""Views at test that are written down one by one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from ferbench import FerbenchError, GridViews, Input, RandomCrop, Recipe, ViewGrid
from ferbench.training.feed import ResidentFeed
from ferbench.training.grid_views import GridView, grid_views, grid_weights, move
from ferbench.training.inference import score_samples
from ferbench.training.prepare import Preparer
from ferbench.training.views import merge_views, view_count
from tests.training.tiny import CPU, NUMERICS, SIDE, SIGNED, TinyNet, pictures

AROUND = GridViews(grids=(ViewGrid(degrees=(0, 20, -20), translate=(0, 0.125, -0.125)),), plain=3)


def photo(side: int = 64) -> torch.Tensor:
    """Smooth pictures, uint8 [2, 1, side, side]."""
    noise = np.random.default_rng(0).uniform(0, 255, (2, side, side))
    smooth = ndimage.gaussian_filter(noise, (0, 3, 3))
    stretched = (smooth - smooth.min()) / (smooth.max() - smooth.min()) * 255
    return torch.from_numpy(stretched.astype(np.uint8))[:, None]


def test_the_picture_itself_comes_first_and_no_view_comes_twice() -> None:
    views = grid_views(AROUND)
    assert views[0] == GridView()
    assert len(views) == len(set(views)) == view_count(AROUND) == 3 * 3 * 3 * 2
    both = GridViews(grids=(AROUND.grids[0], ViewGrid(degrees=(0, 20)), ViewGrid(zoom=0.9, mirror=False)))
    assert grid_views(both)[: len(views)] == views
    assert grid_views(both)[len(views) :] == [GridView(zoom=0.9)]


def test_views_of_a_sample_lie_side_by_side_and_the_first_is_the_picture() -> None:
    x = photo()
    moved = move(x, AROUND).unflatten(0, (2, -1))
    assert moved.dtype == torch.uint8
    assert torch.equal(moved[:, 0], x)
    assert torch.equal(moved[:, grid_views(AROUND).index(GridView(mirrored=True))], x.flip(3))


@pytest.mark.parametrize("view", grid_views(AROUND)[1:], ids=str)
def test_a_view_is_the_picture_mirrored_then_moved_then_turned(view: GridView) -> None:
    """As the authors of LHC-Net do it with three operations, here each by scipy, away from the border."""
    x = photo()
    found = move(x, AROUND).unflatten(0, (2, -1))[0, grid_views(AROUND).index(view), 0].double().numpy()
    expected = x[0, 0].double().numpy()
    expected = expected[:, ::-1] if view.mirrored else expected
    expected = ndimage.shift(expected, (view.down * 64, view.right * 64), order=1, mode="nearest")
    turn = math.radians(view.degrees)
    matrix = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    middle = np.array([31.5, 31.5])
    expected = ndimage.affine_transform(expected, matrix, middle - matrix @ middle, order=1, mode="nearest")
    inside = np.s_[20:44, 20:44]
    assert np.abs(found[inside] - expected[inside]).max() <= 0.51


def test_the_sign_of_degrees_is_clockwise_and_of_translate_right_and_down() -> None:
    x = torch.zeros(1, 1, 33, 33, dtype=torch.uint8)
    x[0, 0, 4, 16] = 255  # twelve o'clock
    turned = GridViews(grids=(ViewGrid(degrees=(90,), mirror=False),))
    assert move(x, turned)[1, 0].argmax() == 16 * 33 + 28  # three o'clock
    right = GridViews(grids=(ViewGrid(translate=(0, 3 / 33), mirror=False),))
    places = {
        view: int(picture.argmax()) for view, picture in zip(grid_views(right), move(x, right)[:, 0], strict=True)
    }
    assert places[GridView(right=3 / 33)] == 4 * 33 + 19
    assert places[GridView(down=3 / 33)] == 7 * 33 + 16


def test_zoom_shows_the_middle_as_torch_resizes_it() -> None:
    x = photo()
    found = move(x, GridViews(grids=(ViewGrid(zoom=0.75, mirror=False),)))[1::2, 0]
    middle = x[:, :, 8:56, 8:56].double()
    expected = torch.nn.functional.interpolate(middle, (64, 64), mode="bilinear")[:, 0]
    inside = np.s_[:, 1:-1, 1:-1]  # at its edge a crop repeats its last pixel, where here the picture goes on
    assert (found[inside] - expected[inside]).abs().max() <= 0.51


def test_what_enters_is_the_border_that_was_asked_for() -> None:
    x = torch.full((1, 1, 16, 16), 200, dtype=torch.uint8)
    settings: dict[str, Any] = {"grids": (ViewGrid(translate=(0.5,), mirror=False),)}
    assert (move(x, GridViews(**settings))[1] == 200).all()
    assert (move(x, GridViews(**settings, border="constant"))[1] == 0).any()


@pytest.mark.parametrize("mean", ["probability", "logit"])
def test_the_picture_counts_as_often_as_asked(mean: Any) -> None:
    views = GridViews(grids=(ViewGrid(degrees=(5,)),), plain=3, mean=mean)
    logits = torch.randn(6, 4)
    by_sample = logits.view(2, 3, 4)
    counted = torch.cat((by_sample[:, :1].expand(2, 3, 4), by_sample[:, 1:]), 1)
    expected = counted.softmax(2).mean(1) if mean == "probability" else counted.mean(1).softmax(1)
    torch.testing.assert_close(merge_views(logits, 3, views, "single-label"), expected)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(merge_views(logits, 3, views, "single-label"), expected)
    assert float(grid_weights(views, CPU).sum()) == pytest.approx(1)


def test_scores_are_those_of_each_view_shown_by_itself() -> None:
    torch.set_num_threads(1)
    values, labels = pictures(10)
    recipe = Recipe(input=SIGNED, val_batch_size=120)  # two samples a batch
    preparer = Preparer(recipe.input)
    feed = ResidentFeed({"image": values}, labels, SIGNED, CPU)
    found = score_samples(TinyNet(), feed, preparer, recipe, NUMERICS, "single-label", SIDE, AROUND)
    moved = move(torch.from_numpy(values)[:, None], AROUND).unflatten(0, (10, -1))
    weighed = np.zeros_like(found)
    for place in range(moved.shape[1]):
        each = ResidentFeed({"image": moved[:, place, 0].numpy()}, labels, SIGNED, CPU)
        scores = score_samples(TinyNet(), each, preparer, recipe, NUMERICS, "single-label", SIDE)
        weighed += (3 if place == 0 else 1) * scores
    np.testing.assert_allclose(found, weighed / 56, atol=1e-6)


def test_where_training_crops_the_whole_picture_is_moved_and_then_cropped() -> None:
    values, labels = pictures(4)
    recipe = Recipe(input=Input(normalise="signed"), augmentation=(RandomCrop(size=SIDE - 4),))
    views = GridViews(grids=(ViewGrid(translate=(0, 2 / SIDE), mirror=False),))
    seen: list[torch.Tensor] = []

    class Watching(TinyNet):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x)
            return super().forward(x)

    feed = ResidentFeed({"image": values}, labels, recipe.input, CPU)
    score_samples(Watching(), feed, Preparer(recipe.input), recipe, NUMERICS, "single-label", SIDE - 4, views)
    right = grid_views(views).index(GridView(right=2 / SIDE))
    shown = ((seen[0].unflatten(0, (4, -1))[:, right, 0] * 0.5 + 0.5) * 255).round()
    assert torch.equal(shown, torch.from_numpy(values[:, 2 : SIDE - 2, : SIDE - 4]).float())


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"grids": []}, "grids"),
        ({"grids": [{"degrees": []}]}, "degrees"),
        ({"grids": [{"degrees": [200]}]}, "degrees"),
        ({"grids": [{"translate": [1.0]}]}, "translate"),
        ({"grids": [{"zoom": 0}]}, "zoom"),
        ({"grids": [{}], "plain": 0}, "plain"),
    ],
)
def test_grids_that_show_nothing_are_refused(settings: dict[str, Any], why: str) -> None:
    from ferbench.nouns.settings import revised

    with pytest.raises(FerbenchError, match=why):
        revised(Recipe(), {"tta": {"name": "grid", **settings}}, "recipe")
