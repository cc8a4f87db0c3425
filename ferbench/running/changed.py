"""What a sampler left out and relabelled, told class by class, for ``sampler.json``."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ferbench.data.grouping import strata
from ferbench.errors import PluginError
from ferbench.nouns.sampler import Removed, Sample
from ferbench.nouns.split import Split


def removed_facts(name: str, train: Split, removed: tuple[Removed, ...]) -> list[dict[str, Any]]:
    """Each part that was left out: reason, count, ids, and how many of each class it held.

    Raises PluginError where the sampler ``name`` names samples that it was not given.
    """
    rows = {str(key): row for row, key in enumerate(train.ids)}
    found = []
    for part in removed:
        strangers = [key for key in part.ids if key not in rows]
        if strangers:
            raise PluginError(f"Sampler {name} says that it left out {strangers[0]}, which it was not given.")
        left = np.array([rows[key] for key in part.ids], dtype=np.int64)
        facts = {"reason": part.reason, "count": len(part.ids), "ids": list(part.ids)}
        found.append(facts | _by_class(train, np.asarray(train.targets)[left]))
    return found


def relabelled_facts(train: Split, sample: Sample) -> dict[str, Any] | None:
    """How many labels are new and why, each id with its new class, and each class before and after; None if none were.

    The class of a label over several is its strongest; one that changed without another strongest class is counted in
    ``count`` alone. Of a regression there is only the count.
    """
    if sample.targets is None:
        return None
    before, after = np.asarray(train.targets), np.asarray(sample.targets)
    spread = np.eye(len(train.classes), dtype=np.float32)
    wide = [spread[values] if values.ndim < max(before.ndim, after.ndim) else values for values in (before, after)]
    changed = (wide[0] != wide[1]).reshape(len(before), -1).any(axis=1)
    facts: dict[str, Any] = {"reason": sample.reason, "count": int(changed.sum())}
    if train.label_kind == "real":
        return facts
    old, new = strata(before), strata(after)
    moved, names = old != new, train.classes
    pairs = Counter(zip(old[moved].tolist(), new[moved].tolist(), strict=True))
    changes = [{"from": names[a], "to": names[b], "count": count} for (a, b), count in pairs.most_common()]
    ids = {str(key): names[place] for key, place in zip(train.ids[moved], new[moved], strict=True)}
    counts = {"before": _by_class(train, before)["classes"], "after": _by_class(train, after)["classes"]}
    return facts | {"classes": counts, "changes": changes, "ids": ids}


def _by_class(train: Split, targets: np.ndarray) -> dict[str, dict[str, int]]:
    if train.label_kind == "real":
        return {}
    counts = np.bincount(strata(targets), minlength=len(train.classes)) if len(targets) else [0] * len(train.classes)
    return {"classes": dict(zip(train.classes, map(int, counts), strict=True))}
