"""A picture of training samples as a recipe augments them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ferbench.data.splits import make_splits
from ferbench.data.stored import Loaded
from ferbench.errors import DataError
from ferbench.nouns.dataset import ProtocolRule
from ferbench.nouns.model import Model
from ferbench.nouns.split import Split, View
from ferbench.store.files import write_with
from ferbench.training.feed import open_feed
from ferbench.training.prepare import preparer_for

GAP = 4
SCALE = 2


def write_preview(loaded: Loaded, rule: ProtocolRule, model: Model, target: Path, rows: int, seed: int = 0) -> None:
    """Draw ``rows`` training samples, a class in turn: each as it is, then seven times as the recipe makes it.

    Raises DataError for data that are not pictures.
    """
    train = make_splits(loaded, rule).train
    if loaded.dataset.modality != "image":
        raise DataError(f"{loaded.dataset.name} holds {loaded.dataset.modality}; only pictures can be previewed.")
    chosen = _a_class_in_turn(train, rows, seed)
    settings = model.recipe.input
    feed = open_feed(train, settings, torch.device("cpu"), 0)
    preparer = preparer_for(train, settings, None, loaded.dataset.modality)
    rng = np.random.default_rng(seed)
    raw = next(iter(feed.batches([chosen], View(), (seed,))))
    columns = [_pixels(next(iter(raw.inputs.values())).float())]
    for _ in range(7):
        batch = preparer.train(raw, model.recipe.augmentation, rng)
        columns.append(_pixels(next(iter(batch.inputs.values()))))
    feed.close()
    sheet = Image.fromarray(_sheet(columns))
    sheet = sheet.resize((sheet.width * SCALE, sheet.height * SCALE), Image.Resampling.NEAREST)
    write_with(target, lambda path: sheet.save(path, format="PNG"))


def _a_class_in_turn(train: Split, rows: int, seed: int) -> np.ndarray:
    """Indices of ``rows`` samples, one of each class after the other, drawn with ``seed``."""
    order = np.random.default_rng(seed).permutation(len(train))
    if train.label_kind != "hard":
        return order[:rows]
    labels = np.asarray(train.targets)[order]
    turn = np.zeros(len(order), np.int64)
    for label in np.unique(labels):
        of_class = labels == label
        turn[of_class] = np.arange(of_class.sum())
    return order[np.lexsort((labels, turn))][:rows]


def _pixels(x: torch.Tensor) -> np.ndarray:
    """Bring pictures [n, c, h, w] of any scale to uint8 [n, h, w, 3], all by one stretch."""
    low, high = x.min(), x.max()
    grey = ((x - low) / (high - low + 1e-9) * 255).to(torch.uint8)
    return (
        grey.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).numpy() if x.shape[1] == 1 else grey.permute(0, 2, 3, 1).numpy()
    )


def _sheet(columns: list[np.ndarray]) -> np.ndarray:
    """Lay pictures out: a column for each of ``columns``, a row a sample; the first column stands apart."""
    height = max(column.shape[1] for column in columns)
    width = max(column.shape[2] for column in columns)
    rows = len(columns[0])
    sheet = np.full((rows * (height + GAP) + GAP, len(columns) * (width + GAP) + 2 * GAP, 3), 255, np.uint8)
    for x, column in enumerate(columns):
        left = GAP + x * (width + GAP) + (GAP if x else 0)
        for y, picture in enumerate(column):
            top = GAP + y * (height + GAP)
            sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return sheet
