"""Stored predictions: one row a sample of val and test, in one Parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ferbench.errors import StoreError
from ferbench.nouns.metric import Scored
from ferbench.store.files import write_with

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Predictions:
    """Scores of n samples over k classes.

    ``split``: str [n] (``val`` or ``test``). ``ids``: str [n]. ``targets``: int64 [n], or float32 [n, k] for tasks
    beyond a single label. ``scores``: float32 [n, k].
    """

    split: np.ndarray
    ids: np.ndarray
    targets: np.ndarray
    scores: np.ndarray
    classes: tuple[str, ...]

    def side(self, name: str) -> Predictions:
        """Only the samples of one side."""
        keep = self.split == name
        return Predictions(self.split[keep], self.ids[keep], self.targets[keep], self.scores[keep], self.classes)

    def scored(self) -> Scored:
        """In the form that metrics take."""
        return Scored(self.targets, self.scores.astype(np.float64), self.classes)


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write ``predictions.parquet`` atomically."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"split": pa.array(predictions.split.tolist()), "id": pa.array(predictions.ids.tolist())}
    if predictions.targets.ndim == 1:
        columns["label"] = pa.array(predictions.targets.astype(np.int64))
    else:
        for index, name in enumerate(predictions.classes):
            columns[f"t_{name}"] = pa.array(np.ascontiguousarray(predictions.targets[:, index], np.float32))
    for index, name in enumerate(predictions.classes):
        columns[f"p_{name}"] = pa.array(np.ascontiguousarray(predictions.scores[:, index], np.float32))
    table = pa.table(columns)
    write_with(path, lambda temporary: pq.write_table(table, temporary, compression="zstd"))


def read_predictions(path: Path) -> Predictions:
    """Read a file that :func:`write_predictions` wrote. Raises StoreError when it is missing or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return _parsed(pq.read_table(path))
    except FileNotFoundError:
        raise StoreError(f"{path} is missing; run the suite again to make it anew.") from None
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:  # whoever changed it may have left a table
        raise StoreError(f"{path} is damaged ({error}). Remove its cell's folder, and run again.") from None


def _parsed(table: pa.Table) -> Predictions:
    """Raises KeyError or ValueError for a table of another form."""
    names: Sequence[str] = table.column_names
    classes = tuple(name[2:] for name in names if name.startswith("p_"))
    if not classes:
        raise ValueError("it holds no scores")
    scores = np.stack([table[f"p_{name}"].to_numpy() for name in classes], axis=1)
    if "label" in names:
        targets = table["label"].to_numpy()
        if targets.dtype.kind != "i" or not np.isin(targets, range(len(classes))).all():
            raise ValueError("some of its labels are no classes")
    else:
        targets = np.stack([table[f"t_{name}"].to_numpy() for name in classes], axis=1)
    if {scores.dtype.kind, targets.dtype.kind} - set("fi"):
        raise ValueError("its scores or targets are no numbers")
    split, ids = (np.array(table[name].to_pylist(), dtype=str) for name in ("split", "id"))
    return Predictions(split, ids, targets, scores, classes)
