"""The trained weights with which a cell begins, loaded once before its training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from ferbench.data.weights import class_difference, load_weights
from ferbench.errors import StoreError, TrainingError
from ferbench.evaluating.scoring import read_weights
from ferbench.evaluating.setup import Setup
from ferbench.nouns.initial import InitFrom
from ferbench.nouns.model import NetSpec
from ferbench.store.files import read_object, write_json
from ferbench.store.store import CellFolder
from ferbench.training.transfer import Transferred, go_on, transfer

FATES = {
    "loaded": "tensors loaded",
    "left_out": "of the last layer left out",
    "mismatched": "of another shape left out",
    "missing": "missing",
    "unused": "unused",
}


@dataclass(frozen=True)
class Begun:
    """What was loaded: facts for ``status.json``, and a note for the table."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """Trained weights: a name for messages, tensors on the CPU, and the classes that they tell apart."""

    name: str
    tensors: Mapping[str, torch.Tensor]
    classes: tuple[str, ...]


def begin(setup: Setup, folder: CellFolder, net: nn.Module, spec: NetSpec, goes_on: Callable[[], bool]) -> Begun:
    """Load what the recipe's ``init_from`` names into ``net``, and write down in ``initial.json`` what fitted.

    ``spec``: what the network is built for.
    A training that ``goes_on`` after a stop has its weights already; only what was written down is read.
    Raises TrainingError when nothing fits, or ``continue`` or ``extend`` lack something; DataError or StoreError when
    the weights are gone.
    """
    source = setup.recipe.init_from
    if source is None:
        return Begun()
    path = folder.path / "initial.json"
    if not (path.exists() and goes_on()):
        found = _source(setup, folder, source)
        done = _loaded(setup, net, spec, found, source.mode)
        write_json(path, {"from": found.name, "mode": source.mode, "counts": done.counts, **done.plain()})
        _tell(found.name, done)
    kept = read_object(path)
    return Begun({"initial": {key: kept[key] for key in ("from", "mode", "counts")}}, (_note(kept),))


def _source(setup: Setup, folder: CellFolder, source: InitFrom) -> Source:
    if source.weights is not None:
        known = {each.name: each for each in setup.model.weights}.get(source.weights)
        meta, tensors = load_weights(source.weights, setup.record["row"]["weights"][source.weights])
        return Source(f"the weights {source.weights!r}", tensors, (known.classes if known else ()) or meta.classes)
    required = CellFolder(folder.path.parent / setup.record["requires"][source.role])
    if required.state != "done":
        raise StoreError(f"The required cell {required.id} ({source.role}) is {required.state}; it must be done first.")
    tensors = read_weights(required.path / "best.safetensors")
    required.verify("best.safetensors")
    return Source(f"the required cell {source.role!r}", tensors, tuple(required.record["facts"]["classes"]))


def _loaded(setup: Setup, net: nn.Module, spec: NetSpec, found: Source, mode: str) -> Transferred:
    if mode == "transfer":
        device = next(net.parameters()).device
        inputs = {name: torch.zeros(1, *shape, device=device) for name, shape in spec.inputs.items()}
        return transfer(net, found.tensors, len(setup.classes), inputs, found.name)
    difference = class_difference(found.classes, setup.classes)
    if difference:
        raise TrainingError(f"Training cannot continue from {found.name}: {difference}.")
    return go_on(net, found.tensors, found.name, extends=mode == "extend")


def _tell(name: str, done: Transferred) -> None:
    """Write every name to the cell's log."""
    print(f"Began with {name}:", flush=True)
    for fate, names in done.plain().items():
        shown = [f"{key} ({how})" for key, how in names.items()] if isinstance(names, dict) else names
        if shown:
            print(f"  {fate.replace('_', ' ')} ({len(shown)}): {', '.join(shown)}", flush=True)


def _note(kept: Mapping[str, Any]) -> str:
    fates = FATES | {"missing": "of its own besides"} if kept["mode"] == "extend" else FATES
    counts = [f"{kept['counts'][fate]} {words}" for fate, words in fates.items() if kept["counts"][fate]]
    adapted = [f"{name}: {how}" for name, how in kept["adapted"].items()]
    return f"began with {kept['from']} ({kept['mode']}): {', '.join([*counts, *adapted])}"
