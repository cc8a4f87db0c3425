"""What a cell takes over from those that it requires, since its scores build on theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ferbench.evaluating.setup import full_name
from ferbench.nouns.requirement import Requirement
from ferbench.running.initial import UnfitError
from ferbench.running.records import Configured
from ferbench.store.marks import selection_of, trained_on_val

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Inherited:
    """``extra_data``: what required cells have seen beyond the data set. ``facts``: marks for the table.

    Of the facts, ``oracle_in`` and ``val_in`` name required cells whose weights were chosen on test, and that were
    trained on val; ``tried_out`` those that ``--epochs`` changes. ``deterministic``: seeds make no difference to any.
    """

    extra_data: tuple[str, ...] = ()
    facts: Mapping[str, list[str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    deterministic: bool = True


def inherited(records: Mapping[str, Record], configured: Mapping[str, Configured], shared: Sequence[str]) -> Inherited:
    """What follows from the records of required cells, by role; ``configured``: how each is asked for.

    ``shared``: notes of the fold, which the cell has itself.
    """
    facts: dict[str, list[str]] = {"oracle_in": [], "val_in": [], "tried_out": []}
    extra, notes = [], []
    for role, record in records.items():
        name, own = f"{role} {full_name(record['row'])}", record["facts"]
        extra.append(own["extra_data"])
        if selection_of(record) == "oracle":
            facts["oracle_in"].append(name)
        if trained_on_val(record):
            facts["val_in"].append(name)
        meant = configured[role].meant_epochs
        if meant is not None:
            epochs = "1 epoch" if own["epochs"] == 1 else f"{own['epochs']} epochs"
            facts["tried_out"].append(f"{name}, {epochs} instead of {meant}")
        facts["tried_out"] += own.get("tried_out", [])
        notes += [f"{name}: {note}" for note in own["notes"] if note not in shared]
    marked = {key: list(dict.fromkeys(values)) for key, values in facts.items() if values}
    certain = all(record["facts"]["deterministic"] for record in records.values())
    return Inherited(tuple(extra), marked, tuple(notes), certain)


def check_val_scores(asker: Configured, role: str, needed: Requirement, record: Record) -> None:
    """Raise UnfitError where an estimator would be fitted on scores of val by a model that was trained on val."""
    if needed.gives == "scores" and asker.model.fits == "val" and trained_on_val(record):
        raise UnfitError(
            f"it is fitted on the scores of val that {role} gives, and {full_name(record['row'])} was itself trained "
            "on val: require scores out_of_fold instead, or a model that is trained on train alone"
        )
