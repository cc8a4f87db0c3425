"""What the engine does on a GPU mixes no tensor of the CPU with those of the GPU; seen with PyTorch's fake tensors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import numpy as np
import pytest
import torch
from pydantic import BaseModel, TypeAdapter
from torch._subclasses.fake_tensor import FakeTensorDeviceMismatchError, FakeTensorMode

from ferbench import Augmentation, Batch, FiveCrop, FlipView, GridViews, Input, TenCrop, ViewGrid
from ferbench.nouns.emotions import LabelKind
from ferbench.nouns.losses import LABEL_KINDS, Loss
from ferbench.training.grid_views import move
from ferbench.training.losses import make_loss
from ferbench.training.mixing import mix
from ferbench.training.prepare import Preparer
from ferbench.training.views import expand_views, merge_views

GPU = torch.device("cuda", 0)
GIVEN: dict[str, dict[str, Any]] = {
    "random-crop": {"size": 24},
    "resized-crop": {"size": 24},
    "multi-crop": {"size": 24},
    "cutout": {"size": 6},
    "affine": {"degrees": 20, "translate": 0.1, "zoom": (0.9, 1.1), "shear": (5, 5), "border": "reflect"},
    "color-jitter": {"brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "hue": 0.1},
}
"""Settings of operations that need some, or do nothing without."""
ON_THE_HOST = ("rand-augment", "auto-augment")
"""Operations whose tables are made with torch on the CPU before a batch is touched."""


def members(union: Any) -> list[type[BaseModel]]:
    """The settings that a union of them holds, through unions within."""
    found: list[type[BaseModel]] = []
    for each in get_args(union):
        found += [each] if isinstance(each, type) and issubclass(each, BaseModel) else members(each)
    return found


AUGMENTATIONS = {kind.model_fields["name"].default for kind in members(Augmentation)}


@pytest.fixture
def pretended() -> Iterator[None]:
    with FakeTensorMode(allow_non_fake_inputs=True, allow_fallback_kernels=False):
        yield


def pictures() -> Batch:
    inputs = {"image": torch.zeros(4, 3, 32, 32, dtype=torch.uint8).to(GPU)}
    return Batch(inputs, torch.zeros(4, dtype=torch.int64).to(GPU))


@pytest.mark.usefixtures("pretended")
def test_two_devices_in_one_operation_are_found() -> None:
    with pytest.raises(FakeTensorDeviceMismatchError):
        pictures().inputs["image"] + torch.ones(32)


@pytest.mark.usefixtures("pretended")
@pytest.mark.parametrize("name", sorted(AUGMENTATIONS - set(ON_THE_HOST)))
def test_augmented_pictures_stay_on_the_gpu(name: str) -> None:
    op: Augmentation = TypeAdapter[Augmentation](Augmentation).validate_python({"name": name, **GIVEN.get(name, {})})
    rng = np.random.default_rng(0)
    batch = Preparer(Input(normalise="imagenet")).train(pictures(), (op,), rng)
    batch = mix(batch, (op,), 3, rng)
    assert batch.inputs["image"].device == GPU and batch.target.device == GPU


@pytest.mark.usefixtures("pretended")
@pytest.mark.parametrize("normalise", ["unit", "signed", "imagenet", "each", "plane"])
@pytest.mark.parametrize("equalise", [False, True])
def test_prepared_pictures_stay_on_the_gpu(normalise: str, equalise: bool) -> None:
    settings = Input.model_validate({"normalise": normalise, "equalise": equalise, "channels": 1})
    assert Preparer(settings).test(pictures()).inputs["image"].device == GPU


@pytest.mark.usefixtures("pretended")
def test_views_and_their_one_score_stay_on_the_gpu() -> None:
    x = torch.zeros(4, 3, 32, 32).to(GPU)
    logits = torch.zeros(16, 3).to(GPU)
    for views in (FlipView(), FiveCrop(size=24), TenCrop(size=24)):
        assert expand_views(x, views).device == GPU
    grid = GridViews(grids=(ViewGrid(degrees=(5.0,)), ViewGrid(zoom=0.9, mirror=False)))
    assert move(pictures().inputs["image"], grid).device == GPU
    assert merge_views(logits, 4, grid, "single-label").device == GPU


LOSSES = [kind.model_fields["name"].default for kind in members(Loss)]
KINDS = [(name, kind) for name in LOSSES for kind in LABEL_KINDS[name]]


@pytest.mark.usefixtures("pretended")
@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_losses_stay_on_the_gpu(name: str, kind: LabelKind) -> None:
    weighed = {"class_weights": "balanced"} if name in ("cross-entropy", "focal") and kind == "hard" else {}
    settings: Loss = TypeAdapter[Loss](Loss).validate_python({"name": name} | weighed)
    targets: np.ndarray = np.arange(6) % 3 if kind == "hard" else np.full((6, 3), 1 / 3, np.float32)
    loss = make_loss(settings, targets, 3, GPU, kind)
    # Drawn labels are classes by the time a batch has them.
    given = torch.from_numpy(np.arange(6) % 3 if kind == "drawn" else targets).to(GPU)
    assert loss(torch.zeros(6, 3).to(GPU), given).device == GPU
