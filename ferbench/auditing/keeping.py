"""Audits on disk: the whole one beside the registered data, its figures for the leaderboard in a folder of results."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ferbench.data.cache import disk_faults
from ferbench.data.places import dataset_root, folder_name
from ferbench.data.stored import Loaded
from ferbench.data.summary import describe_division
from ferbench.errors import DataError, StoreError
from ferbench.nouns.dataset import ProtocolRule
from ferbench.store.files import read_object, write_json
from ferbench.store.store import Store

VERSION = 2
"""Raised when an audit finds out other things than before: kept ones are then made anew."""


def kept_audit(loaded: Loaded, rule: ProtocolRule) -> dict[str, Any] | None:
    """The audit that was made of these very data, so divided, by this version; None where there is none."""
    try:
        found = json.loads(_place(loaded, rule).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    known = (
        isinstance(found, dict) and found.get("version") == VERSION and found.get("fingerprint") == loaded.fingerprint
    )
    return found if known and found.get("division") == describe_division(loaded, rule).digest else None


def kept_or_made(
    loaded: Loaded, rule: ProtocolRule, told: Callable[[str], None], fresh: bool = False
) -> dict[str, Any]:
    """The kept audit, or a new one (always with ``fresh``), which is kept. ``told`` hears what is being done.

    Raises DataError when the protocol cannot divide the data.
    """
    found = None if fresh else kept_audit(loaded, rule)
    if found is not None:
        return found
    from ferbench.auditing.audit import audit  # SciPy and scikit-learn, which no run needs to wait for

    made = audit(loaded, rule, told)
    found = {**made, "version": VERSION, "division": describe_division(loaded, rule).digest}
    path = _place(loaded, rule)
    try:
        with disk_faults(path):
            write_json(path, found)
    except (DataError, StoreError) as error:
        told(f"The audit is not kept: {error}")
    return found


def join_results(loaded: Loaded, store: Store) -> tuple[str, ...]:
    """Copy what the leaderboard shows of the kept audits of a data set into a folder of results; return protocols."""
    rules = [rule for rule in loaded.dataset.protocols if rule.name in loaded.protocols]
    found = {
        rule.name: audited for rule in rules if _place(loaded, rule).exists() if (audited := kept_audit(loaded, rule))
    }
    if found:
        path = store.dataset_audit(loaded.fingerprint)
        before = read_object(path) if path.exists() else {}
        write_json(path, {**before, **{name: _short(facts) for name, facts in found.items()}})
    return tuple(found)


def _place(loaded: Loaded, rule: ProtocolRule) -> Path:
    """In the folder of the fingerprint, which goes when other data are registered."""
    return dataset_root(loaded.dataset) / loaded.fingerprint / f"audit-{folder_name(rule.name)}.json"


def _short(facts: Mapping[str, Any]) -> dict[str, Any]:
    near, noise = facts.get("near_duplicates"), facts["label_noise"]
    return {
        "division": facts["division"],
        "across": facts["across"],
        "near_pairs": None if near is None else near["pairs"],
        "label_noise": {
            name: {key: value for key, value in found.items() if isinstance(value, int | float)}
            for name, found in noise.items()
            if found
        },
    }
