"""What an ensemble of finished cells will be: its settings, its members, and the records of its cells."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferbench.errors import Problem, SettingsError
from ferbench.evaluating.combining import Diversity, Rule
from ferbench.identity import ENGINE_VERSION, RowKey, cell_id
from ferbench.plugins import Installed
from ferbench.reporting.rows import Cell
from ferbench.running.members import Member, find_members, paired
from ferbench.running.records import SCHEMA
from ferbench.store.marks import selection_of


@dataclass(frozen=True)
class Asked:
    """How members are to be joined. ``choose`` 0: all of them; ``weigh``: fit their shares on val.

    Raises SettingsError for settings that do not go together.
    """

    rule: Rule = "mean"
    choose: int = 0
    diversity: Diversity | None = None
    weigh: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        problems = []
        if self.diversity and not self.choose:
            problems.append(Problem("--diversity", "says how members are chosen; give --choose N as well"))
        if self.weigh and self.rule != "mean":
            problems.append(Problem("--weights", f"are of the rule mean; {self.rule} has none"))
        if self.name and not re.fullmatch(r"[\w.+-]{1,60}", self.name):
            problems.append(Problem("--name", f"{self.name!r} is no name; use letters, digits and . _ + -, 60 at most"))
        if problems:
            raise SettingsError(problems)

    @property
    def looks_at_val(self) -> bool:
        """Whether anything is chosen or fitted on val."""
        return bool(self.choose or self.weigh or self.rule == "class-tree")

    @property
    def row_name(self) -> str:
        """What the row is called."""
        return self.name or f"ensemble-{self.rule}"


@dataclass(frozen=True)
class PlannedEnsemble:
    """A row to be computed: a cell for each seed and fold, with the cells that it joins."""

    asked: Asked
    members: tuple[Member, ...]
    cells: Mapping[str, Sequence[Cell]]
    records: Mapping[str, dict[str, Any]]


def plan_ensemble(
    out: Path, names: Sequence[str], asked: Asked, installed: Installed, place: str = "", run: str | None = None
) -> PlannedEnsemble:
    """Look the members up and name the cells. Raises SettingsError, UnknownNameError or StoreError."""
    members = find_members(out, names, place, run)
    _check(asked, members, installed)
    cells: dict[str, Sequence[Cell]] = {}
    records: dict[str, dict[str, Any]] = {}
    for (seed, fold), joins in paired(members).items():
        record = _record(asked, members, joins, seed, fold)
        cells[record["id"]], records[record["id"]] = joins, record
    return PlannedEnsemble(asked, tuple(members), cells, records)


def _check(asked: Asked, members: Sequence[Member], installed: Installed) -> None:
    task, problems = members[0].row.facts["task"], []
    if task not in ("single-label", "soft-labels") and (asked.rule != "mean" or asked.looks_at_val):
        problems.append(Problem("--rule", f"for the task {task} there is only the plain mean"))
    if asked.choose and not 2 <= asked.choose <= len(members):
        problems.append(Problem("--choose", f"{asked.choose}: give 2 to {len(members)}, the number of members"))
    if asked.looks_at_val:
        problems += [
            Problem(
                member.name,
                "was trained or fitted on val, which can neither choose nor weigh it, nor say what it is best at; its "
                "scores may be joined by the rules mean, logit and vote",
            )
            for member in members
            if "val" in member.row.training_sides
        ]
    if asked.row_name in installed.names("models"):
        problems.append(Problem("--name", f"{asked.row_name!r} is an installed model; choose another"))
    if problems:
        raise SettingsError(problems)


def _record(asked: Asked, members: Sequence[Member], joins: Sequence[Cell], seed: int, fold: int) -> dict[str, Any]:
    """``cell.json``: as that of a trained cell, but that no code of a plugin made it."""
    first = joins[0].record
    roles = [f"member-{place}" for place in range(1, len(joins) + 1)]
    requires = {role: cell.id for role, cell in zip(roles, joins, strict=True)}
    options: dict[str, Any] = {"rule": asked.rule, "choose": asked.choose, "diversity": asked.diversity}
    options |= {"weights": asked.weigh} | ({"cells": list(requires.values())} if members[0].single else {})
    row = RowKey(
        **{name: first["row"][name] for name in ("dataset", "fingerprint", "protocol", "division", "limit", "small")},
        sampler="plain",
        model=asked.row_name,
        model_options=options,
        recipe={"selection": _selection(joins)},
        requires={role: str(cell.record["row_id"]) for role, cell in zip(roles, joins, strict=True)},
    )
    return {
        "schema": SCHEMA,
        "row_id": row.id,
        "row": row.as_dict(),
        "engine": ENGINE_VERSION,
        "id": cell_id(row, seed, fold, requires, {}),
        "label": f"{asked.row_name} · {row.dataset}@{row.protocol} · seed {seed} · ensemble",
        "seed": seed,
        "fold": fold,
        "folds": first["folds"],
        "requires": requires,
        "sources": {},
        "plugins": [],
        "plugin_files": [],
        "facts": _facts(asked, members, joins),
        "run": {},
    }


def _selection(joins: Sequence[Cell]) -> str:
    """How weights were chosen: what makes a member unranked makes the ensemble so; estimators have none to choose."""
    found = [selection_of(cell.record) for cell in joins]
    return next((each for each in ("oracle", "unknown", "best-val", "last") if each in found), "")


def _facts(asked: Asked, members: Sequence[Member], joins: Sequence[Cell]) -> dict[str, Any]:
    first = joins[0].record["facts"]
    copied = ("task", "classes", "ranking", "unit", "n_train", "n_val", "n_test", "partial", "synthetic")
    names = [m.row.model + (f" (seed {m.row.seeds[0]})" if m.single else "") for m in members]
    extra = dict.fromkeys(filter(None, (cell.record["facts"].get("extra_data", "") for cell in joins)))
    kinds = [member.row.kind for member in members]
    kind = next((each for each in ("imported", "merged") if each in kinds), "")
    return {
        **({"kind": kind} if kind else {}),
        **_marks(names, members),
        **{name: first[name] for name in copied},
        "ensemble": True,
        "fits": "val" if asked.looks_at_val else "train",
        "deterministic": all(cell.record["facts"].get("deterministic") for cell in joins),
        "floor": False,
        "estimator": False,
        "extra_data": ", ".join(extra),
        "notes": [f"ensemble of {', '.join(names)}", *_members_notes(names, joins)],
    }


def _marks(names: Sequence[str], members: Sequence[Member]) -> dict[str, list[str]]:
    """What of its members a reader must know to judge the ensemble; see :mod:`ferbench.running.inheriting`."""
    named = list(zip(names, members, strict=True))
    tried = [
        f"{name}, {facts['epochs']} epochs instead of {facts['recipe_epochs']}"
        for name, facts in ((name, member.row.facts) for name, member in named)
        if "epochs" in facts.get("modified", ()) and facts.get("recipe_epochs")
    ]
    tried += [what for member in members for what in member.row.facts.get("tried_out", ())]
    marks = {
        "oracle_in": [name for name, member in named if member.row.selection == "oracle"],
        "val_in": [name for name, member in named if "val" in member.row.training_sides],
        "tried_out": list(dict.fromkeys(tried)),
    }
    return {key: values for key, values in marks.items() if values}


def _members_notes(names: Sequence[str], joins: Sequence[Cell]) -> list[str]:
    """Notes of the members' plans: those that all share as they are, the others with the member's name."""
    notes = [list(map(str, cell.record["facts"].get("notes", []))) for cell in joins]
    shared = [note for note in notes[0] if all(note in each for each in notes)]
    own = zip(names, notes, strict=True)
    return [*(f"{name}: {note}" for name, each in own for note in each if note not in shared), *shared]
