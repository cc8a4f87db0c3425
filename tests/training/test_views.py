"""Views of test samples, and their one score."""

from __future__ import annotations

import pytest
import torch
from torchvision.transforms.v2 import functional as F

from ferbench import FlipView, SingleView, TenCrop, TrainingError
from ferbench.training.views import expand_views, merge_views


@pytest.mark.parametrize("shape", [(3, 1, 13, 13), (2, 3, 12, 15), (1, 1, 9, 9)])
def test_ten_crops_are_torchvisions_in_its_order(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    views, count = expand_views(x, TenCrop(size=9))
    assert count == 10 and views.is_contiguous(memory_format=torch.channels_last)
    expected = torch.stack([torch.stack(F.ten_crop(picture, [9, 9])) for picture in x])
    assert torch.equal(views.reshape(len(x), 10, shape[1], 9, 9), expected)


def test_the_flip_view_puts_the_mirror_image_beside_the_picture() -> None:
    x = torch.randn(3, 3, 8, 8)
    views, count = expand_views(x, FlipView())
    assert count == 2
    assert torch.equal(views[0::2], x) and torch.equal(views[1::2], x.flip(3))


def test_a_single_view_is_the_picture_itself() -> None:
    x = torch.randn(3, 1, 8, 8)
    views, count = expand_views(x, SingleView())
    assert count == 1 and views is x


def test_ten_crops_larger_than_the_picture_are_refused() -> None:
    with pytest.raises(TrainingError, match="9 × 9"):
        expand_views(torch.randn(1, 1, 8, 12), TenCrop(size=9))


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
