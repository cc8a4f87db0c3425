"""Several views of each test sample, and one score of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ferbench.nouns.emotions import Task
from ferbench.nouns.views import FiveCrop, FlipView, GridViews, RandomViews, SingleView, TenCrop, TestViews
from ferbench.training.grid_views import grid_views, grid_weights
from ferbench.training.pixels import check_fits, five_places


def view_count(tta: TestViews) -> int:
    """How many views of each sample there are."""
    match tta:
        case SingleView():
            return 1
        case FlipView():
            return 2
        case FiveCrop():
            return 5
        case TenCrop():
            return 10
        case RandomViews():
            return tta.count
        case GridViews():
            return len(grid_views(tta))


def expand_views(x: torch.Tensor, tta: SingleView | FlipView | FiveCrop | TenCrop) -> torch.Tensor:
    """Return the views of prepared pictures, float [b·v, c, s, s], those of a sample side by side.

    ``FiveCrop`` gives the corners (top left, top right, bottom left, bottom right) and the middle, ``TenCrop`` these
    and the same of the mirror image: torchvision's ``five_crop`` and ``ten_crop``. Raises TrainingError when a crop is
    larger than the picture.
    """
    match tta:
        case SingleView():
            return x
        case FlipView():
            return side_by_side([x, x.flip(3)])
        case FiveCrop() | TenCrop():
            check_fits(tta.size, x.shape[2], x.shape[3])
            pictures = [x] if isinstance(tta, FiveCrop) else [x, x.flip(3)]
            return side_by_side([view for picture in pictures for view in _five_crops(picture, tta.size)])


def side_by_side(views: Sequence[torch.Tensor]) -> torch.Tensor:
    """Join views [b, c, s, s] to [b·v, c, s, s], channels-last, those of a sample side by side."""
    count, channels, height, width = views[0].shape
    joined = torch.empty((count, len(views), height, width, channels), dtype=views[0].dtype, device=views[0].device)
    for place, view in enumerate(views):
        joined[:, place].copy_(view.permute(0, 2, 3, 1))
    return joined.permute(0, 1, 4, 2, 3).flatten(0, 1)


def merge_views(logits: torch.Tensor, views: int, tta: TestViews, task: Task) -> torch.Tensor:
    """Merge network outputs [b·v, k] into float32 [b, k]: probabilities, or the mean values of a regression.

    Single and soft labels go through a softmax, several labels through a sigmoid each; ``tta.mean`` says whether
    before (``probability``) or after (``logit``) the mean over the views.
    """
    outputs = logits.float().reshape(-1, views, logits.shape[-1])
    if task == "regression":
        return _mean(outputs, tta)
    if not isinstance(tta, SingleView) and tta.mean == "logit":
        return _probabilities(_mean(outputs, tta), task)
    return _mean(_probabilities(outputs, task), tta)


def _mean(outputs: torch.Tensor, tta: TestViews) -> torch.Tensor:
    """The mean over the views, [b, v, k] to [b, k], each view as often as it counts."""
    if isinstance(tta, GridViews):
        # No matrix product: autocast would round it to bf16.
        return (outputs * grid_weights(tta, outputs.device)[:, None]).sum(1)
    return outputs.mean(1)


def _probabilities(logits: torch.Tensor, task: Task) -> torch.Tensor:
    return logits.sigmoid() if task == "multi-label" else logits.softmax(-1)


def _five_crops(x: torch.Tensor, size: int) -> list[torch.Tensor]:
    places = five_places(x.shape[2], x.shape[3], size)
    return [x[:, :, top : top + size, left : left + size] for top, left in places]
