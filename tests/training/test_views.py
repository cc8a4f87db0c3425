"""Views of test samples, and their one score."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.transforms.v2 import functional as F

from ferbench import (
    Affine,
    Augmentation,
    Batch,
    FiveCrop,
    FlipView,
    HorizontalFlip,
    Input,
    MixUp,
    MultiCrop,
    PadCrop,
    RandomErasing,
    RandomViews,
    Recipe,
    SettingsError,
    SingleView,
    Split,
    Stage,
    TenCrop,
    TrainingError,
)
from ferbench.training.feed import ResidentFeed
from ferbench.training.inference import score_samples
from ferbench.training.prepare import Preparer, network_size
from ferbench.training.streaming import StreamedFeed
from ferbench.training.view_checks import drawn_augmentation, views_misfit
from ferbench.training.views import expand_views, merge_views, view_count
from tests.training.tiny import CPU, NUMERICS, SIDE, SIGNED, TinyNet, pictures

MOVING: tuple[Augmentation, ...] = (PadCrop(padding=2), HorizontalFlip(), Affine(degrees=20), RandomErasing(p=0.5))


@pytest.mark.parametrize("shape", [(3, 1, 13, 13), (2, 3, 12, 15), (1, 1, 9, 9)])
def test_five_and_ten_crops_are_torchvisions_in_its_order(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    five, ten = expand_views(x, FiveCrop(size=9)), expand_views(x, TenCrop(size=9))
    assert five.is_contiguous(memory_format=torch.channels_last)
    assert ten.is_contiguous(memory_format=torch.channels_last)
    expected = torch.stack([torch.stack(F.ten_crop(picture, [9, 9])) for picture in x])
    assert torch.equal(ten.reshape(len(x), 10, shape[1], 9, 9), expected)
    expected = torch.stack([torch.stack(F.five_crop(picture, [9, 9])) for picture in x])
    assert torch.equal(five.reshape(len(x), 5, shape[1], 9, 9), expected)


def test_the_flip_view_puts_the_mirror_image_beside_the_picture() -> None:
    x = torch.randn(3, 3, 8, 8)
    views = expand_views(x, FlipView())
    assert torch.equal(views[0::2], x) and torch.equal(views[1::2], x.flip(3))


def test_a_single_view_is_the_picture_itself() -> None:
    x = torch.randn(3, 1, 8, 8)
    assert expand_views(x, SingleView()) is x


@pytest.mark.parametrize("views", [FiveCrop(size=9), TenCrop(size=9)], ids=str)
def test_crops_larger_than_the_picture_are_refused(views: FiveCrop | TenCrop) -> None:
    with pytest.raises(TrainingError, match="9 × 9"):
        expand_views(torch.randn(1, 1, 8, 12), views)
    with pytest.raises(SettingsError, match=f"a {views.name} of 9 pixels does not fit into pictures of 8"):
        network_size(8, Input(), (), views)
    with pytest.raises(SettingsError, match=f"{views.name} views of 9 pixels must be as large as .* in training, 12"):
        network_size(12, Input(), (), views)


def test_scores_are_the_mean_of_probabilities_or_of_logits_as_asked() -> None:
    logits = torch.randn(6, 4)
    by_sample = logits.view(3, 2, 4)
    torch.testing.assert_close(merge_views(logits, 2, FlipView(), "single-label"), by_sample.softmax(2).mean(1))
    torch.testing.assert_close(
        merge_views(logits, 2, FlipView(mean="logit"), "soft-labels"), by_sample.mean(1).softmax(1)
    )
    torch.testing.assert_close(merge_views(logits, 2, FlipView(), "multi-label"), by_sample.sigmoid().mean(1))
    torch.testing.assert_close(
        merge_views(logits, 2, TenCrop(size=9, mean="logit"), "multi-label"), by_sample.mean(1).sigmoid()
    )
    torch.testing.assert_close(merge_views(logits, 2, FlipView(), "regression"), by_sample.mean(1))
    torch.testing.assert_close(merge_views(logits, 1, SingleView(), "single-label"), logits.softmax(1))


def test_scores_are_float32_whatever_the_network_returns() -> None:
    scores = merge_views(torch.randn(4, 3, dtype=torch.bfloat16), 2, FlipView(), "single-label")
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores.sum(1), torch.ones(2))


class Streaming:
    """A split whose samples do not lie in memory."""

    arrays = None

    def __init__(self, values: np.ndarray, labels: np.ndarray) -> None:
        self.values, self.targets = values, labels

    def __len__(self) -> int:
        return len(self.values)

    def batch(self, indices: np.ndarray, view: Any, rng: np.random.Generator) -> Batch:
        """Whole samples."""
        return Batch({"image": self.values[indices]}, self.targets[indices])


def random_recipe(**changes: Any) -> Recipe:
    settings: dict[str, Any] = {"input": SIGNED, "augmentation": MOVING, "val_batch_size": 40} | changes
    return Recipe(**settings)


def scored(recipe: Recipe, tta: Any, feed: Any, inputs: tuple[str, ...] | None = None) -> np.ndarray:
    preparer = Preparer(recipe.input, inputs=inputs)
    return score_samples(TinyNet(), feed, preparer, recipe, NUMERICS, "single-label", SIDE, tta)


def resident(count: int = 24) -> ResidentFeed:
    values, labels = pictures(count)
    return ResidentFeed({"image": values}, labels, SIGNED, CPU)


@pytest.mark.parametrize("views", [RandomViews(count=4, seed=5), RandomViews(count=4, seed=5, mean="logit")], ids=str)
def test_random_views_are_the_draws_of_training_with_a_generator_for_each_view_and_batch(views: RandomViews) -> None:
    torch.set_num_threads(1)
    recipe = random_recipe()
    values, labels = pictures(24)
    rows = []
    for place, start in enumerate(range(0, 24, 10)):  # 40 pictures a batch are ten samples of four views
        raw = Batch({"image": torch.from_numpy(values[start : start + 10, None])}, torch.from_numpy(labels))
        net = TinyNet().eval()
        logits = []
        for view in range(4):
            drawn = Preparer(SIGNED).train(raw, MOVING, np.random.default_rng((5, view, place)))
            logits.append(net(drawn.inputs["image"]).detach())
        stack = torch.stack(logits)
        rows.append(stack.mean(0).softmax(1) if views.mean == "logit" else stack.softmax(2).mean(0))
    np.testing.assert_allclose(scored(recipe, views, resident()), torch.cat(rows).numpy(), rtol=1e-5)


def test_random_views_are_the_same_bytes_again_and_others_with_another_seed() -> None:
    recipe = random_recipe()
    once = scored(recipe, RandomViews(count=3), resident())
    assert np.array_equal(once, scored(recipe, RandomViews(count=3), resident()))
    assert not np.allclose(once, scored(recipe, RandomViews(count=3, seed=1), resident()))
    assert not np.allclose(once, scored(recipe, SingleView(), resident()))


@pytest.mark.parametrize("workers", [0, 2])
def test_random_views_do_not_depend_on_how_many_workers_read(workers: int) -> None:
    recipe = random_recipe()
    feed = StreamedFeed(cast("Split", Streaming(*pictures(24))), SIGNED, CPU, workers)
    streamed = scored(recipe, RandomViews(count=3), feed)
    feed.close()
    assert np.array_equal(streamed, scored(recipe, RandomViews(count=3), resident()))


def test_random_views_draw_what_the_last_stage_does_and_mix_nothing() -> None:
    own = (HorizontalFlip(p=1.0), MixUp())
    recipe = random_recipe(stages=(Stage(epochs=1), Stage(epochs=1, augmentation=own)))
    assert drawn_augmentation(recipe) == (HorizontalFlip(p=1.0),)
    assert drawn_augmentation(random_recipe(stages=(Stage(epochs=1),))) == MOVING
    found = scored(recipe, RandomViews(count=1), resident())
    mirrored = pictures(24)[0][:, :, ::-1].copy()
    feed = ResidentFeed({"image": mirrored}, pictures(24)[1], SIGNED, CPU)
    np.testing.assert_allclose(found, scored(recipe, SingleView(), feed), rtol=1e-5)


@pytest.mark.parametrize(
    ("augmentation", "words"),
    [
        ((), "recipe.tta: random views are draws of the recipe's augmentation, and it has none"),
        ((MixUp(),), "it has none"),
        ((MultiCrop(size=8), HorizontalFlip()), "multi-crop, which makes several pictures of each"),
    ],
)
def test_random_views_of_nothing_or_of_many_crops_are_refused(
    augmentation: tuple[Augmentation, ...], words: str
) -> None:
    with pytest.raises(SettingsError, match=words):
        scored(random_recipe(augmentation=augmentation), RandomViews(), resident())


@pytest.mark.parametrize("views", [FlipView(), FiveCrop(size=8), RandomViews()], ids=str)
def test_several_views_of_several_inputs_or_of_no_picture_are_refused(views: Any) -> None:
    values, labels = pictures(6)
    two = ResidentFeed({"face": values, "body": values}, labels, SIGNED, CPU)
    with pytest.raises(TrainingError, match=r"several inputs \(face, body\)"):
        scored(random_recipe(), views, two)
    features = ResidentFeed({"points": values.astype(np.float32)}, labels, SIGNED, CPU)
    with pytest.raises(TrainingError, match="hold points, which is no picture"):
        scored(random_recipe(), views, features)
    assert views_misfit(views, ("image",), "image") == ""
    assert "the model takes face, body" in views_misfit(views, ("face", "body"), "image")
    assert "the data are eeg" in views_misfit(views, ("eeg",), "eeg")
    assert views_misfit(SingleView(), ("face", "body"), "video") == ""


class Counting(nn.Module):
    """A network that notes how many pictures it is given at once."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.seen = TinyNet(), list[int]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, 3]."""
        self.seen.append(len(x))
        return torch.as_tensor(self.net(x))


@pytest.mark.parametrize(
    ("views", "batches"),
    [(SingleView(), [7, 7, 7, 3]), (FlipView(), [6] * 8), (FiveCrop(size=8), [5] * 24), (TenCrop(size=8), [10] * 24)],
    ids=str,
)
def test_the_batch_at_val_and_test_is_the_recipe_s_all_views_counted(views: Any, batches: list[int]) -> None:
    net, recipe = Counting(), random_recipe(val_batch_size=7)
    score_samples(net, resident(), Preparer(SIGNED), recipe, NUMERICS, "single-label", SIDE, views)
    assert net.seen == batches
    assert len(net.seen) == -(-24 // max(1, 7 // view_count(views)))
    assert Recipe().val_batch_size == 256
