"""What ``cell.json`` says of how a cell came about, as far as scores that build on it must say it too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def trained_on_val(record: Mapping[str, Any]) -> bool:
    """Whether the cell, or one that it requires, was trained on val: its scores of val then are of known samples."""
    facts = record["facts"]
    stages = record["row"]["recipe"].get("stages") or ()
    return facts.get("fits") == "val" or any("val" in stage["sides"] for stage in stages) or bool(facts.get("val_in"))


def selection_of(record: Mapping[str, Any]) -> str:
    """How weights were chosen: ``oracle`` also where those of a required cell were chosen on the test set.

    ``fixed`` where nothing is trained; empty for an estimator, without epochs.
    """
    facts = record["facts"]
    if facts.get("oracle_in"):
        return "oracle"
    return "fixed" if facts.get("inference_only") else str(record["row"]["recipe"].get("selection", ""))
