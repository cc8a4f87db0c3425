"""Predictions that were made elsewhere, as a table of ids and scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ferbench.data.splits import make_splits
from ferbench.data.stored import Loaded
from ferbench.errors import DataError, did_you_mean
from ferbench.nouns.split import Split

MAX_BYTES = 512 * 2**20
SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Outside:
    """n predictions over k classes.

    ``ids``: str [n], None where the file has none. ``labels``: int64 [n], the true classes as the file tells them, None
    where it does not. ``scores``: float32 [n, k]. ``decided``: only the predicted classes are known, no scores.
    """

    ids: np.ndarray | None
    labels: np.ndarray | None
    scores: np.ndarray
    decided: bool


def read_outside(path: Path, classes: tuple[str, ...]) -> Outside:
    """Read a CSV file with the columns ``id``, ``label`` (the true class) and ``p_<class>`` or ``prediction``.

    Scores are probabilities that sum to one; classes stand by name or by index into ``classes`` (by name alone where
    one is called like an index). ``id`` may be missing where ``label`` is there. Raises DataError that names what is
    wrong, with its line.
    """
    table = _table(path)
    given = {column: column for column in table.columns}
    scores = {name: f"p_{name}" for name in classes}
    foreign = [c for c in given if c.startswith("p_") and c not in scores.values()]
    if foreign:
        hint = did_you_mean(foreign[0][2:], classes)
        raise DataError(f"{path} has a column {foreign[0]!r}, and there is no such class.{hint}")
    has_scores = any(column in given for column in scores.values())
    missing = [column for column in scores.values() if column not in given]
    if has_scores and missing:
        raise DataError(f"{path} lacks {', '.join(missing)}: every class needs its column of scores.")
    if not has_scores and "prediction" not in given:
        needed = ", ".join(scores.values())
        raise DataError(f"{path} needs the columns {needed}, or one column prediction. It has: {', '.join(given)}.")
    if "id" not in given and "label" not in given:
        raise DataError(
            f"{path} has neither a column id nor a column label, so that nobody can tell which samples these are."
        )
    labels = _classes(path, table["label"], classes) if "label" in given else None
    if has_scores:
        values = _probabilities(path, table[list(scores.values())])
    else:
        values = np.eye(len(classes), dtype=np.float32)[_classes(path, table["prediction"], classes)]
    ids = table["id"].str.strip().to_numpy(dtype=str) if "id" in given else None
    return Outside(ids, labels, values, not has_scores)


def arrange(found: Outside, test: Split, loaded: Loaded, where: str) -> np.ndarray:
    """Return the scores in the order of ``test``, float32 [n, k]; ``where`` names it for people.

    Raises DataError when the samples are others, naming the side of the data set that they really are, or when the
    labels of the file are not those of the data.
    """
    if found.ids is None:
        return _by_order(found, test, loaded, where)
    ids, counts = np.unique(found.ids, return_counts=True)
    if (counts > 1).any():
        raise DataError(f"{int((counts > 1).sum())} ids stand more than once, such as {ids[counts > 1][0]!r}.")
    if len(ids) != len(test) or not np.isin(test.ids, ids).all():
        known = int(np.isin(test.ids, ids).sum())
        raise DataError(
            f"These are {len(ids):,} samples, {known:,} of them among the {len(test):,} of {where}."
            f"{_real_name(found, loaded)}"
        )
    order: np.ndarray = np.argsort(found.ids)[np.searchsorted(ids, test.ids)]
    _check_labels(found, order, test, where)
    return np.asarray(found.scores[order], np.float32)


def _table(path: Path) -> pd.DataFrame:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DataError(
                f"{path} has {size / 1e6:,.0f} MB; predictions of more than {MAX_BYTES / 1e6:,.0f} are none."
            )
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no CSV file with a header: {error}") from None
    table.columns = [str(column).strip() for column in table.columns]
    if not len(table) or not table.columns.is_unique:
        raise DataError(f"{path} has no rows." if not len(table) else f"{path} has two columns of one name.")
    return table


def _probabilities(path: Path, columns: pd.DataFrame) -> np.ndarray:
    values = columns.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    bad = ~np.isfinite(values).all(axis=1) | (values < 0).any(axis=1)
    bad |= np.abs(np.nan_to_num(values).sum(axis=1) - 1) > SUM_TOLERANCE
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{path}, line {first + 2}: the scores are no probabilities that sum to one "
            f"({', '.join(columns.iloc[first])}); {int(bad.sum()):,} lines are so. Apply a softmax first."
        )
    return np.asarray(values, np.float32)


def _classes(path: Path, column: pd.Series[str], classes: tuple[str, ...]) -> np.ndarray:
    known = {name: index for index, name in enumerate(classes)}
    places = {str(index): index for index in range(len(classes))}
    if not known.keys() & places.keys():  # classes that are called 1, 2, 3 are meant by their names
        known |= places
    codes = column.str.strip().map(known)
    bad = codes.isna().to_numpy()
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        value = str(column.iloc[first])
        raise DataError(
            f"{path}, line {first + 2}: {column.name} {value!r} is no class.{did_you_mean(value, classes)} "
            f"Known: {', '.join(classes)}."
        )
    return np.asarray(codes.to_list(), np.int64)


def _by_order(found: Outside, test: Split, loaded: Loaded, where: str) -> np.ndarray:
    assert found.labels is not None  # the reader wants one or the other
    if len(found.labels) == len(test) and (found.labels == test.targets).all():
        return found.scores
    counts = [np.bincount(labels, minlength=len(test.classes)) for labels in (found.labels, test.targets)]
    if len(found.labels) == len(test) and (counts[0] == counts[1]).all():
        raise DataError(
            f"The class counts are those of {where}, but the samples stand in another order: add their ids."
        )
    raise DataError(
        f"The class counts ({_shown(counts[0])}) are not those of {where} ({_shown(counts[1])})."
        f"{_real_name(found, loaded)}"
    )


def _check_labels(found: Outside, order: np.ndarray, test: Split, where: str) -> None:
    if found.labels is None:
        return
    wrong = np.flatnonzero(found.labels[order] != test.targets)
    if len(wrong):
        first = wrong[0]
        raise DataError(
            f"{len(wrong):,} labels are not those of {where}: sample {test.ids[first]} is "
            f"{test.classes[int(test.targets[first])]}, the file says {test.classes[found.labels[order][first]]}."
        )


def _real_name(found: Outside, loaded: Loaded) -> str:
    """Which side of which protocol the samples really are, by their ids or else by their class counts."""
    for where, split in _sides(loaded):
        if found.ids is not None and len(found.ids) == len(split) and np.isin(found.ids, split.ids).all():
            return f" They are {where}."
    for where, split in _sides(loaded):
        if found.labels is None or split.targets.ndim > 1 or len(found.labels) != len(split):
            continue
        counts = [np.bincount(labels, minlength=len(split.classes)) for labels in (found.labels, split.targets)]
        if len(counts[0]) == len(counts[1]) and (counts[0] == counts[1]).all():
            return f" Their class counts are those of {where}."
    return f" They are no side of any protocol of {loaded.dataset.name}."


def _sides(loaded: Loaded) -> Iterator[tuple[str, Split]]:
    rules = {rule.name: rule for rule in loaded.dataset.protocols}
    for name in loaded.protocols:
        try:
            splits = make_splits(loaded, rules[name])
        except DataError:
            continue  # a partial copy cannot be divided that way
        for side, split in (("test", splits.test), ("val", splits.val), ("train", splits.train)):
            yield f"the {side} side of {loaded.dataset.name}@{name}", split


def _shown(counts: np.ndarray) -> str:
    return ", ".join(map(str, counts.tolist()))
