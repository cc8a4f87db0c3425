"""What a sampler is given: copies of the training side alone, and facts about its samples."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import numpy as np

from ferbench.data.in_memory import ArraySplit
from ferbench.data.stored import Loaded
from ferbench.data.streaming import StreamSplit
from ferbench.errors import DataError, MissingDataError, PluginError, did_you_mean
from ferbench.nouns.sampler import Facts
from ferbench.nouns.split import Split


def training_side(split: Split) -> Split:
    """A copy that cannot be written to, and from which nothing leads to the other sides.

    A split in memory holds the whole data set's pictures and the numbers of its own: here it gets its own alone.
    """
    assert isinstance(split, ArraySplit | StreamSplit)  # what make_splits makes
    own = replace(
        split,
        ids=_fixed(split.ids),
        targets=_fixed(split.targets),
        hashes=_fixed(split.hashes),
        groups={name: _fixed(values) for name, values in split.groups.items()},
    )
    if isinstance(own, StreamSplit):
        return own
    inputs = {name: _fixed(values, own.rows) for name, values in own.inputs.items()}
    return replace(own, inputs=inputs, rows=_fixed(np.arange(len(own))))


def _fixed(values: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """A copy (of some rows) in memory of its own: a view's ``base`` would be the whole."""
    copied = np.empty((len(values) if rows is None else len(rows), *values.shape[1:]), values.dtype)
    if rows is None:
        copied[...] = values
    else:
        np.take(values, rows, axis=0, out=copied, mode="clip")
    copied.flags.writeable = False
    return copied


def common(loaded: Loaded, other: Loaded) -> bool:
    """Whether another data set has any of a data set's samples, by their ids."""
    return bool(np.isin(loaded.samples.ids, other.samples.ids).any())


def facts_about(
    train: Split, loaded: Loaded, readable: Mapping[str, Loaded], optional: Collection[str]
) -> Callable[[str, str], Facts]:
    """The function by which a sampler asks for the rows of columns that belong to ``train``, and for nothing else.

    ``readable``: the other data sets that it may ask by their names; ``optional``: those that it may, were they there.
    """
    assert isinstance(train, ArraySplit | StreamSplit)
    ids, hashes = train.ids, train.hashes

    def facts(dataset: str, column: str) -> Facts:
        own = dataset == loaded.dataset.name
        if not own and dataset not in readable:
            if dataset in optional:
                raise MissingDataError(f"{dataset} is not registered, or has none of the samples of this data set.")
            raise PluginError(f"The sampler asks for {column!r} of {dataset!r}, which its `reads` does not name.")
        found = loaded if own else readable[dataset]
        if column not in found.samples.columns:
            known = ", ".join(sorted(found.samples.columns)) or "none"
            hint = did_you_mean(column, found.samples.columns)
            raise DataError(f"{dataset} keeps no column {column!r} of its samples.{hint} Columns: {known}.")
        return _rows(found, column, ids, hashes, comparable=(found.inputs is None) == (loaded.inputs is None))

    return facts


def _rows(found: Loaded, column: str, ids: np.ndarray, hashes: np.ndarray, comparable: bool) -> Facts:
    """Rows of a column by id; ``comparable``: pixels are held against pixels, and files against files."""
    samples = found.samples
    assert samples.hashes is not None  # every registered data set has them
    order = np.argsort(samples.ids)
    place = order[np.searchsorted(samples.ids, ids, sorter=order).clip(max=len(order) - 1)]
    known = samples.ids[place] == ids
    other = known & (samples.hashes[place] != hashes)
    if comparable and other.any():
        raise DataError(
            f"{int(other.sum()):,} of {int(known.sum()):,} training samples have other pixels in {found.dataset.name} "
            f"({ids[other][0]} is one): the two were registered from different copies. Register both from one."
        )
    values = np.zeros((len(ids), *samples.columns[column].shape[1:]), samples.columns[column].dtype)
    values[known] = samples.columns[column][place[known]]
    return Facts(values, known, found.dataset.classes)
