"""Finished cells as other cells see them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import nn

from ferbench.errors import PluginError, StoreError
from ferbench.evaluating.loading import at_trained_size, features_of, load_scorer
from ferbench.evaluating.scoring import NetworkScorer, make_preparer
from ferbench.evaluating.setup import Setup, rebuild
from ferbench.nouns.model import RequiredCell
from ferbench.nouns.split import Batch
from ferbench.store.marks import trained_on_val
from ferbench.store.store import CellFolder
from ferbench.training.losses import call_network
from ferbench.training.precision import Numerics
from ferbench.training.prepare import Preparer
from ferbench.training.translate import translated


@dataclass
class FinishedCell:
    """A required cell, read from its folder (see :class:`ferbench.RequiredCell`).

    ``inner``: the same model trained without one part of train each. ``asker``: the cell that requires it. ``used``:
    the sides whose scores were asked for.
    """

    folder: CellFolder
    inner: tuple[CellFolder, ...]
    asker: Setup
    used: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        """Its cell id."""
        return self.folder.id

    def scores(self, side: str) -> np.ndarray:
        """Its stored probabilities of ``val`` or ``out-of-fold``, float32 [n, k]."""
        if side not in ("val", "out-of-fold"):
            raise PluginError(
                f"Scores of {side!r} are given to nothing that trains. A required cell has those of val; and "
                "out-of-fold ones of train, where the requirement asks for them."
            )
        if side == "val" and trained_on_val(self.folder.record):
            raise PluginError(
                f"Cell {self.id} ({self.folder.record['label']}) was trained on val, so its scores of val are of "
                "samples that it knows. Require it out_of_fold, or require a model that is trained on train alone."
            )
        self.used.add(side)
        return self.folder.predictions().side("val").scores if side == "val" else self._out_of_fold()

    def network(self) -> nn.Module:
        """Its chosen network, in evaluation mode, on the CPU."""
        return self._load().net

    def features(self) -> np.ndarray:
        """What its network's last linear layer is given for each training sample of the asking cell, on the CPU."""
        return features_of(self._load(), self.asker.splits.train)

    def logits(self, batch: Batch) -> torch.Tensor:
        """What its network gives for a batch of the asking network's inputs, without gradients."""
        scorer = self._scorer
        device = next(iter(batch.inputs.values())).device
        scorer.net.to(device)
        with torch.no_grad():
            return call_network(scorer.net, translated(batch, self._preparer, scorer.preparer, scorer.size))

    @cached_property
    def _scorer(self) -> NetworkScorer:
        return self._load()

    @cached_property
    def _preparer(self) -> Preparer:
        return make_preparer(self.asker)

    def _load(self) -> NetworkScorer:
        numerics = Numerics(torch.device("cpu"), "fp32")
        with torch.random.fork_rng():  # building draws weights, which must not shift the asking cell's own draws
            scorer = load_scorer(at_trained_size(rebuild(self.folder.record)), self.folder, numerics)
        if not isinstance(scorer, NetworkScorer):
            raise PluginError(f"Cell {self.id} was not trained by the engine; it has no network.")
        return scorer

    def _out_of_fold(self) -> np.ndarray:
        if not self.inner:
            raise PluginError(f"Cell {self.id} was not required out of folds: ask for Requirement(…, out_of_fold=5).")
        sides = [folder.predictions().side("test") for folder in self.inner]
        ids = np.concatenate([side.ids for side in sides])
        order = np.argsort(ids)
        place = np.searchsorted(ids, self.asker.splits.train.ids, sorter=order).clip(max=len(ids) - 1)
        rows = order[place]
        if len(ids) != len(rows) or not np.array_equal(ids[rows], self.asker.splits.train.ids):
            raise StoreError(f"The out-of-fold scores of cell {self.id} are not those of the training side.")
        scores: np.ndarray = np.concatenate([side.scores for side in sides])[rows]
        return scores


@dataclass(frozen=True)
class TrainingView:
    """A required cell as a sampler sees it: a sampler that knew val or test could fit the training data to them.

    ``scores``: its out-of-fold scores of the training side; raises PluginError for any other side. ``network``: its
    chosen network, in evaluation mode, on the CPU. ``features``: what that one's last linear layer is given for each
    training sample. ``logits``: what it gives for a batch of the asker's inputs.
    They are functions of their own: the cell itself, which knows all sides, is no field.
    """

    id: str
    scores: Callable[[str], np.ndarray]
    network: Callable[[], nn.Module]
    features: Callable[[], np.ndarray]
    logits: Callable[[Batch], torch.Tensor]


def for_sampler(required: Mapping[str, RequiredCell]) -> dict[str, RequiredCell]:
    """Required cells as a sampler may see them."""
    return {role: _training_view(cell) for role, cell in required.items()}


def _training_view(cell: RequiredCell) -> TrainingView:
    def scores(side: str) -> np.ndarray:
        if side != "out-of-fold":
            raise PluginError(
                f"A sampler may not see the {side} scores of a required cell: it works on the training side alone. "
                'Require it with out_of_fold=5 and ask for "out-of-fold", or score the training samples with network().'
            )
        return cell.scores("out-of-fold")

    def network() -> nn.Module:  # bound methods would lead back to the cell
        return cell.network()

    def features() -> np.ndarray:
        return cell.features()

    def logits(batch: Batch) -> torch.Tensor:
        return cell.logits(batch)

    return TrainingView(cell.id, scores, network, features, logits)


def required_cells(folder: CellFolder, setup: Setup) -> dict[str, FinishedCell]:
    """The finished cells that a cell asks for, by role. Raises StoreError when one is not done."""
    requires: Mapping[str, str] = setup.record["requires"]
    folders = {role: CellFolder(folder.path.parent / cell_id) for role, cell_id in requires.items()}
    for role, other in folders.items():
        if other.state != "done":
            raise StoreError(f"The required cell {other.id} ({role}) is {other.state}; it must be done first.")
    return {
        role: FinishedCell(other, tuple(f for key, f in folders.items() if key.startswith(f"{role}/")), setup)
        for role, other in folders.items()
        if "/" not in role
    }


def val_note(setup: Setup, required: Mapping[str, FinishedCell]) -> tuple[str, ...]:
    """A mark for a cell that used val for more than choosing its weights."""
    roles = [role for role, cell in required.items() if "val" in cell.used]
    if setup.model.fits != "val" and not roles:
        return ()
    how = f" (scores of {', '.join(roles)})" if roles else ""
    return (f"val used for fitting{how}: its val score is not of unused samples",)
