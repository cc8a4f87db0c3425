"""What stands below a block about its data: copies across sides, near-duplicates, how often the test side was used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ferbench.errors import StoreError
from ferbench.reporting.rows import Row
from ferbench.reporting.samples import read_columns
from ferbench.store.files import read_object
from ferbench.store.store import Store
from ferbench.store.uses import Use, uses_in


@dataclass(frozen=True)
class AboutData:
    """A data set under a protocol, as plain facts; those that are not known are None.

    ``sizes`` and ``copies``: samples of val and test, and how many of them have an identical copy in train. ``audit``:
    figures of its audit, where one was made. ``test_uses``: how often its test samples were scored in this store
    (``times``), by kind, and by cell.
    """

    dataset: str
    protocol: str
    fingerprint: str
    sizes: dict[str, int] | None
    copies: dict[str, int] | None
    audit: dict[str, Any] | None
    test_uses: dict[str, Any]

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def uses_by_dataset(outs: Iterable[Path]) -> dict[str, list[Use]]:
    """The ledgers of several stores."""
    found: dict[str, list[Use]] = {}
    for out in outs:
        for use in uses_in(Store(out)):
            found.setdefault(use.dataset, []).append(use)
    return found


def about_data(row: Row, uses: Sequence[Use]) -> AboutData:
    """What is known of the data of a row; ``uses``: those of its data set."""
    key, out = row.key, row.cells[0].out
    table = Store(out).dataset_table(key["fingerprint"])
    sizes, copies = _copies(table, key["protocol"]) if row.folds == 1 else (None, None)
    return AboutData(
        dataset=key["dataset"],
        protocol=key["protocol"],
        fingerprint=key["fingerprint"],
        sizes=sizes,
        copies=copies,
        audit=_audit(Store(out).dataset_audit(key["fingerprint"]), key["protocol"], key.get("division")),
        test_uses={
            "times": sum(use.times for use in uses),
            "kinds": _counted((use.kind, use.times) for use in uses),
            "protocols": _counted((use.protocol, use.times) for use in uses),
            "cells": _counted((use.cell, use.times) for use in uses),
        },
    )


def _counted(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for name, times in pairs:
        found[name] += times
    return dict(sorted(found.items()))


def _copies(table: Path, protocol: str) -> tuple[dict[str, int], dict[str, int]] | tuple[None, None]:
    side = f"split_{protocol}"
    columns = read_columns(table, ["pixel_hash", side])
    if set(columns) != {"pixel_hash", side}:
        return None, None
    train = columns["pixel_hash"][columns[side] == "train"]
    parts = {name: columns["pixel_hash"][columns[side] == name] for name in ("val", "test")}
    sizes = {name: len(part) for name, part in parts.items()}
    return sizes, {name: int(np.isin(part, train).sum()) for name, part in parts.items()}


def _audit(path: Path, protocol: str, division: str | None) -> dict[str, Any] | None:
    """The figures of an audit of the same division; None where there is none, or it cannot be read."""
    try:
        found = read_object(path).get(protocol)
    except (FileNotFoundError, StoreError):
        return None
    return found if isinstance(found, dict) and found.get("division") == division else None


def data_captions(about: AboutData) -> list[str]:
    """The lines below a block. They name no folder: a table is the same wherever it is made."""
    captions = []
    if about.copies is not None and about.sizes is not None:
        shares = [f"{about.copies[name]:,} of {about.sizes[name]:,} {name} samples" for name in ("test", "val")]
        captions.append(f"Copies across sides: {' and '.join(shares)} have an identical copy in train.")
    if about.audit is None:
        command = f"`ferbench data audit {about.dataset}@{about.protocol}`"
        captions.append(f"Near-duplicates were not looked for: {command}, with this folder as --out, shows them here.")
    elif about.audit["near_pairs"] is not None:
        across = about.audit["across"]
        captions.append(
            f"Near-duplicates (audit): {about.audit['near_pairs']:,} pairs; with them "
            f"{across['test_with_any_copy_in_train']:,} test and {across['val_with_any_copy_in_train']:,} val samples "
            "have an identical or a near copy in train."
        )
    uses = about.test_uses
    kinds = ", ".join(f"{name} {times:,}" for name, times in uses["kinds"].items())
    cells = "1 cell" if len(uses["cells"]) == 1 else f"{len(uses['cells']):,} cells"
    times = "once" if uses["times"] == 1 else f"{uses['times']:,} times"
    if uses["times"]:
        captions.append(f"Test reuse: test samples of {about.dataset} were scored {times} here, by {cells} ({kinds}).")
    return captions
