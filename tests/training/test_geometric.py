"""Crops, flips and warps equal torchvision's, numpy's or scipy's, sample by sample, under the same parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from ferbench import Affine, MultiCrop, PadCrop, Perspective, ResizedCrop, TrainingError, VerticalFlip
from ferbench.nouns.augmentation import Augmentation, MixUp
from ferbench.training.augment import apply, draw
from ferbench.training.pixels import flip_rows, flip_where
from ferbench.training.warp import inverse_matrices, warp
from tests.training.test_augment import MODES, faces

SCIPY = {"constant": "constant", "edge": "nearest", "reflect": "mirror", "symmetric": "reflect"}


@pytest.fixture(params=[("grey", 17, 12, 14), ("planes", 5, 14, 11), ("pixels", 8, 12, 13), ("pixels", 1, 12, 12)])
def x(request: pytest.FixtureRequest) -> torch.Tensor:
    layout, count, height, width = request.param
    return faces(count, height, width, layout)


def drawn(op: Augmentation, x: torch.Tensor) -> dict[str, np.ndarray]:
    return draw(op, len(x), x.shape[2], x.shape[3], np.random.default_rng(4))


def hardly_differ(result: torch.Tensor, expected: torch.Tensor, levels: int) -> None:
    """The last bit of a coordinate decides where a value lies exactly between two grey levels."""
    difference = (result.int() - expected.int()).abs()
    assert difference.max() <= levels
    assert (difference > 0).float().mean() < 2e-3


@pytest.mark.parametrize("border", ["constant", "edge", "reflect", "symmetric"])
def test_a_padded_border_is_numpys(x: torch.Tensor, border: str) -> None:
    op = PadCrop.model_validate({"padding": 5, "border": border, "fill": 90.0})
    p = drawn(op, x)
    around = [(0, 0), (0, 0), (5, 5), (5, 5)]
    how: dict[str, Any] = {"constant_values": 90} if border == "constant" else {}
    padded = torch.from_numpy(np.pad(x.numpy(), around, border, **how))  # type: ignore[call-overload]
    size = list(x.shape[2:])
    expected = [F.crop(padded[i], int(p["top"][i]), int(p["left"][i]), *size) for i in range(len(x))]
    assert torch.equal(apply(op, x, p), torch.stack(expected))


@pytest.mark.parametrize(("border", "most"), [("reflect", 9), ("symmetric", 10)])
def test_a_mirrored_border_wider_than_the_picture_is_refused(border: str, most: int) -> None:
    fits, too_wide = (PadCrop.model_validate({"padding": p, "border": border}) for p in (most, most + 1))
    x = faces(2, 10, 12, "grey")
    assert apply(fits, x, drawn(fits, x)).shape == x.shape
    with pytest.raises(TrainingError, match=rf"{border}.* at most {most} pixels .*border = 'edge'"):
        drawn(too_wide, x)


def test_a_vertical_flip_equals_torchvisions_on_every_device(x: torch.Tensor) -> None:
    op = VerticalFlip()
    p = drawn(op, x)
    expected = torch.stack([F.vertical_flip(x[i]) if p["flip"][i] else x[i] for i in range(len(x))])
    assert torch.equal(apply(op, x, p), expected)
    assert torch.equal(flip_rows(x, p["flip"], upside_down=True), expected)
    assert torch.equal(flip_where(x, p["flip"], upside_down=True), expected)


@pytest.mark.parametrize("count", [5, 10])
def test_the_crops_of_a_picture_lie_side_by_side_in_torchvisions_order(x: torch.Tensor, count: int) -> None:
    op = MultiCrop.model_validate({"size": 9, "count": count})
    crops = F.five_crop if count == 5 else F.ten_crop
    expected = torch.cat([torch.stack(crops(picture, [9, 9])) for picture in x])
    assert torch.equal(apply(op, x, drawn(op, x)), expected)


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("size", [9, 12, 30])
def test_a_resized_crop_equals_torchvisions(x: torch.Tensor, size: int, interpolation: str) -> None:
    op = ResizedCrop.model_validate({"size": size, "interpolation": interpolation})
    boxes = drawn(op, x)
    expected = [
        F.resized_crop(
            x[i],
            *(int(boxes[key][i]) for key in ("top", "left", "height", "width")),
            [size, size],
            MODES[interpolation],
        )
        for i in range(len(x))
    ]
    assert torch.equal(apply(op, x, boxes), torch.stack(expected))


def test_a_resized_crop_is_the_same_under_autocast() -> None:
    x, op = faces(4, 20, 20, "grey"), ResizedCrop(size=11)
    boxes = drawn(op, x)
    with torch.autocast("cpu", torch.bfloat16):
        under = apply(op, x, boxes)
    assert torch.equal(under, apply(op, x, boxes))


def test_boxes_have_the_areas_ratios_and_places_asked_for() -> None:
    op = ResizedCrop(size=8, scale=(0.2, 0.5), ratio=(0.5, 2.0))
    p = draw(op, 5000, 200, 200, np.random.default_rng(0))
    area, ratio = p["height"] * p["width"] / 40_000, p["width"] / p["height"]
    assert 0.19 < area.min() < 0.22 and 0.48 < area.max() < 0.51 and abs(area.mean() - 0.35) < 0.01
    assert ratio.min() > 0.49 and ratio.max() < 2.03 and abs(np.log(ratio).mean()) < 0.05
    for start, length in (("top", "height"), ("left", "width")):
        end = 200 - p[length]
        assert (p[start] >= 0).all() and (p[start] <= end).all()
        assert abs((p[start] / np.maximum(end, 1)).mean() - 0.5) < 0.02


@pytest.mark.parametrize(("height", "width"), [(10, 50), (50, 10), (30, 30)])
def test_a_box_that_never_fits_is_torchvisions_middle(height: int, width: int) -> None:
    op = ResizedCrop(size=8, scale=(3.0, 3.0), ratio=(0.75, 1.5))
    expected = v2.RandomResizedCrop(8, (3.0, 3.0), (0.75, 1.5)).make_params([torch.zeros(1, height, width)])
    p = draw(op, 3, height, width, np.random.default_rng(0))
    assert {key: values.tolist() for key, values in p.items()} == {key: [value] * 3 for key, value in expected.items()}


@pytest.mark.parametrize("fill", [0.0, 100.0])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_a_sheared_warp_equals_torchvisions_affine(x: torch.Tensor, interpolation: str, fill: float) -> None:
    op = Affine.model_validate(
        {"degrees": 30, "translate": 0.1, "scale": (0.8, 1.2), "shear": (25, 15), "fill": fill}
        | {"interpolation": interpolation}
    )
    p = drawn(op, x)
    assert np.abs(p["shear"]).max(axis=0).tolist() <= [25, 15]
    expected = [
        F.affine(
            x[i],
            angle=float(p["angle"][i]),
            translate=[float(p["right"][i]), float(p["down"][i])],
            scale=float(p["scale"][i]),
            shear=p["shear"][i].tolist(),
            interpolation=MODES[interpolation],
            fill=fill,
        )
        for i in range(len(x))
    ]
    hardly_differ(apply(op, x, p), torch.stack(expected), 1 if interpolation == "bilinear" else 0)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("border", ["edge", "reflect", "symmetric"])
def test_what_enters_a_warped_picture_is_scipys_border(border: str, interpolation: str) -> None:
    x = faces(12, 12, 14, "grey")
    op = Affine.model_validate(
        {"degrees": 180, "translate": 0.9, "zoom": (0.6, 1.6), "shear": (20, 20), "border": border}
        | {"interpolation": interpolation, "whole_pixels": False}
    )
    p = drawn(op, x)
    matrices = inverse_matrices(**{key: values for key, values in p.items() if key != "apply"})
    middle = (np.array(x.shape[2:]) - 1) / 2
    expected = []
    for picture, ((xx, xy, right), (yx, yy, down)) in zip(x[:, 0].double().numpy(), matrices, strict=True):
        turn = np.array([[yy, yx], [xy, xx]])
        offset = middle + np.array([down, right]) - turn @ middle
        order = 0 if interpolation == "nearest" else 1
        expected.append(np.rint(ndimage.affine_transform(picture, turn, offset, order=order, mode=SCIPY[border])))
    result = apply(op, x, p)
    assert not torch.equal(result, x)
    hardly_differ(result[:, 0], torch.from_numpy(np.stack(expected)), 1 if interpolation == "bilinear" else 0)


def test_zoom_is_kerass_the_share_of_each_side_that_is_shown() -> None:
    x = torch.arange(16, dtype=torch.uint8).view(1, 1, 1, 16).expand(1, 1, 16, 16) * 16
    given = {"apply": np.array([True]), **{key: np.zeros(1) for key in ("angle", "right", "down")}}
    half_as_wide = given | {"scale": np.ones(1), "zoom": np.array([[0.5, 1.0]])}
    shown = apply(Affine(zoom=(0.5, 1.0)), x, half_as_wide)
    # The middle eight columns, each between two of them.
    assert shown[0, 0, :, 1:15].float().diff(dim=1).eq(8).all()
    assert shown[0, 0, 0, [0, 15]].tolist() == [60, 180]


def test_zoom_and_shear_lie_in_their_ranges_each_axis_by_itself() -> None:
    p = draw(Affine(zoom=(0.8, 1.4), shear=(10, 0)), 5000, 40, 40, np.random.default_rng(0))
    assert 0.8 <= p["zoom"].min() < 0.81 and 1.39 < p["zoom"].max() <= 1.4
    assert abs(np.corrcoef(p["zoom"].T)[0, 1]) < 0.05
    assert -10 <= p["shear"][:, 0].min() < -9.9 and 9.9 < p["shear"][:, 0].max() <= 10 and not p["shear"][:, 1].any()


def test_translations_are_parts_of_a_pixel_where_asked() -> None:
    p = draw(Affine(translate=0.1, whole_pixels=False), 100, 40, 40, np.random.default_rng(0))
    assert not np.array_equal(p["right"], np.rint(p["right"])) and np.abs(p["right"]).max() <= 4


@pytest.mark.parametrize("fill", [0.0, 100.0])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_a_perspective_equals_torchvisions(x: torch.Tensor, interpolation: str, fill: float) -> None:
    op = Perspective.model_validate({"distortion": 0.7, "p": 0.8, "interpolation": interpolation, "fill": fill})
    p = drawn(op, x)
    # Between whole pixels, so that no place lies exactly between two of them, where either would be the nearest.
    p["corners"] = p["corners"] + np.random.default_rng(0).uniform(-0.3, 0.3, p["corners"].shape)
    height, width = x.shape[2:]
    whole = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
    expected = [
        F.perspective(x[i], whole, p["corners"][i].tolist(), MODES[interpolation], fill) if p["apply"][i] else x[i]
        for i in range(len(x))
    ]
    hardly_differ(apply(op, x, p), torch.stack(expected), 1 if interpolation == "bilinear" else 0)


def test_corners_move_inwards_by_all_whole_pixels_up_to_the_bound() -> None:
    p = draw(Perspective(distortion=0.5), 5000, 20, 41, np.random.default_rng(0))
    assert abs(p["apply"].mean() - 0.5) < 0.03
    inwards = np.abs(p["corners"] - [[0, 0], [40, 0], [40, 19], [0, 19]])
    for axis, most in ((0, 10), (1, 5)):
        for corner in range(4):
            share = np.bincount(inwards[:, corner, axis], minlength=most + 1) / 5000
            assert len(share) == most + 1 and np.abs(share - 1 / (most + 1)).max() < 0.03


def test_corners_on_one_line_show_what_lies_outside() -> None:
    x = faces(1, 12, 12, "grey").clamp(min=1)
    line = np.array([[[0, 0], [4, 4], [8, 8], [11, 11]]])
    result = apply(Perspective(fill=0.0), x, {"apply": np.array([True]), "corners": line})
    assert (result == 0).float().mean() > 0.9


def test_a_policy_warps_with_matrices_of_its_own_and_a_constant_border() -> None:
    x = faces(3, 12, 12, "grey")
    matrices = np.tile([[1.0, 0.0, -2.0], [0.0, 1.0, 0.0]], (3, 1, 1))
    moved = warp(x, matrices, "nearest", 7.0)
    assert torch.equal(moved[..., 2:], x[..., :-2]) and (moved[..., :2] == 7).all()


def test_an_operation_on_several_pictures_is_no_operation_on_each() -> None:
    x = faces(3, 12, 12, "grey")
    with pytest.raises(TrainingError, match="mixup"):
        draw(MixUp(), 3, 12, 12, np.random.default_rng(0))
    with pytest.raises(TrainingError, match="mixup"):
        apply(MixUp(), x, {})
