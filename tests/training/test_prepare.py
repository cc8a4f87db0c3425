"""From raw pictures to what a network is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as F

from ferbench import (
    Affine,
    Cutout,
    DataError,
    FiveCrop,
    HorizontalFlip,
    Input,
    MultiCrop,
    PadCrop,
    RandomCrop,
    RandomErasing,
    ResizedCrop,
    SettingsError,
    SingleView,
    TenCrop,
    TrainingError,
)
from ferbench.nouns.augmentation import Augmentation
from ferbench.nouns.emotions import LabelKind
from ferbench.nouns.split import Batch, View
from ferbench.training.augment import apply, draw
from ferbench.training.prepare import Preparer, network_size, training_statistics

Normalise = Literal["unit", "signed", "imagenet", "mean-std"]


def raw(count: int = 6, side: int = 12, channels: int = 1) -> torch.Tensor:
    values = np.random.default_rng(0).integers(0, 256, (count, side, side, channels), np.uint8)
    return torch.from_numpy(values).permute(0, 3, 1, 2)


def at_test(x: torch.Tensor, settings: Input, size: int | None = None) -> torch.Tensor:
    result = Preparer(settings, ((0.4,), (0.2,))).test(Batch({"image": x}, None), size).inputs["image"]
    assert isinstance(result, torch.Tensor)
    return result


def in_training(x: torch.Tensor, augmentation: tuple[Augmentation, ...], settings: Input | None = None) -> torch.Tensor:
    preparer = Preparer(settings or Input())
    result = preparer.train(Batch({"image": x}, None), augmentation, np.random.default_rng(5)).inputs["image"]
    assert isinstance(result, torch.Tensor)
    return result


@dataclass(frozen=True)
class Faces:
    """A split in memory, or one that streams."""

    values: np.ndarray
    streams: bool = False
    classes: tuple[str, ...] = ("a", "b")
    label_kind: LabelKind = "hard"
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def ids(self) -> np.ndarray:
        return np.arange(len(self)).astype(str)

    @property
    def hashes(self) -> np.ndarray:
        return np.arange(len(self)).astype(np.uint64)

    @property
    def targets(self) -> np.ndarray:
        return np.arange(len(self)) % 2

    @property
    def arrays(self) -> Mapping[str, np.ndarray] | None:
        return None if self.streams else {"image": self.values}

    def take(self, indices: np.ndarray) -> Faces:
        return replace(self, values=self.values[indices])

    def batch(self, indices: np.ndarray, view: View, rng: np.random.Generator) -> Batch:
        return Batch({"image": self.values[indices]}, self.targets[indices])


MOMENTS: dict[Normalise, tuple[list[float], list[float]]] = {
    "unit": ([0.0] * 3, [1.0] * 3),
    "signed": ([0.5] * 3, [0.5] * 3),
    "imagenet": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    "mean-std": ([0.4] * 3, [0.2] * 3),
}


@pytest.mark.parametrize("normalise", list(MOMENTS))
@pytest.mark.parametrize("channels", [1, 3])
def test_three_channels_are_normalised_as_torchvision_does_it(channels: int, normalise: Normalise) -> None:
    x = raw(channels=channels)
    result = at_test(x, Input(channels=3, normalise=normalise))
    expected = F.normalize(F.to_dtype(x.expand(-1, 3, -1, -1), torch.float32, scale=True), *MOMENTS[normalise])
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-6)
    assert result.is_contiguous(memory_format=torch.channels_last)


def test_grey_pictures_stay_one_channel_unless_three_are_asked_for() -> None:
    x = raw()
    torch.testing.assert_close(at_test(x, Input()), x.float() / 255)
    torch.testing.assert_close(at_test(x, Input(normalise="signed")), x.float() / 127.5 - 1, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(at_test(x, Input(normalise="mean-std")), (x / 255 - 0.4) / 0.2, atol=1e-5, rtol=1e-5)
    mean, std = (0.485 + 0.456 + 0.406) / 3, (0.229 + 0.224 + 0.225) / 3
    torch.testing.assert_close(at_test(x, Input(normalise="imagenet")), (x / 255 - mean) / std, atol=1e-5, rtol=1e-5)


def test_colour_becomes_grey_where_one_channel_is_asked_for() -> None:
    x = raw(channels=3)
    torch.testing.assert_close(at_test(x, Input(channels=1)), F.rgb_to_grayscale(x).float() / 255)
    assert at_test(x, Input()).shape == (6, 3, 12, 12)


def test_operations_run_in_their_order_on_raw_pixels_and_erasing_after_normalisation() -> None:
    x = raw()
    ops: tuple[Augmentation, ...] = (
        RandomErasing(p=1.0, value=-3.0),
        Affine(degrees=20, fill=50),
        PadCrop(padding=2),
        RandomCrop(size=10),
        HorizontalFlip(),
    )
    result = in_training(x, ops, Input(normalise="signed"))
    rng, expected = np.random.default_rng(5), x
    for op in ops[1:]:
        expected = apply(op, expected, draw(op, 6, expected.shape[2], expected.shape[3], rng))
    erased = apply(ops[0], expected.float() / 127.5 - 1, draw(ops[0], 6, 10, 10, rng))
    torch.testing.assert_close(result, erased, atol=1e-6, rtol=1e-5)
    assert (result == -3).flatten(1).any(1).all()


def test_the_same_generator_gives_the_same_batch_and_another_batch_the_next_time() -> None:
    x, ops = raw(), (PadCrop(), HorizontalFlip())
    assert torch.equal(in_training(x, ops), in_training(x, ops))
    rng, batch, preparer = np.random.default_rng(5), Batch({"image": x}, None), Preparer(Input())
    first, second = (preparer.train(batch, ops, rng).inputs["image"] for _ in range(2))
    assert not torch.equal(first, second)


def test_several_pictures_of_a_sample_are_augmented_alike_and_other_inputs_stay() -> None:
    x, signal = raw(), torch.randn(6, 4)
    batch = Batch({"left": x, "right": x, "signal": signal}, torch.arange(6), weight=torch.ones(6))
    result = Preparer(Input()).train(batch, (PadCrop(), HorizontalFlip(), RandomErasing()), np.random.default_rng(1))
    assert torch.equal(result.inputs["left"], result.inputs["right"])
    assert result.inputs["signal"] is signal
    assert result.target is batch.target and result.weight is batch.weight


def test_each_crop_has_the_target_mask_weight_and_other_inputs_of_its_sample() -> None:
    x, signal = raw(), torch.randn(6, 4)
    mask = torch.rand(6, 3) < 0.5
    batch = Batch({"image": x, "signal": signal}, torch.arange(6), mask, torch.rand(6))
    ops: tuple[Augmentation, ...] = (MultiCrop(size=9, count=5), HorizontalFlip(), Cutout(size=4))
    result = Preparer(Input()).train(batch, ops, np.random.default_rng(1))
    assert result.inputs["image"].shape == (30, 1, 9, 9)
    assert result.target.tolist() == np.repeat(np.arange(6), 5).tolist()
    for values, given in ((result.mask, mask), (result.weight, batch.weight), (result.inputs["signal"], signal)):
        assert torch.equal(values[10:15], given[2].expand_as(values[10:15]))


def test_operations_after_several_crops_treat_each_by_itself() -> None:
    x = raw()
    crops = in_training(x, (MultiCrop(size=9, count=5),))
    flipped = in_training(x, (MultiCrop(size=9, count=5), HorizontalFlip()))
    turned = torch.tensor([not torch.equal(a, b) for a, b in zip(crops, flipped, strict=True)])
    assert torch.equal(flipped[turned], crops[turned].flip(3))
    assert 0 < turned[:5].sum() < 5 or 0 < turned[5:10].sum() < 5


def test_cutting_out_comes_after_normalisation_wherever_it_is_listed() -> None:
    result = in_training(raw(), (Cutout(size=6, value=-3.0), PadCrop()), Input(normalise="signed"))
    assert (result == -3).flatten(1).any(1).all()


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_whole_pictures_are_resized_at_test_where_training_resizes_crops(
    interpolation: Literal["bilinear", "nearest"],
) -> None:
    x, op = raw(side=16), ResizedCrop(size=11, interpolation=interpolation)
    preparer, batch = Preparer(Input()), Batch({"image": x}, None)
    resized = F.resize(x, [11, 11], F.InterpolationMode(interpolation)).float() / 255
    torch.testing.assert_close(preparer.test(batch, 11, (op,)).inputs["image"], resized)
    torch.testing.assert_close(preparer.test(batch, None, (op, RandomCrop(size=9))).inputs["image"], resized)
    torch.testing.assert_close(
        preparer.test(batch, 9, (op, RandomCrop(size=9))).inputs["image"], F.center_crop(resized, [9, 9])
    )


@pytest.mark.parametrize(("side", "size"), [(48, 44), (48, 40), (13, 8), (12, 12)])
def test_the_middle_is_cropped_at_test_where_training_crops(side: int, size: int) -> None:
    x = raw(side=side)
    torch.testing.assert_close(at_test(x, Input(), size), F.center_crop(x, [size, size]).float() / 255)


def test_a_batch_of_one_is_prepared_like_any_other() -> None:
    x = raw(count=1)
    ops: tuple[Augmentation, ...] = (PadCrop(), Affine(degrees=5), HorizontalFlip(), RandomErasing())
    assert in_training(x, ops).shape == (1, 1, 12, 12)


def test_pictures_that_end_up_oblong_are_refused_with_the_mend() -> None:
    x = torch.zeros(2, 1, 12, 10, dtype=torch.uint8)
    with pytest.raises(TrainingError, match=r"12 × 10 .*recipe\.input\.size"):
        in_training(x, ())
    assert in_training(x, (RandomCrop(size=10),)).shape == (2, 1, 10, 10)


def test_statistics_are_the_mean_and_deviation_of_all_pixels() -> None:
    values = np.random.default_rng(1).integers(0, 256, (300, 5, 6, 3), np.uint8)
    for split in (Faces(values), Faces(values, streams=True)):
        mean, std = training_statistics(split)
        np.testing.assert_allclose(mean, values.reshape(-1, 3).mean(0) / 255)
        np.testing.assert_allclose(std, values.reshape(-1, 3).std(0) / 255)
    grey = F.rgb_to_grayscale(torch.from_numpy(values).permute(0, 3, 1, 2)).double() / 255
    mean, std = training_statistics(Faces(values), Input(channels=1))
    np.testing.assert_allclose((*mean, *std), (grey.mean().item(), grey.std(correction=0).item()))


def test_statistics_of_a_long_stream_are_taken_from_samples_spread_over_it() -> None:
    values = np.repeat(np.arange(6000) // 3000 * 200, 4).reshape(-1, 2, 2).astype(np.uint8)
    mean, _ = training_statistics(Faces(values, streams=True))
    assert mean[0] == pytest.approx(100 / 255)


def test_statistics_of_pictures_without_contrast_or_without_pictures_are_refused() -> None:
    with pytest.raises(DataError, match="normalise='unit'"):
        training_statistics(Faces(np.full((4, 3, 3), 9, np.uint8)))
    with pytest.raises(DataError, match="no pictures"):
        training_statistics(Faces(np.zeros((4, 3), np.float32)))


def test_normalising_by_statistics_that_are_missing_or_of_other_channels_is_refused() -> None:
    with pytest.raises(TrainingError, match="statistics"):
        Preparer(Input(normalise="mean-std"))
    preparer = Preparer(Input(normalise="mean-std"), ((0.1, 0.2, 0.3), (1.0, 1.0, 1.0)))
    with pytest.raises(TrainingError, match="3 channels"):
        preparer.test(Batch({"image": raw()}, None))


def test_the_networks_picture_is_what_resizing_and_crops_leave() -> None:
    assert network_size(48, Input()) == 48
    assert network_size(48, Input(size=64), (PadCrop(), HorizontalFlip())) == 64
    assert network_size(48, Input(), (RandomCrop(size=44),), SingleView()) == 44
    assert network_size(48, Input(), (RandomCrop(size=40),), TenCrop(size=40)) == 40
    assert network_size(48, Input(), (), TenCrop(size=48)) == 48
    assert network_size(48, Input(), (MultiCrop(size=40),), FiveCrop(size=40)) == 40
    assert network_size(48, Input(), (RandomCrop(size=46), MultiCrop(size=40))) == 40
    assert network_size(48, Input(), (RandomCrop(size=40), ResizedCrop(size=64)), SingleView()) == 64
    assert network_size(48, Input(), (ResizedCrop(size=64), RandomCrop(size=56)), TenCrop(size=56)) == 56
    assert network_size(8, Input(), (PadCrop(padding=8, border="symmetric"), PadCrop(padding=9))) == 8


@pytest.mark.parametrize(
    ("augmentation", "tta", "place"),
    [
        ((RandomCrop(size=49),), None, "recipe.augmentation.0.size"),
        ((RandomCrop(size=40), RandomCrop(size=44)), None, "recipe.augmentation.1.size"),
        ((), TenCrop(size=50), "recipe.tta.size"),
        ((), TenCrop(size=40), "recipe.tta.size"),
        ((RandomCrop(size=44),), TenCrop(size=40), "recipe.tta.size"),
        ((), FiveCrop(size=50), "recipe.tta.size: a five-crop of 50"),
        ((), FiveCrop(size=40), "recipe.tta.size: five-crop views of 40"),
        ((MultiCrop(size=40),), FiveCrop(size=48), "recipe.tta.size"),
        ((MultiCrop(size=50),), None, "recipe.augmentation.0.size"),
        ((ResizedCrop(size=40), MultiCrop(size=44)), None, "recipe.augmentation.1.size"),
        ((ResizedCrop(size=40),), TenCrop(size=44), "recipe.tta.size"),
        ((RandomCrop(size=6), PadCrop(padding=6, border="reflect")), None, "recipe.augmentation.1.padding"),
    ],
)
def test_sizes_that_contradict_each_other_are_refused_with_their_place(
    augmentation: tuple[Augmentation, ...], tta: TenCrop | FiveCrop | None, place: str
) -> None:
    with pytest.raises(SettingsError, match=place.replace(".", r"\.")):
        network_size(48, Input(), augmentation, tta)
