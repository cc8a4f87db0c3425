"""Finished cells as other cells see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import nn

from ferbench.errors import PluginError, StoreError
from ferbench.evaluating.scoring import NetworkScorer, load_scorer
from ferbench.evaluating.setup import rebuild
from ferbench.nouns.model import RequiredCell
from ferbench.store.store import CellFolder
from ferbench.training.precision import Numerics


@dataclass(frozen=True)
class FinishedCell:
    """A required cell, read from its folder (see :class:`ferbench.RequiredCell`)."""

    folder: CellFolder

    @property
    def id(self) -> str:
        """Its cell id."""
        return self.folder.id

    def scores(self, side: Literal["val", "test"]) -> np.ndarray:
        """Its stored predictions, float32 [n, k]."""
        return self.folder.predictions().side(side).scores

    def network(self) -> nn.Module:
        """Its chosen network, in evaluation mode, on the CPU."""
        numerics = Numerics(torch.device("cpu"), "fp32")
        with torch.random.fork_rng():  # building draws weights, which must not shift the asking cell's own draws
            scorer = load_scorer(rebuild(self.folder.record), self.folder, numerics)
        if not isinstance(scorer, NetworkScorer):
            raise PluginError(f"Cell {self.id} was not trained by the engine; it has no network.")
        return scorer.net


def required_cells(folder: CellFolder, requires: Mapping[str, str]) -> dict[str, RequiredCell]:
    """The finished cells that a cell asks for, by role. Raises StoreError when one is not done."""
    cells: dict[str, RequiredCell] = {}
    for role, cell_id in requires.items():
        other = CellFolder(folder.path.parent / cell_id)
        if other.state != "done":
            raise StoreError(f"The required cell {cell_id} ({role}) is {other.state}; it must be done first.")
        cells[role] = FinishedCell(other)
    return cells
