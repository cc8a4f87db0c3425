"""Finished cells loaded to score again, and what an estimator is given of the cells that it requires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import nn

from ferbench.errors import PluginError, StoreError, TrainingError
from ferbench.evaluating.finished import PredictorScorer, make_predictor
from ferbench.evaluating.scoring import (
    EstimatorScorer,
    NetworkScorer,
    Scorer,
    build_network,
    make_estimator,
    make_preparer,
    raw_shapes,
    read_estimator,
    read_weights,
)
from ferbench.evaluating.setup import Setup, rebuild
from ferbench.nouns.requirement import Requirement, requirements_of
from ferbench.nouns.split import Split
from ferbench.nouns.views import SingleView
from ferbench.store.store import CellFolder
from ferbench.training.precision import Numerics
from ferbench.training.terms import last_linear


def load_scorer(
    setup: Setup, folder: CellFolder, numerics: Numerics, weights: Literal["best", "last"] = "best"
) -> Scorer:
    """Load a finished cell's model. Raises StoreError when its weights are gone or damaged."""
    path = folder.path / f"{weights}.safetensors"
    merged = folder.status.get("merged")
    if merged and not path.exists():
        raise StoreError(
            f"The {weights} weights of cell {folder.id} ({folder.record['label']}) are not here: it was merged from "
            f"{merged['pack']} without them. Pack it with `ferbench pack --weights best`, and merge it again."
        )
    preparer = make_preparer(setup)
    if setup.model.predictor is not None:
        return PredictorScorer(setup, make_predictor(setup), preparer)
    if setup.model.build is None:
        estimator = make_estimator(setup)
        arrays, plain = read_estimator(path)
        folder.verify(path.name)
        estimator.restore(arrays, plain)
        return EstimatorScorer(setup, estimator, preparer, Given(setup, folder, numerics))
    net, spec = build_network(setup, numerics.device)
    tensors = read_weights(path)
    folder.verify(path.name)
    net.load_state_dict(tensors)
    return NetworkScorer(setup, net.eval(), numerics, preparer, spec.size)


def at_trained_size(setup: Setup) -> Setup:
    """The same setup with size and channels of the pictures fixed: another data set's may differ."""
    if setup.dataset.modality == "eeg":
        return setup
    settings = setup.recipe.input
    channels, height, _ = raw_shapes(setup).picture
    fixed = {"size": settings.size or height, "channels": settings.channels or channels}
    recipe = setup.recipe.model_copy(update={"input": settings.model_copy(update=fixed)})
    return replace(setup, recipe=recipe)


@dataclass
class Given:
    """What an estimator is given of required cells, by role, on the samples of any split."""

    setup: Setup
    folder: CellFolder
    numerics: Numerics
    scorers: dict[str, Scorer] = field(default_factory=dict)

    @cached_property
    def wanted(self) -> Mapping[str, Requirement]:
        """The requirements that give something."""
        needs = requirements_of(self.setup.model, self.setup.model_options)
        return {role: needed for role, needed in needs.items() if needed.gives}

    def __call__(self, split: Split) -> dict[str, np.ndarray]:
        """Scores or features, float32 [n, d] by role."""
        return {role: self.of(role, split) for role in self.wanted}

    def of(self, role: str, split: Split) -> np.ndarray:
        """What one role gives; the cell's own val and test scores are those that are stored."""
        other = self._folder(role)
        if self.wanted[role].gives == "features":
            return features_of(self._scorer(role), split)
        for side, own in (("val", self.setup.splits.val), ("test", self.setup.splits.test)):
            if split is own:
                return other.predictions().side(side).scores
        return self._scorer(role).scores(split)

    def _folder(self, role: str) -> CellFolder:
        return CellFolder(self.folder.path.parent / self.setup.record["requires"][role])

    def _scorer(self, role: str) -> Scorer:
        if role not in self.scorers:
            other = self._folder(role)
            with torch.random.fork_rng():  # building draws weights, which must not shift the asking cell's own draws
                self.scorers[role] = load_scorer(at_trained_size(rebuild(other.record)), other, self.numerics)
        return self.scorers[role]


def features_of(scorer: Scorer, split: Split) -> np.ndarray:
    """What a network's last linear layer is given for each sample of a split, in one view: float32 [n, d].

    Raises PluginError for an estimator, TrainingError where the network has no such layer.
    """
    if not isinstance(scorer, NetworkScorer):
        raise PluginError("Features are a network's; the required cell is an estimator.")
    found: list[np.ndarray] = []

    def keep(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        found.append(inputs[0].detach().flatten(1).float().cpu().numpy())

    head = last_linear(scorer.net, len(scorer.setup.classes), "gives='features'")
    hook = head.register_forward_pre_hook(keep)
    try:
        scorer.scores(split, SingleView())
    finally:
        hook.remove()
    features = np.concatenate(found) if found else np.zeros((0, 0), np.float32)
    if len(features) != len(split):
        raise TrainingError(
            f"The last linear layer of {scorer.setup.model.full_name} was called for {len(features)} rows and "
            f"{len(split)} samples; features need one row a sample."
        )
    return features
