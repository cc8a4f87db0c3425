"""Several views of each test sample, and one score of them."""

from __future__ import annotations

import torch

from ferbench.nouns.emotions import Task
from ferbench.nouns.views import FlipView, SingleView, TenCrop, TestViews
from ferbench.training.pixels import check_fits, five_places


def expand_views(x: torch.Tensor, tta: TestViews) -> tuple[torch.Tensor, int]:
    """Return the views of prepared pictures, float [b·v, c, s, s], those of a sample side by side, and their number v.

    ``TenCrop`` gives the corners (top left, top right, bottom left, bottom right), the middle, and the same of the
    mirror image: torchvision's ``ten_crop``. Raises TrainingError when it is larger than the picture.
    """
    match tta:
        case SingleView():
            return x, 1
        case FlipView():
            size = (x.shape[2], x.shape[3])
            views = _empty(x, 2, size)
            views[:, 0].copy_(x)
            views[:, 1].copy_(x.flip(3))
            return views.flatten(0, 1), 2
        case TenCrop():
            check_fits(tta.size, x.shape[2], x.shape[3])
            views = _empty(x, 10, (tta.size, tta.size))
            for first, picture in ((0, x), (5, x.flip(3))):
                for place, (top, left) in enumerate(five_places(x.shape[2], x.shape[3], tta.size)):
                    views[:, first + place].copy_(picture[:, :, top : top + tta.size, left : left + tta.size])
            return views.flatten(0, 1), 10


def merge_views(logits: torch.Tensor, views: int, tta: TestViews, task: Task) -> torch.Tensor:
    """Merge network outputs [b·v, k] into float32 [b, k]: probabilities, or the mean values of a regression.

    Single and soft labels go through a softmax, several labels through a sigmoid each; ``tta.mean`` says whether
    before (``probability``) or after (``logit``) the mean over the views.
    """
    outputs = logits.float().reshape(-1, views, logits.shape[-1])
    if task == "regression":
        return outputs.mean(1)
    if not isinstance(tta, SingleView) and tta.mean == "logit":
        return _probabilities(outputs.mean(1), task)
    return _probabilities(outputs, task).mean(1)


def _probabilities(logits: torch.Tensor, task: Task) -> torch.Tensor:
    return logits.sigmoid() if task == "multi-label" else logits.softmax(-1)


def _empty(x: torch.Tensor, views: int, size: tuple[int, int]) -> torch.Tensor:
    """Room for views, [b, v, c, h, w], laid out channels-last as networks want it."""
    shape = (x.shape[0], views, *size, x.shape[1])
    return torch.empty(shape, dtype=x.dtype, device=x.device).permute(0, 1, 4, 2, 3)
