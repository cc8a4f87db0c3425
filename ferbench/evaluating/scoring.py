"""Trained models that score splits: a network on its device, or an estimator; fresh or loaded from a cell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from ferbench.errors import PluginError, Problem, SettingsError, StoreError, TrainingError
from ferbench.evaluating.finished import PredictorScorer, make_predictor
from ferbench.evaluating.setup import Setup, net_spec
from ferbench.nouns.initial import DefaultInit
from ferbench.nouns.model import Estimator
from ferbench.nouns.reference import resolve
from ferbench.nouns.split import Split, View
from ferbench.nouns.views import RandomViews, TestViews
from ferbench.store.store import CellFolder
from ferbench.training.feed import open_feed
from ferbench.training.inference import score_samples
from ferbench.training.initialise import initialise
from ferbench.training.precision import Numerics, seed_everything
from ferbench.training.prepare import Preparer, network_size, training_statistics
from ferbench.training.regularise import set_drop_path, set_dropout
from ferbench.training.view_checks import drawn_augmentation, views_misfit


class Scorer(Protocol):
    """A trained model."""

    def scores(self, split: Split, tta: TestViews | None = None) -> np.ndarray:
        """Scores float32 [n, k] of a split's samples, in its order; ``tta`` None: the recipe's views."""


def make_preparer(setup: Setup) -> Preparer:
    """The preparer of a cell's recipe, with the training split's statistics where it needs them."""
    settings = setup.recipe.input
    statistics = training_statistics(setup.splits.train, settings) if settings.normalise == "mean-std" else None
    return Preparer(settings, statistics, setup.model.inputs)


@dataclass
class NetworkScorer:
    """A network and how to feed it."""

    setup: Setup
    net: nn.Module
    numerics: Numerics
    preparer: Preparer
    size: int
    workers: int = 0

    def scores(self, split: Split, tta: TestViews | None = None) -> np.ndarray:
        """See :class:`Scorer`."""
        recipe = self.setup.recipe
        feed = open_feed(split, recipe.input, self.numerics.device, self.workers)
        try:
            task = self.setup.dataset.task
            scores = score_samples(
                self.net, feed, self.preparer, recipe, self.numerics, task, self.size, tta or recipe.tta
            )
        finally:
            feed.close()
        return finite(scores, self.setup)


@dataclass
class EstimatorScorer:
    """An estimator and how to feed it. Test-time views do not apply to it."""

    setup: Setup
    estimator: Estimator
    preparer: Preparer

    def scores(self, split: Split, tta: TestViews | None = None) -> np.ndarray:
        """See :class:`Scorer`. Raises TrainingError when the estimator returns scores of another shape."""
        if tta is not None and tta.name != "none":
            raise TrainingError(f"{self.setup.model.full_name} is an estimator; test-time views do not apply to it.")
        scores = np.asarray(self.estimator.predict(prepared_arrays(self.setup, split, self.preparer)), np.float32)
        wanted = (len(split), len(self.setup.classes))
        if scores.shape != wanted:
            raise TrainingError(f"{self.setup.model.full_name} returned scores of shape {scores.shape}, not {wanted}.")
        return finite(scores, self.setup)


def finite(scores: np.ndarray, setup: Setup) -> np.ndarray:
    """Return ``scores``; raise TrainingError when some are not finite, since no metric could be computed from them."""
    bad = int((~np.isfinite(scores)).any(axis=1).sum())
    if bad:
        raise TrainingError(
            f"{setup.model.full_name} gave scores that are not finite for {bad} of {len(scores)} samples."
        )
    return scores


def prepared_arrays(setup: Setup, split: Split, preparer: Preparer) -> dict[str, np.ndarray]:
    """A whole split as the recipe's ``input`` says, float32 [n, channels, height, width] by input name."""
    feed = open_feed(split, setup.recipe.input, torch.device("cpu"), 0)
    rows = np.arange(len(split))
    chunks = [rows[start : start + 1024] for start in range(0, len(rows), 1024)]
    parts = [preparer.test(batch, None).inputs for batch in feed.batches(chunks, View(), (0,))]
    feed.close()
    return {name: torch.cat([part[name] for part in parts]).contiguous().numpy() for name in setup.model.inputs}


def build_network(setup: Setup, device: torch.device) -> tuple[nn.Module, int]:
    """Build and initialise the cell's network from its seed; return it and the side of the pictures that it sees.

    Raises SettingsError for views at test that the recipe or the pictures cannot give.
    """
    shape = raw_shape(setup)
    recipe = setup.recipe
    size = network_size(shape[1], recipe.input, recipe.augmentation, recipe.tta)
    check_views(setup, recipe.tta)
    seed_everything(setup.record["seed"])
    build = resolve(setup.model.build)
    net = build(net_spec(setup, shape, size), **setup.model_options.model_dump())
    if not isinstance(net, nn.Module):
        raise PluginError(f"build of {setup.model.full_name} returned {type(net).__name__}, not a torch.nn.Module.")
    if recipe.dropout is not None:
        set_dropout(net, recipe.dropout)
    if recipe.drop_path is not None:
        set_drop_path(net, recipe.drop_path)
    if not isinstance(recipe.init, DefaultInit):
        initialise(net, recipe.init)
    return net.to(device).to(memory_format=torch.channels_last), size


def check_views(setup: Setup, tta: TestViews, place: str = "recipe.tta") -> None:
    """Raise SettingsError for views that a cell's recipe, model or data cannot give, whatever their size."""
    why = views_misfit(tta, setup.model.inputs, setup.dataset.modality)
    if why:
        raise SettingsError([Problem(place, why)])
    if isinstance(tta, RandomViews):
        drawn_augmentation(setup.recipe, place)


def raw_shape(setup: Setup) -> tuple[int, int, int]:
    """Channels, height and width of the data set's pictures, resized as the recipe says."""
    feed = open_feed(setup.splits.test.take(np.arange(1)), setup.recipe.input, torch.device("cpu"), 0)
    try:
        return feed.image_shape()
    finally:
        feed.close()


def make_estimator(setup: Setup) -> Estimator:
    """A fresh estimator of the cell's model."""
    estimator: Estimator = resolve(setup.model.estimator)(**setup.model_options.model_dump())
    return estimator


def load_scorer(
    setup: Setup, folder: CellFolder, numerics: Numerics, weights: Literal["best", "last"] = "best"
) -> Scorer:
    """Load a finished cell's model. Raises StoreError when its weights are gone or damaged."""
    path = folder.path / f"{weights}.safetensors"
    preparer = make_preparer(setup)
    if setup.model.predictor is not None:
        return PredictorScorer(setup, make_predictor(setup), preparer)
    if setup.model.build is None:
        estimator = make_estimator(setup)
        arrays, plain = read_estimator(path)
        estimator.restore(arrays, plain)
        return EstimatorScorer(setup, estimator, preparer)
    net, size = build_network(setup, numerics.device)
    net.load_state_dict(read_weights(path))
    return NetworkScorer(setup, net.eval(), numerics, preparer, size)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file. Raises StoreError when it is missing or damaged."""
    try:
        return dict(load_file(path))
    except FileNotFoundError:
        raise StoreError(
            f"{path} is gone (freed by `ferbench gc`?). Train the cell again with `ferbench run --fresh`."
        ) from None
    except SafetensorError as error:
        raise StoreError(f"{path} is damaged ({error}). Train the cell again with `ferbench run --fresh`.") from None


def read_estimator(path: Path) -> tuple[Mapping[str, np.ndarray], Mapping[str, Any]]:
    """Read an estimator's arrays and plain data. Raises StoreError when they are missing or damaged."""
    arrays = {name: value.numpy() for name, value in read_weights(path).items()}
    with safe_open(path, framework="numpy") as handle:
        metadata = handle.metadata() or {}
    return arrays, json.loads(metadata.get("plain", "{}"))
