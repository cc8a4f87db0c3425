"""Pictures that were prepared for one network, prepared for another: a teacher sees what its student sees."""

from __future__ import annotations

from typing import Any

import torch

from ferbench.errors import TrainingError
from ferbench.nouns.split import Batch
from ferbench.training.pixels import resize
from ferbench.training.prepare import Preparer


def translated(batch: Batch, ours: Preparer, theirs: Preparer, size: int) -> Batch:
    """A batch that ``ours`` prepared as ``theirs`` would have: float32 [n, channels, size, size] by input name.

    Where both prepare alike, nothing is changed. Else pixels are rounded to bytes, resized, and normalised anew; the
    channels are those that ``theirs`` names, or as they come. Raises TrainingError where the normalisation cannot be
    undone, or an input is missing.
    """
    names = theirs.inputs or tuple(batch.inputs)
    missing = [name for name in names if name not in batch.inputs]
    if missing:
        raise TrainingError(f"The required network takes the input {missing[0]}, which this model is not given.")
    return Batch({name: _one(batch.inputs[name], ours, theirs, size) for name in names}, batch.target, batch.mask)


def _one(x: Any, ours: Preparer, theirs: Preparer, size: int) -> Any:
    if x.ndim != 4 or not torch.is_floating_point(x):  # not a picture
        return x
    channels = theirs.settings.channels or x.shape[1]
    if x.shape[1:] == (channels, size, size) and _alike(ours, theirs):
        return x
    with torch.autocast(x.device.type, enabled=False):
        raw = resize(ours.restored(x.float()), size, theirs.settings.interpolation)
        if channels == 1 and raw.shape[1] == 3 and torch.equal(raw[:, :2], raw[:, 1:]):
            raw = raw[:, :1]  # grey that was repeated: weighing its channels would darken it by a level
        alone = Preparer(theirs.settings, theirs.statistics)
        return alone.test(Batch({"picture": raw}, None)).inputs["picture"]


def _alike(ours: Preparer, theirs: Preparer) -> bool:
    kinds = [(each.settings.normalise, each.settings.equalise, each.statistics) for each in (ours, theirs)]
    return kinds[0] == kinds[1]
