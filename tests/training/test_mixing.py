"""MixUp and CutMix of prepared batches, written out and beside torchvision's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from ferbench import (
    SGD,
    Batch,
    CutMix,
    HorizontalFlip,
    MixUp,
    PadCrop,
    RandomErasing,
    Recipe,
    SettingsError,
    TrainingError,
)
from ferbench.nouns.settings import validated
from ferbench.training.mixing import apply, draw, mix
from tests.training.tiny import SIGNED, Memory, trained

N, CLASSES, HEIGHT, WIDTH = 12, 5, 9, 8


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def pictures(seed: int = 0, channels: int = 1) -> torch.Tensor:
    """Prepared pictures float32 [n, c, h, w], channels-last."""
    values = rng(seed).normal(size=(N, HEIGHT, WIDTH, channels)).astype(np.float32)
    return torch.from_numpy(values).permute(0, 3, 1, 2)


def batch(**changes: Any) -> Batch:
    settings: dict[str, Any] = {"inputs": {"image": pictures()}, "target": torch.from_numpy(rng(1).integers(5, size=N))}
    return Batch(**settings | changes)


def one_hot(target: torch.Tensor) -> torch.Tensor:
    return torch.eye(CLASSES)[target]


def drawn(op: MixUp | CutMix, n: int = N, seed: int = 3) -> dict[str, np.ndarray]:
    return draw(op, n, HEIGHT, WIDTH, rng(seed))


@pytest.mark.parametrize("each", ["batch", "sample"])
def test_mixup_adds_shares_of_two_pictures_and_of_their_labels(each: str) -> None:
    op = MixUp.model_validate({"each": each, "p": 0.7})
    given, p = batch(), drawn(op)
    mixed = apply(op, given, p, CLASSES)
    x, target = given.inputs["image"], one_hot(given.target)
    assert mixed.target.dtype == torch.float32 and mixed.target.shape == (N, CLASSES)
    for i in range(N):
        share, j = float(p["share"][i]), int(p["partner"][i])
        assert torch.allclose(mixed.inputs["image"][i], share * x[i] + (1 - share) * x[j])
        assert torch.allclose(mixed.target[i], share * target[i] + (1 - share) * target[j])


@pytest.mark.parametrize("each", ["batch", "sample"])
def test_cutmix_pastes_a_rectangle_and_mixes_labels_by_the_area_left(each: str) -> None:
    op = CutMix.model_validate({"each": each, "p": 0.7})
    given, p = batch(inputs={"image": pictures(channels=3)}), drawn(op)
    mixed = apply(op, given, p, CLASSES)
    x, target = given.inputs["image"], one_hot(given.target)
    for i in range(N):
        top, bottom, left, right, j = (int(p[key][i]) for key in ("top", "bottom", "left", "right", "partner"))
        expected = x[i].clone()
        expected[:, top:bottom, left:right] = x[j, :, top:bottom, left:right]
        share = 1 - (bottom - top) * (right - left) / (HEIGHT * WIDTH)
        assert torch.equal(mixed.inputs["image"][i], expected)
        assert torch.allclose(mixed.target[i], share * target[i] + (1 - share) * target[j])


def test_mixup_equals_torchvisions_under_the_same_share_and_partners() -> None:
    given, theirs = batch(), v2.MixUp(num_classes=CLASSES)
    p = {"partner": np.roll(np.arange(N), 1), "share": np.full(N, 0.3)}
    mixed = apply(MixUp(), given, p, CLASSES)
    params = {"lam": 0.3, "labels": given.target, "batch_size": N}
    assert torch.equal(mixed.inputs["image"], theirs.transform(given.inputs["image"], params))
    assert torch.equal(mixed.target, theirs.transform(given.target, params))


def test_cutmix_equals_torchvisions_under_the_same_rectangle_and_partners() -> None:
    given, theirs = batch(), v2.CutMix(num_classes=CLASSES)
    box = {"top": 1, "bottom": 6, "left": 3, "right": 8}
    share = 1 - 25 / (HEIGHT * WIDTH)
    p = {key: np.full(N, value) for key, value in box.items()}
    p |= {"partner": np.roll(np.arange(N), 1), "share": np.full(N, share)}
    mixed = apply(CutMix(), given, p, CLASSES)
    params = {"box": (3, 1, 8, 6), "lam_adjusted": share, "labels": given.target, "batch_size": N}
    assert torch.equal(mixed.inputs["image"], theirs.transform(given.inputs["image"], params))
    assert torch.equal(mixed.target, theirs.transform(given.target, params))


def test_targets_with_several_values_mix_likewise() -> None:
    for values in (rng(2).dirichlet(np.ones(5), N), rng(2).integers(2, size=(N, 5)), rng(2).normal(size=(N, 2))):
        target = torch.from_numpy(values.astype(np.float32))
        p = drawn(MixUp(each="sample"))
        mixed = apply(MixUp(), batch(target=target), p, CLASSES).target
        share = torch.from_numpy(p["share"]).float()[:, None]
        assert torch.allclose(mixed, share * target + (1 - share) * target[p["partner"].tolist()], atol=1e-6)


@pytest.mark.parametrize("op", [MixUp(each="sample"), CutMix(each="sample")])
def test_all_pictures_of_a_sample_mix_alike_and_masks_and_weights_stay(op: MixUp | CutMix) -> None:
    left, right = pictures(0), pictures(5, channels=3)
    mask, weight = torch.ones(N, 3, dtype=torch.bool), torch.arange(N)
    mixed = mix(batch(inputs={"left": left, "right": right}, mask=mask, weight=weight), (op,), CLASSES, rng())
    for name, x in (("left", left), ("right", right)):
        alone = mix(batch(inputs={"image": x}), (op,), CLASSES, rng())
        assert torch.equal(mixed.inputs[name], alone.inputs["image"])
    assert mixed.mask is mask and mixed.weight is weight


@pytest.mark.parametrize("op", [MixUp(), CutMix()])
def test_mixed_pictures_lie_in_memory_as_before_and_the_batch_stays_as_it_was(op: MixUp | CutMix) -> None:
    given = batch(inputs={"image": pictures(channels=3)})
    before = given.inputs["image"].clone()
    mixed = mix(given, (op,), CLASSES, rng())
    assert mixed.inputs["image"].is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(given.inputs["image"], before) and given.target.ndim == 1


def test_a_recipe_that_mixes_nothing_changes_and_draws_nothing() -> None:
    given, generator = batch(), rng()
    before = generator.bit_generator.state
    assert mix(given, (HorizontalFlip(), RandomErasing()), CLASSES, generator) is given
    assert generator.bit_generator.state == before


def test_where_nothing_is_mixed_by_chance_targets_are_still_of_one_kind() -> None:
    for op in (MixUp(p=0.0), CutMix(p=0.0)):
        given = batch()
        mixed = mix(given, (op,), CLASSES, rng())
        assert torch.equal(mixed.inputs["image"], given.inputs["image"])
        assert torch.equal(mixed.target, one_hot(given.target))


def test_of_both_every_batch_gets_one_drawn_evenly() -> None:
    generator, pasted = rng(), 0
    x = torch.arange(N, dtype=torch.float32)[:, None, None, None].expand(N, 1, 4, 4)
    for _ in range(400):
        mixed = mix(batch(inputs={"image": x}), (MixUp(alpha=5.0), CutMix(alpha=5.0)), CLASSES, generator)
        pasted += bool((mixed.inputs["image"] == mixed.inputs["image"].round()).all())
    assert abs(pasted / 400 - 0.5) < 0.08


@pytest.mark.parametrize("noun", [MixUp, CutMix])
def test_partners_and_shares_are_drawn_as_said(noun: type[MixUp] | type[CutMix]) -> None:
    for_batch = drawn(noun(), n=50)
    assert sorted(for_batch["partner"]) == list(range(50))
    assert all(len(np.unique(values)) == 1 for key, values in for_batch.items() if key != "partner")
    for_each = drawn(noun(each="sample"), n=50)
    assert all(len(values) == 50 and len(np.unique(values)) > 1 for values in for_each.values())
    again = drawn(noun(each="sample"), n=50)
    assert all(np.array_equal(for_each[key], again[key]) for key in again)


def test_shares_follow_the_beta_distribution_and_their_probability() -> None:
    share = drawn(MixUp(alpha=0.4, each="sample", p=0.75), n=20_000)["share"]
    assert abs((share < 1).mean() - 0.75) < 0.02
    mixed = share[share < 1]
    assert abs(mixed.mean() - 0.5) < 0.01 and abs(mixed.var() - 1 / (4 * 1.8)) < 0.01


def test_rectangles_have_their_share_of_the_picture_where_they_lie_within_it() -> None:
    p = draw(CutMix(alpha=1.0, each="sample"), 20_000, 100, 80, rng())
    height, width = p["bottom"] - p["top"], p["right"] - p["left"]
    assert (p["top"] >= 0).all() and (p["bottom"] <= 100).all() and (p["left"] >= 0).all() and (p["right"] <= 80).all()
    assert np.allclose(p["share"], 1 - height * width / 8000)
    within = (p["top"] > 0) & (p["bottom"] < 100) & (p["left"] > 0) & (p["right"] < 80)
    assert np.abs(height[within] / 100 - width[within] / 80).max() < 0.03
    # λ is uniform, the rectangle's side r = √(1 − λ), of which r²/4 lies outside on average. The area left is thus
    # E[r² (1 − r/4)²], r having the density 2r: 1/2 − 1/5 + 1/48.
    assert abs((1 - p["share"]).mean() - (1 / 2 - 1 / 5 + 1 / 48)) < 0.01


def test_what_cannot_be_mixed_is_refused_by_name() -> None:
    frames = torch.zeros(N, 4, 4, dtype=torch.uint8)
    with pytest.raises(TrainingError, match=r"mixup cannot mix the input frames, .*uint8"):
        mix(batch(inputs={"frames": frames}), (MixUp(),), CLASSES, rng())
    landmarks = {"image": pictures(), "landmarks": torch.zeros(N, 136)}
    assert mix(batch(inputs=landmarks), (MixUp(),), CLASSES, rng()).inputs["landmarks"].shape == (N, 136)
    with pytest.raises(TrainingError, match=r"cutmix .* landmarks \[12, 136\].* mixup"):
        mix(batch(inputs=landmarks), (CutMix(),), CLASSES, rng())


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_a_loss_of_hard_labels_alone_refuses_mixing(name: str) -> None:
    settings = {"augmentation": [{"name": name}], "loss": {"name": "squared-hinge"}}
    with pytest.raises(SettingsError, match=rf"{name} makes soft labels, and the loss squared-hinge takes hard ones"):
        validated(Recipe, settings)


def test_training_with_both_learns_and_goes_on_after_a_kill() -> None:
    recipe = Recipe(
        epochs=6,
        batch_size=16,
        optimizer=SGD(lr=0.2),
        augmentation=(PadCrop(padding=1), MixUp(p=0.8), CutMix(each="sample"), RandomErasing(p=0.1)),
        input=SIGNED,
    )
    watch = Memory()
    whole = trained(recipe, watch)
    assert whole.history[-1]["val_score"] > 0.6
    resumed = trained(recipe, Memory(watch.kept[2]))
    assert all(torch.equal(whole.last[key], resumed.last[key]) for key in whole.last)
