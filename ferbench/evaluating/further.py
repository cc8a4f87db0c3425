"""Further evaluations of finished cells: other views, other test sets, the last weights; nothing is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from ferbench.data.matching import shared_classes
from ferbench.data.registry import load
from ferbench.data.splits import copies_in, make_splits
from ferbench.data.stored import Loaded
from ferbench.data.votes import votes_of
from ferbench.errors import DataError, StoreError
from ferbench.evaluating.evaluation import predictions_of, write_evaluation
from ferbench.evaluating.finished import PredictorScorer
from ferbench.evaluating.loading import at_trained_size, load_scorer
from ferbench.evaluating.scoring import Scorer, check_views
from ferbench.evaluating.setup import Setup, find_protocol, metrics_of, rebuild
from ferbench.identity import digest
from ferbench.nouns.dataset import ProtocolRule
from ferbench.nouns.emotions import canonical
from ferbench.nouns.split import Split
from ferbench.nouns.views import TestViews
from ferbench.plugins import Installed
from ferbench.store.files import read_object, write_json
from ferbench.store.store import CellFolder
from ferbench.store.uses import Use, note_use
from ferbench.training.precision import choose_device, numerics_for


@dataclass(frozen=True)
class Wanted:
    """What to evaluate: which weights, which views (None: the recipe's), which data set (None: the cell's own)."""

    weights: Literal["best", "last"] = "best"
    tta: TestViews | None = None
    other: tuple[Loaded, ProtocolRule] | None = None


def find_other(installed: Installed, text: str) -> tuple[Loaded, ProtocolRule]:
    """The data set and protocol that ``NAME`` or ``NAME@PROTOCOL`` names.

    Raises UnknownNameError, MissingDataError, DataError.
    """
    dataset, protocol = installed.place(text)
    return load(dataset), find_protocol(dataset, protocol)


def misfit(folder: CellFolder, wanted: Wanted) -> str:
    """Why an evaluation does not apply to a cell; empty if it does."""
    record, status = folder.record, folder.status
    if status["state"] != "done":
        why = f" ({status['cause']})" if status.get("cause") else ""
        return f"it is {status['state']}{why}; only finished cells can be evaluated"
    if record["facts"].get("ensemble"):
        return "it is an ensemble of stored predictions; it has no model of its own"
    if record["facts"].get("kind") == "imported":
        return "it was imported; its model is not here"
    if record["row"].get("inner"):
        return "it only serves the out-of-fold scores of others"
    if not record["facts"]["estimator"]:
        return ""
    what = "a finished model" if record["facts"].get("inference_only") else "an estimator"
    if wanted.tta is not None and wanted.tta.name != "none":
        return f"it is {what}; test-time views do not apply to it"
    return f"it is {what}; it has no last weights beside its best" if wanted.weights == "last" else ""


def evaluate_cell(folder: CellFolder, wanted: Wanted, device: str = "auto") -> dict[str, Any]:
    """Score a finished cell again and keep predictions and metrics in ``evaluations/<id>``; return what was kept.

    The same evaluation again is read, not computed. ``seen`` counts the test samples that the training knew. Another
    data set is scored over the classes that it shares with the cell's own, by canonical names; ``left_out`` counts the
    test samples of each other class. Raises StoreError when it does not apply to the cell or weights are gone,
    DataError when fewer than two classes are shared.
    """
    why = misfit(folder, wanted)
    if why:
        raise StoreError(f"Cell {folder.id} ({folder.record['label']}) cannot be evaluated so: {why}.")
    setup = rebuild(folder.record)
    if wanted.tta is not None:
        check_views(setup, wanted.tta, "--tta")
    other, rule = wanted.other or (setup.loaded, setup.rule)
    dataset = other.dataset
    _check_alike(setup, other)
    key: dict[str, Any] = {
        "weights": wanted.weights,
        "tta": (wanted.tta or setup.recipe.tta).model_dump(mode="json"),
        "dataset": dataset.name,
        "protocol": rule.name,
        "fingerprint": other.fingerprint,
    }
    target = folder.path / "evaluations" / digest(key)
    if not (target / "metrics.json").exists():
        given = make_splits(other, rule) if wanted.other else setup.splits
        narrowed = _over_shared_classes(setup, other, rule, given.test) if wanted.other else rule
        splits = given if narrowed is rule else make_splits(other, narrowed)
        adapted = at_trained_size(setup) if wanted.other else setup
        scorer = load_scorer(
            adapted, folder, numerics_for(choose_device(device), setup.recipe.precision), wanted.weights
        )
        sides = {"val": splits.val, "test": splits.test}
        scored = {side: (split, _scores(scorer, setup, split, wanted.tta)) for side, split in sides.items()}
        known = {"seen": seen(setup, other, splits.test), "left_out": _left_out(given.test, splits.test.classes)}
        write_json(target / "evaluation.json", {**key, **known})
        predictions = predictions_of(scored)
        votes = votes_of(other, predictions.classes, predictions.ids)
        use = Use(folder.id, "evaluation", dataset.name, rule.name, other.fingerprint)
        note_use(folder.path.parent.parent, use)
        write_evaluation(target, predictions, metrics_of(setup), dataset.task, {}, votes)
    kept = read_object(target / "evaluation.json")
    return {"cell": folder.id, "evaluation": target.name, **kept, "metrics": folder.metrics(target.name)}


def seen(setup: Setup, other: Loaded, test: Split) -> dict[str, int]:
    """How many test samples stand in the cell's train or val side too, by their pixels or, in one data set, by id.

    ``of`` is the number of test samples. Another protocol's test samples may have been trained on.
    """
    found = {"of": len(test)}
    for side, own in (("train", setup.splits.train), ("val", setup.splits.val)):
        same = copies_in(own, test)
        if other.dataset.name == setup.dataset.name:
            same |= np.isin(test.ids, own.ids)
        found[side] = int(same.sum())
    return found


def _check_alike(setup: Setup, other: Loaded) -> None:
    """Raise DataError where a cell's model cannot be shown another data set, whatever its classes."""
    own, held = setup.loaded, f"{other.dataset.name} holds {other.dataset.modality}"
    if other.dataset.modality != own.dataset.modality:
        raise DataError(f"The model was trained on {own.dataset.modality}, and {held}.")
    if own.dataset.modality != "eeg" or own.inputs is None or other.inputs is None:
        return
    for name in setup.model.inputs:
        if name not in other.inputs:
            raise DataError(f"The model takes {name}, and {other.dataset.name} has no such input.")
        trained, given = own.inputs[name].shape[1:], other.inputs[name].shape[1:]
        if trained != given:
            raise DataError(
                f"The model was trained on {name} of {trained} channels and samples, and {held} of {given}."
            )


def _over_shared_classes(setup: Setup, other: Loaded, rule: ProtocolRule, test: Split) -> ProtocolRule:
    """The other data set's protocol, narrowed to the classes that the cell's model tells apart.

    Unchanged for finished models, which match classes by themselves, and where targets are not one class a sample.
    """
    if setup.model.predictor is not None or test.label_kind != "hard" or setup.splits.test.label_kind != "hard":
        return rule
    try:
        shared = shared_classes(setup.classes, test.classes)
    except DataError as error:
        raise DataError(f"{setup.dataset.name} and {other.dataset.name} cannot be compared: {error}.") from None
    return rule if shared == test.classes else replace(rule, classes=shared)


def _left_out(test: Split, classes: tuple[str, ...]) -> dict[str, int]:
    """How many test samples of each class are not among ``classes``."""
    if classes == test.classes:
        return {}
    counts = np.bincount(test.targets, minlength=len(test.classes))
    return {name: int(count) for name, count in zip(test.classes, counts, strict=True) if name not in classes}


def _scores(scorer: Scorer, setup: Setup, split: Split, tta: TestViews | None) -> np.ndarray:
    """Scores over the split's own classes, taken from the model's by canonical name; probabilities still sum to one."""
    if isinstance(scorer, PredictorScorer):
        return scorer.scores(split, tta)  # it matches classes by itself
    known = {canonical(name): column for column, name in enumerate(setup.classes)}
    unknown = [name for name in split.classes if canonical(name) not in known]
    if unknown:
        raise DataError(f"The model does not know {', '.join(unknown)}; it was trained on {', '.join(setup.classes)}.")
    scores = scorer.scores(split, tta)
    columns = [known[canonical(name)] for name in split.classes]
    if columns == list(range(len(setup.classes))):
        return scores
    chosen = scores[:, columns]
    if split.label_kind in ("real", "multi-hot"):
        return chosen
    return np.asarray(chosen / np.maximum(chosen.sum(axis=1, keepdims=True), 1e-12), np.float32)
