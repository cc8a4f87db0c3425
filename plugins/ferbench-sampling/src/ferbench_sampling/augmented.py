"""Random oversampling whose copies differ from what they were copied from."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from ferbench import DataError, Sample, SampleContext, Split
from ferbench_sampling import RosAugmentOptions
from ferbench_sampling.classes import class_counts
from ferbench_sampling.repeating import oversampled

CHUNK = 1024
"""Pictures that are turned at a time."""


def ros_augment(train: Split, context: SampleContext) -> Sample:
    """Add a turned copy for each sample that random oversampling would repeat; the originals stay as they are."""
    assert isinstance(context.options, RosAugmentOptions)
    class_counts(train, context, "ros+augment")
    inputs = train.arrays
    if inputs is None:
        raise DataError("ros+augment makes pictures beside those of the data set; these stream from files.")
    for name, values in inputs.items():
        if values.dtype != np.uint8 or not 3 <= values.ndim <= 5:
            raise DataError(
                f"ros+augment turns pictures (uint8, height and width); the input {name} is {values.dtype} "
                f"{list(values.shape[1:])}. Use random-oversampling."
            )
    copies = oversampled(train.targets, context.rng)[len(train) :]
    if not len(copies):
        return Sample()
    ways = drawn_ways(len(copies), context.options, context.rng)
    made = {name: np.empty((len(copies), *values.shape[1:]), np.uint8) for name, values in inputs.items()}
    for start in range(0, len(copies), CHUNK):
        cut = slice(start, start + CHUNK)
        for name, values in inputs.items():
            made[name][cut] = moved(values[copies[cut]], ways[cut])
    return Sample(extra_inputs=made, extra_targets=np.asarray(train.targets)[copies])


def drawn_ways(count: int, options: RosAugmentOptions, rng: np.random.Generator) -> np.ndarray:
    """How each copy is moved, float32 [count, 4]: side (-1 mirrored, else 1), radians, shift right and down."""
    sides = np.where(rng.random(count) < options.flip, -1.0, 1.0)
    angles = np.deg2rad(rng.uniform(-options.degrees, options.degrees, count))
    shifts = rng.uniform(-options.shift, options.shift, (count, 2))
    return np.column_stack([sides, angles, shifts]).astype(np.float32)


def moved(pictures: np.ndarray, ways: np.ndarray) -> np.ndarray:
    """Pictures uint8 [n, (frames,) height, width (, channels)], each in its own way; edges are drawn out."""
    shape = pictures.shape
    frames = shape[1] if len(shape) == 5 else 1
    height, width = shape[2:4] if len(shape) == 5 else shape[1:3]
    planes = pictures.reshape(len(pictures), frames, height, width, -1).transpose(0, 1, 4, 2, 3)
    given = torch.from_numpy(planes.reshape(len(pictures), -1, height, width).astype(np.float32))
    side, angle, right, down = torch.from_numpy(ways).unbind(1)
    cos, sin, ratio = angle.cos(), angle.sin(), height / width
    # From places in the copy to places in the original, both from -1 to 1.
    rows = (side * cos, -side * sin * ratio, -2 * side * right), (sin / ratio, cos, -2 * down)
    matrix = torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
    places = F.affine_grid(matrix, list(given.shape), align_corners=False)
    seen = F.grid_sample(given, places, padding_mode="border", align_corners=False)
    back = seen.round().clamp(0, 255).to(torch.uint8).numpy().reshape(planes.shape).transpose(0, 1, 3, 4, 2)
    return np.ascontiguousarray(back).reshape(shape)
