"""From raw pictures to what a network is given.

The order is that of the recipe: grey or colour, augmentation on raw pixels, equalisation, normalisation, erasing. Grey
becomes three channels only when it is normalised, so that all before works on a third of the bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from ferbench.errors import DataError, Problem, SettingsError, TrainingError
from ferbench.nouns.augmentation import AFTER_NORMALISATION, MIXING, Augmentation
from ferbench.nouns.emotions import Modality
from ferbench.nouns.geometry import MultiCrop, PadCrop, RandomCrop, ResizedCrop
from ferbench.nouns.recipe import Input
from ferbench.nouns.split import Batch, Split, View
from ferbench.nouns.views import FiveCrop, TenCrop, TestViews
from ferbench.training.augment import apply, draw
from ferbench.training.lighting import by_picture, lit, scaled
from ferbench.training.pixels import (
    centre_crop,
    channels_first,
    is_clip,
    is_picture,
    padding_problem,
    resize,
    to_grey,
)
from ferbench.training.signals import Moments, normalised_signal, signal_moments

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation of each channel, in units of [0, 1]."""

IMAGENET: Statistics = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
STREAMED_SAMPLES = 2048
"""Samples of a streamed split from which its statistics are taken, evenly spread over it."""

AT_ONCE = 256
CLIPS_AT_ONCE = 8

FIXED: dict[str, Statistics] = {"unit": ((0.0,), (1.0,)), "signed": ((0.5,), (0.5,)), "imagenet": IMAGENET}


class Preparer:
    """Prepares batches as ``settings`` say.

    ``statistics``: those of the training split (:func:`training_statistics`), needed for ``mean-std`` alone.
    ``inputs``: those that the model takes, by name (None: all). ``signals``: those that are signals, with their moments
    where ``mean-std`` needs them. Grey pictures under ``imagenet`` get the mean of its three channels' values.
    """

    def __init__(
        self,
        settings: Input,
        statistics: Statistics | None = None,
        inputs: tuple[str, ...] | None = None,
        signals: Mapping[str, Moments | None] | None = None,
    ) -> None:
        if settings.normalise == "mean-std" and statistics is None and not signals:
            raise TrainingError("recipe.input.normalise = 'mean-std' needs the statistics of the training split.")
        self.settings, self.inputs, self.signals = settings, inputs, signals or {}
        self.statistics: Statistics = FIXED.get(settings.normalise) or statistics or FIXED["unit"]

    def train(self, batch: Batch, augmentation: tuple[Augmentation, ...], rng: np.random.Generator) -> Batch:
        """Augment and normalise a batch of raw pictures (uint8 [b, c, h, w]): float32 [b, c, s, s], channels-last.

        Where a sample has several pictures of one size, they are augmented alike, and so are the frames of a clip
        (uint8 [b, frames, c, h, w] to float32 [b, frames, c, s, s]; frames that fill it up become zero). Signals are
        normalised, other inputs stay as they are. ``MultiCrop`` multiplies the batch: crops of a sample lie side by
        side, each with its target, mask, weight and other inputs. Raises TrainingError when a crop does not fit, or the
        pictures do not end up square.
        """
        start = rng.bit_generator.state

        def changed(op: Augmentation, x: torch.Tensor, frames: int) -> torch.Tensor:
            drawn = draw(op, len(x) // frames, x.shape[2], x.shape[3], rng)
            return apply(op, x, {name: np.repeat(values, frames, axis=0) for name, values in drawn.items()})

        def prepared(x: torch.Tensor, frames: int) -> torch.Tensor:
            rng.bit_generator.state = start
            for op in augmentation:
                if not isinstance(op, AFTER_NORMALISATION + MIXING):
                    x = changed(op, x, frames)
            x = self._normalised(x)
            for op in augmentation:
                if isinstance(op, AFTER_NORMALISATION):
                    x = changed(op, x, frames)
            return x

        return self._each_picture(batch, prepared, crops_of(augmentation))

    def test(
        self,
        batch: Batch,
        size: int | None = None,
        augmentation: tuple[Augmentation, ...] = (),
        change: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> Batch:
        """Normalise a batch as :meth:`train` does, not augmented, but as large as training makes it.

        Where ``augmentation`` resizes crops, the whole picture is resized; ``change`` then gets it (uint8
        [n, c, h, w]); last, only the middle ``size`` pixels are taken, if given.
        """
        resizing = [op for op in augmentation if isinstance(op, ResizedCrop)][-1:]

        def prepared(x: torch.Tensor, frames: int) -> torch.Tensor:
            for op in resizing:
                x = resize(x, op.size, op.interpolation)
            x = change(x) if change else x
            return self._normalised(x if size is None or x.shape[2:] == (size, size) else centre_crop(x, size))

        return self._each_picture(batch, prepared)

    def restored(self, x: torch.Tensor) -> torch.Tensor:
        """Undo the normalisation of pictures float32 [n, c, h, w]: uint8, rounded. Raises TrainingError where none can.

        What erasing and mixing made of them stays.
        """
        if by_picture(self.settings):
            how = "equalise" if self.settings.equalise else f"normalise = '{self.settings.normalise}'"
            raise TrainingError(
                f"recipe.input.{how} looks at each picture as a whole and cannot be undone for a network that takes "
                "pictures otherwise. Choose unit, signed, imagenet or mean-std, or the required network's own input."
            )
        moments = (torch.tensor(values, device=x.device).view(-1, 1, 1) for values in self._moments(x.shape[1]))
        mean, std = moments
        return ((x * std + mean) * 255).round_().clamp_(0, 255).to(torch.uint8)

    def _each_picture(
        self, batch: Batch, prepared: Callable[[torch.Tensor, int], torch.Tensor], times: int = 1
    ) -> Batch:
        def one(name: str, value: Any) -> Any:
            if name in self.signals:
                return normalised_signal(value, self.settings.normalise, self.signals[name])
            if is_clip(value):
                return clip(value)
            if not is_picture(value):
                return _repeated(value, times)
            return prepared(to_grey(value) if self.settings.channels == 1 else value, 1)

        def clip(value: torch.Tensor) -> torch.Tensor:
            if times > 1:
                raise TrainingError("multi-crop cannot be applied to clips; take it out of recipe.augmentation.")
            count, frames = value.shape[:2]
            flat = value.flatten(0, 1)
            flat = prepared(to_grey(flat) if self.settings.channels == 1 else flat, frames)
            result = flat.view(count, frames, *flat.shape[1:])
            return result if batch.mask is None else result.masked_fill(~batch.mask[:, :, None, None, None], 0.0)

        inputs = {name: one(name, batch.inputs[name]) for name in self.inputs or batch.inputs}
        about = (_repeated(value, times) for value in (batch.target, batch.mask, batch.weight, batch.index))
        return Batch(inputs, *about)

    def _normalised(self, x: torch.Tensor) -> torch.Tensor:
        count, given, height, width = x.shape
        if height != width:
            raise TrainingError(
                f"Pictures of {height} × {width} pixels are not square. Set recipe.input.size, or add a random-crop."
            )
        channels = self.settings.channels or given
        if by_picture(self.settings):
            return self._lit(x, channels)
        result = torch.empty((count, height, width, channels), device=x.device)
        for channel, (mean, std) in enumerate(zip(*self._moments(channels), strict=True)):
            # (x / 255 - mean) / std as one multiplication and one addition, straight from bytes.
            shift, plane = torch.tensor(-mean / std), x[:, min(channel, given - 1)]
            torch.add(shift, plane, alpha=1 / (255 * std), out=result[..., channel])
        return result.permute(0, 3, 1, 2)

    def _lit(self, x: torch.Tensor, channels: int) -> torch.Tensor:
        values = scaled(x, self.settings.equalise)
        if self.settings.normalise in ("each", "plane"):
            values = lit(values, self.settings.normalise)
            planes = [values[:, min(channel, x.shape[1] - 1)] for channel in range(channels)]
        else:
            moments = zip(*self._moments(channels), strict=True)
            planes = [
                (values[:, min(channel, x.shape[1] - 1)] - mean) / std for channel, (mean, std) in enumerate(moments)
            ]
        return torch.stack(planes, dim=3).permute(0, 3, 1, 2)

    def _moments(self, channels: int) -> Statistics:
        means, stds = self.statistics
        if len(means) == channels:
            return means, stds
        if len(means) == 1:
            return means * channels, stds * channels
        if self.statistics is IMAGENET and channels == 1:
            return (sum(means) / 3,), (sum(stds) / 3,)
        raise TrainingError(f"The statistics are of {len(means)} channels, the pictures have {channels}.")


def preparer_for(split: Split, settings: Input, inputs: tuple[str, ...] | None, modality: Modality) -> Preparer:
    """The preparer of a recipe's ``input``, with the statistics of the training ``split`` where it needs them.

    Raises DataError where these cannot be taken.
    """
    own = settings.normalise == "mean-std"
    if modality != "eeg":
        return Preparer(settings, training_statistics(split, settings) if own else None, inputs)
    first = split.batch(np.zeros(1, np.int64), View(), np.random.default_rng(0)).inputs
    names = [name for name in inputs or first if np.ndim(first[name]) == 3]
    moments = signal_moments(split, names) if own else {}
    return Preparer(settings, None, inputs, {name: moments.get(name) for name in names})


def training_statistics(split: Split, settings: Input | None = None) -> Statistics:
    """Mean and standard deviation of each channel over all pixels of the split's pictures, in units of [0, 1].

    Of grey where ``settings`` turn colour into it. Raw pixels count, before any resizing: all of a split in memory, at
    most ``STREAMED_SAMPLES`` samples of one that streams, and of clips the frames that are read at test. Raises
    DataError when there is no picture, or all pixels of a channel are equal.
    """
    counts: np.ndarray = np.zeros((1, 256), np.int64)
    for values in _raw_pictures(split, settings or Input()):
        x = channels_first(torch.tensor(values))
        x = to_grey(x) if settings and settings.channels == 1 else x
        counts = counts + [np.bincount(plane.flatten().numpy(), minlength=256) for plane in x.unbind(1)]
    if not counts.any():
        raise DataError("The training split has no pictures whose mean and standard deviation could be taken.")
    levels, share = np.arange(256) / 255, counts / counts.sum(axis=1, keepdims=True)
    means = share @ levels
    stds = np.sqrt((share * (levels - means[:, None]) ** 2).sum(axis=1))
    if (np.count_nonzero(counts, axis=1) == 1).any():
        raise DataError("All pixels of a channel are equal in the training split; set recipe.input.normalise='unit'.")
    return tuple(means.tolist()), tuple(stds.tolist())


def _raw_pictures(split: Split, settings: Input) -> Iterator[np.ndarray]:
    if split.arrays is not None and not any(is_clip(values) for values in split.arrays.values()):
        for values in split.arrays.values():
            if is_picture(values):
                yield from (values[start : start + AT_ONCE] for start in range(0, len(values), AT_ONCE))
        return
    chosen = np.unique(np.linspace(0, len(split) - 1, min(len(split), STREAMED_SAMPLES)).astype(np.int64))
    for start in range(0, len(chosen), CLIPS_AT_ONCE):
        view = View(frames=settings.test_frames)
        batch = split.batch(chosen[start : start + CLIPS_AT_ONCE], view, np.random.default_rng(0))
        for values in map(np.asarray, batch.inputs.values()):
            if is_clip(values):
                yield values[batch.mask] if batch.mask is not None else values.reshape(-1, *values.shape[2:])
            elif is_picture(values):
                yield values


def network_size(
    raw_size: int, settings: Input, augmentation: tuple[Augmentation, ...] = (), tta: TestViews | None = None
) -> int:
    """Return the side of the square pictures that a network sees, from that of the raw ones.

    Raises SettingsError when a crop or the test views are larger than the picture, or training and test would differ.
    """
    size = whole = settings.size or raw_size
    problems = []
    for position, op in enumerate(augmentation):
        place = f"recipe.augmentation.{position}"
        match op:
            case RandomCrop() | MultiCrop():
                if op.size > size:
                    problems.append(Problem(f"{place}.size", _too_large("crop", op.size, size)))
                size = min(size, op.size)
            case ResizedCrop():
                size = whole = op.size
            case PadCrop():
                problem = padding_problem(op.padding, op.border, size)
                problems += [Problem(f"{place}.padding", problem)] if problem else []
    if isinstance(tta, FiveCrop | TenCrop):
        if tta.size > whole:
            problems.append(Problem("recipe.tta.size", _too_large(tta.name, tta.size, whole)))
        elif tta.size != size:
            problems.append(
                Problem(
                    "recipe.tta.size",
                    f"{tta.name} views of {tta.size} pixels must be as large as the pictures in training, {size}; "
                    f"set one of them, for instance with a random-crop of {tta.size}",
                )
            )
    if problems:
        raise SettingsError(problems)
    return size


def crops_of(augmentation: tuple[Augmentation, ...]) -> int:
    """How many pictures each picture of a batch becomes in training."""
    return math.prod(op.count for op in augmentation if isinstance(op, MultiCrop))


def _repeated(value: Any, times: int) -> Any:
    """Repeat what belongs to a sample for each of its crops."""
    return value if value is None or times == 1 else value.repeat_interleave(times, 0)


def _too_large(what: str, size: int, picture: int) -> str:
    return f"a {what} of {size} pixels does not fit into pictures of {picture}; set a smaller one, or recipe.input.size"
