"""Clips and signals on their way to a network: views, masks, augmentation, normalisation."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import nn

from ferbench import (
    Adam,
    Batch,
    CutMix,
    DataError,
    HorizontalFlip,
    Input,
    MixUp,
    Modality,
    MultiCrop,
    PadCrop,
    RandomErasing,
    Recipe,
    TrainingError,
    View,
)
from ferbench.checking.made_up import split_of, streamed_split_of
from ferbench.nouns.split import Split
from ferbench.training.feed import open_feed
from ferbench.training.modalities import recipe_misfit
from ferbench.training.precision import channels_last
from ferbench.training.prepare import preparer_for, training_statistics

CPU = torch.device("cpu")
CLIPS = {"video": (6, 3, 12, 12)}
SIGNALS = {"eeg": (5, 64)}
TARGETS = np.arange(8) % 2


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def raw_batch(split: Split, settings: Input, rows: tuple[int, ...] = (0, 1, 2, 3)) -> Batch:
    (batch,) = open_feed(split, settings, CPU, 0).batches([np.array(rows)], View(frames=settings.test_frames), (0,))
    return batch


def clips() -> Split:
    """Clips of three to six frames."""
    return streamed_split_of(CLIPS, TARGETS, 2)


def test_a_view_takes_a_frame_of_each_segment() -> None:
    assert View().chosen(5, rng()).tolist() == [0, 1, 2, 3, 4]
    assert View(frames=3).chosen(9, rng()).tolist() == [1, 4, 7]
    assert View(frames=4).chosen(3, rng()).tolist() == [0, 1, 2], "of a short clip all are taken"
    drawn = np.array([View(frames=3, training=True).chosen(10, rng(seed)) for seed in range(200)])
    assert [sorted(set(column.tolist())) for column in drawn.T] == [[0, 1, 2], [3, 4, 5], [6, 7, 8, 9]]


def test_clips_in_memory_are_seen_as_clips_in_files_are() -> None:
    pictures = rng().integers(0, 256, (4, 9, 8, 8, 3)).astype(np.uint8)
    split = split_of({"image": (1, 8, 8)}, TARGETS[:4], 2)
    split = type(split)(**{**vars(split), "inputs": {"video": pictures}})
    batch = raw_batch(split, Input(test_frames=3))
    np.testing.assert_array_equal(batch.inputs["video"].numpy(), pictures[:, [1, 4, 7]].transpose(0, 1, 4, 2, 3))


def test_frames_are_resized_and_turned_to_grey_as_pictures_are() -> None:
    settings = Input(size=8, channels=1, normalise="signed")
    feed = open_feed(clips(), settings, CPU, 0)
    assert feed.shapes().inputs == {"video": (6, 3, 8, 8)} and feed.shapes().picture == (3, 8, 8)
    batch = raw_batch(clips(), settings)
    prepared = preparer_for(clips(), settings, None, "video").test(batch)
    assert prepared.inputs["video"].shape == (4, 6, 1, 8, 8)
    one = Batch({"video": batch.inputs["video"][:, 2]}, batch.target)
    frame = preparer_for(clips(), settings, None, "image").test(one).inputs["video"]
    real = batch.mask[:, 2]
    torch.testing.assert_close(prepared.inputs["video"][real, 2], frame[real])


@pytest.mark.parametrize("normalise", ["unit", "signed", "mean-std", "each"])
def test_frames_that_fill_a_clip_up_are_zero(normalise: str) -> None:
    settings = Input.model_validate({"normalise": normalise})
    batch = raw_batch(clips(), settings)
    assert batch.mask.sum(1).tolist() == [6, 5, 4, 3]
    video = preparer_for(clips(), settings, None, "video").test(batch).inputs["video"]
    assert not video[~batch.mask].any() and bool(video[batch.mask].isfinite().all())


def test_statistics_leave_out_what_fills_clips_up() -> None:
    split = clips()
    frames = [split.batch(np.array([row]), View(), rng()).inputs["video"][0] for row in range(len(split))]
    pixels = np.concatenate(frames).reshape(-1, 3) / 255
    mean, std = training_statistics(split)
    np.testing.assert_allclose(mean, pixels.mean(axis=0))
    np.testing.assert_allclose(std, pixels.std(axis=0))


def test_the_frames_of_a_clip_are_augmented_alike_and_clips_each_by_themselves() -> None:
    still = np.repeat(rng().integers(0, 256, (16, 1, 12, 12, 3)).astype(np.uint8), 5, axis=1)
    raw = Batch({"video": torch.from_numpy(still).permute(0, 1, 4, 2, 3)}, torch.zeros(16, dtype=torch.int64))
    ops = (PadCrop(padding=3), HorizontalFlip(), RandomErasing(p=1.0))
    preparer = preparer_for(clips(), Input(), None, "video")
    video = preparer.train(raw, ops, rng()).inputs["video"]
    assert video.shape == (16, 5, 3, 12, 12)
    assert torch.equal(video, video[:, :1].expand_as(video))
    plain = preparer.test(raw).inputs["video"]
    assert len({str((video[i] - plain[i]).abs().sum((0, 1)).tolist()) for i in range(16)}) == 16
    with pytest.raises(TrainingError, match="multi-crop cannot be applied to clips"):
        preparer.train(raw, (MultiCrop(size=8),), rng())


def test_each_channel_of_a_signal_is_normalised() -> None:
    split = split_of(SIGNALS, TARGETS, 2)
    values = np.asarray(split.inputs["eeg"]) * np.array([1, 10, 100, 0.1, 3])[:, None] + np.arange(5)[:, None] * 50
    split = type(split)(**{**vars(split), "inputs": {"eeg": values.astype(np.float32)}})

    def prepared(normalise: str) -> np.ndarray:
        settings = Input.model_validate({"normalise": normalise})
        batch = preparer_for(split, settings, ("eeg",), "eeg").test(raw_batch(split, settings, tuple(range(8))))
        return np.asarray(batch.inputs["eeg"])

    np.testing.assert_array_equal(prepared("unit"), values.astype(np.float32))
    whole = prepared("mean-std")
    np.testing.assert_allclose(whole.mean(axis=(0, 2)), 0, atol=1e-3)
    np.testing.assert_allclose(whole.std(axis=(0, 2)), 1, rtol=1e-3)
    assert whole.std(axis=2).std() > 0.05, "windows keep their own power"
    np.testing.assert_allclose(prepared("each").mean(axis=2), 0, atol=1e-3)
    np.testing.assert_allclose(prepared("each").std(axis=2), 1, rtol=1e-3)


def test_a_channel_without_signal_is_named() -> None:
    split = split_of(SIGNALS, TARGETS, 2)
    split.inputs["eeg"][:, 3] = 7.1
    with pytest.raises(DataError, match="Channel 3 of eeg is constant"):
        preparer_for(split, Input(normalise="mean-std"), ("eeg",), "eeg")
    each = preparer_for(split, Input(normalise="each"), ("eeg",), "eeg").test(raw_batch(split, Input()))
    assert not each.inputs["eeg"][:, 3].any()


def test_other_inputs_beside_a_signal_stay_as_they_are() -> None:
    split = split_of({**SIGNALS, "age": (1,)}, TARGETS, 2)
    settings = Input(normalise="each")
    batch = preparer_for(split, settings, ("eeg", "age"), "eeg").test(raw_batch(split, settings))
    np.testing.assert_array_equal(batch.inputs["age"].numpy(), split.inputs["age"][:4])


@pytest.mark.parametrize(
    ("modality", "changes", "why"),
    [
        ("eeg", {"augmentation": (HorizontalFlip(),)}, "horizontal-flip changes pictures"),
        ("eeg", {"input": Input(size=8)}, "input.size changes pictures"),
        ("eeg", {"input": Input(normalise="imagenet")}, "input.normalise = 'imagenet' is for pictures"),
        ("eeg", {"input": Input(train_frames=8)}, "input.train_frames chooses frames of clips"),
        ("image", {"input": Input(test_frames=8)}, "input.test_frames chooses frames of clips"),
        ("video", {"augmentation": (MultiCrop(size=8),)}, "multi-crop is for single pictures"),
        ("video", {"augmentation": (CutMix(),)}, "cutmix is for single pictures"),
        ("eeg", {"augmentation": (MixUp(),), "input": Input(normalise="each")}, ""),
        ("video", {"augmentation": (PadCrop(), MixUp()), "input": Input(train_frames=8)}, ""),
    ],
)
def test_what_does_not_apply_to_a_modality_is_said(modality: Modality, changes: Mapping[str, object], why: str) -> None:
    found = recipe_misfit(Recipe.model_validate({"optimizer": Adam(), **changes}), modality)
    assert found.startswith(why) and bool(found) == bool(why)


def test_networks_with_convolutions_over_time_keep_their_layout() -> None:
    over_time, over_space = nn.Conv3d(3, 4, 3), nn.Conv2d(3, 4, 3)
    channels_last(nn.Sequential(over_time, over_space))
    assert over_space.weight.is_contiguous(memory_format=torch.channels_last)
    assert over_time.weight.is_contiguous()
