"""Input pipelines that look at each picture by itself, against a reference that does one picture at a time."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch

from ferbench import HorizontalFlip, Input, SettingsError
from ferbench.nouns.settings import revised
from ferbench.nouns.split import Batch
from ferbench.training.lighting import equalised, lit, scaled, without_plane
from ferbench.training.prepare import Preparer

Normalise = Literal["unit", "signed", "imagenet", "each", "plane"]
SIZES = [(12, 12), (7, 16), (48, 48)]
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")),
]


def faces(height: int = 12, width: int = 12, channels: int = 1) -> np.ndarray:
    """Five pictures: noise, dark noise, a slope of light, few greys, one grey. uint8 [5, channels, height, width]."""
    rng = np.random.default_rng(3)
    shape = (channels, height, width)
    slope = np.add.outer(np.arange(height) * 3, np.arange(width) * 2) % 256
    kinds = [rng.integers(0, 256, shape), rng.integers(3, 40, shape), np.broadcast_to(slope, shape)]
    return np.stack([*kinds, rng.choice([0, 100, 255], shape), np.full(shape, 77)]).astype(np.uint8)


def even(picture: np.ndarray) -> np.ndarray:
    """Histogram equalisation as Barsoum et al.'s img_util.py describes it, but within 0 to 1."""
    share = np.bincount(picture.ravel(), minlength=256).cumsum() / picture.size
    return np.asarray(share[picture])


def without_light(values: np.ndarray) -> np.ndarray:
    """Take off the plane that least squares over all pixels gives."""
    rows, columns = np.mgrid[: values.shape[0], : values.shape[1]]
    terms = np.stack([np.ones(values.size), columns.ravel(), rows.ravel()], axis=1)
    fitted, *_ = np.linalg.lstsq(terms, values.ravel(), rcond=None)
    return np.asarray(values - (terms @ fitted).reshape(values.shape))


def divided(values: np.ndarray) -> np.ndarray:
    spread = float(np.sqrt((values**2).mean()))
    return np.asarray(values / spread) if spread > 1e-6 else values


def reference(picture: np.ndarray, equalise: bool, normalise: str) -> np.ndarray:
    values = even(picture) if equalise else picture / 255
    if normalise == "plane":
        return divided(without_light(2 * values - 1))
    if normalise == "each":
        return divided(values - values.mean())
    return values * 2 - 1 if normalise == "signed" else values


def prepared(values: np.ndarray, settings: Input, device: str = "cpu") -> torch.Tensor:
    result = Preparer(settings).test(Batch({"image": torch.from_numpy(values).to(device)}, None)).inputs["image"]
    assert isinstance(result, torch.Tensor)
    return result.cpu()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("equalise", [False, True])
@pytest.mark.parametrize("normalise", ["each", "plane"])
@pytest.mark.parametrize("size", SIZES)
def test_every_picture_comes_out_as_it_would_alone(
    size: tuple[int, int], normalise: Literal["each", "plane"], equalise: bool, device: str
) -> None:
    values = faces(*size, channels=3)
    result = lit(scaled(torch.from_numpy(values).to(device), equalise), normalise).cpu()
    expected = [[reference(channel, equalise, normalise) for channel in picture] for picture in values]
    np.testing.assert_allclose(result.numpy(), np.array(expected), atol=2e-5)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("normalise", ["unit", "signed", "each", "plane"])
def test_the_recipe_equalises_first_and_normalises_then(normalise: Normalise, device: str) -> None:
    values = faces()
    result = prepared(values, Input(equalise=True, normalise=normalise), device)
    expected = [reference(picture[0], True, normalise) for picture in values]
    np.testing.assert_allclose(result[:, 0].numpy(), np.array(expected), atol=2e-5)
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert result.dtype == torch.float32


def test_equalising_gives_each_pixel_the_share_of_pixels_that_are_no_brighter() -> None:
    values = np.array([[[[10, 10], [200, 30]]], [[[0, 0], [0, 0]]]], dtype=np.uint8)
    assert equalised(torch.from_numpy(values)).flatten(1).tolist() == [[0.5, 0.5, 1.0, 0.75], [1.0, 1.0, 1.0, 1.0]]


@pytest.mark.parametrize("normalise", ["each", "plane"])
@pytest.mark.parametrize("grey", [0, 77, 255])
@pytest.mark.parametrize("equalise", [False, True])
def test_a_picture_of_one_grey_becomes_zero_and_never_infinite(normalise: Normalise, grey: int, equalise: bool) -> None:
    values = np.full((2, 1, 64, 64), grey, dtype=np.uint8)
    assert prepared(values, Input(equalise=equalise, normalise=normalise)).abs().max() < 1e-5


def test_a_plane_of_light_leaves_nothing() -> None:
    rows, columns = np.mgrid[:9, :14]
    plane = torch.from_numpy((0.3 - 0.02 * rows + 0.01 * columns).astype(np.float32))
    assert without_plane(plane[None, None]).abs().max() < 1e-6


def test_light_from_a_side_makes_no_difference() -> None:
    rng = np.random.default_rng(0)
    face = rng.integers(0, 100, (1, 1, 16, 16))
    lighter = face + 4 * np.arange(16) + 3 * np.arange(16)[:, None] + 20
    both = [prepared(values.astype(np.uint8), Input(normalise="plane")) for values in (face, lighter)]
    torch.testing.assert_close(both[0], both[1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("normalise", ["each", "plane"])
def test_a_picture_has_mean_zero_and_spread_one(normalise: Normalise) -> None:
    result = prepared(faces(16, 16)[:4], Input(normalise=normalise, equalise=True)).flatten(1)
    np.testing.assert_allclose(result.mean(1), 0, atol=1e-5)
    np.testing.assert_allclose(result.std(1, unbiased=False)[:2], 1, atol=1e-5)


@pytest.mark.parametrize("normalise", ["unit", "imagenet", "each", "plane"])
def test_grey_becomes_three_channels(normalise: Normalise) -> None:
    values = faces()
    result = prepared(values, Input(channels=3, equalise=True, normalise=normalise))
    assert result.shape == (5, 3, 12, 12)
    alone = prepared(values, Input(channels=1, equalise=True, normalise="unit"))
    if normalise == "imagenet":
        torch.testing.assert_close(result[:, 2], (alone[:, 0] - 0.406) / 0.225)
    else:
        assert torch.equal(result[:, 0], result[:, 2])


def test_augmentation_comes_before_equalisation() -> None:
    values = torch.from_numpy(faces())
    preparer = Preparer(Input(equalise=True, normalise="plane"))
    batch = Batch({"image": values}, None)
    mirrored = preparer.train(batch, (HorizontalFlip(p=1.0),), np.random.default_rng(0)).inputs["image"]
    expected = preparer.test(Batch({"image": values.flip(3)}, None)).inputs["image"]
    assert torch.equal(mirrored, expected)


def test_statistics_of_raw_pixels_are_refused_for_equalised_ones() -> None:
    with pytest.raises(SettingsError, match="mean-std are of raw pixels, and equalise changes these"):
        revised(Input(normalise="mean-std"), {"equalise": True})
