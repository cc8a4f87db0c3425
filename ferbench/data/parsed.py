"""Checks of what a data set's ``read`` returns, before anything is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from ferbench.errors import PluginError
from ferbench.nouns.dataset import DEALT_AS, Dataset, Parsed, Samples
from ferbench.nouns.emotions import Modality


def checked(dataset: Dataset, parsed: Parsed) -> Parsed:
    """Return ``parsed`` in normal form: text as str, targets as int64 [n] or float32 [n, k].

    Raises PluginError that names the data set and the first rule that is broken.
    """
    try:
        samples = _samples(dataset, parsed.samples)
        count = len(samples.ids)
        inputs, files = parsed.inputs, parsed.files
        _demand((inputs is None) != (files is None), "either inputs or files must be given")
        if inputs is not None:
            _demand(set(inputs) == set(dataset.inputs), f"inputs are {sorted(inputs)}, not {sorted(dataset.inputs)}")
            for name, values in inputs.items():
                _demand_form(dataset.modality, name, values)
                _demand(len(values) == count, f"input {name!r} has {len(values)} samples, ids {count}")
        if files is not None:
            _demand(dataset.decode is not None, "files need the data set's `decode`")
            _demand(len(files) == count, f"there are {len(files)} files and {count} ids")
            outside = next((f for f in files if PurePosixPath(f).is_absolute() or ".." in PurePosixPath(f).parts), None)
            _demand(outside is None, f"the file {outside!r} lies outside of the data set's folder")
        _demand(files is not None or "box" not in samples.columns, "a column 'box' is for files that are streamed")
        known = [rule.name for rule in dataset.protocols]
        unknown = [name for name in parsed.protocols or () if name not in known]
        _demand(not unknown, f"protocols {unknown} are not among {known}")
        _demand(parsed.protocols != (), "no protocol is offered")
    except _BrokenError as error:
        raise PluginError(f"The reader of data set {dataset.name!r} breaks the contract: {error}.") from None
    return replace(parsed, samples=samples, files=None if files is None else tuple(files))


class _BrokenError(Exception):
    pass


def _demand(condition: bool, message: str) -> None:
    if not condition:
        raise _BrokenError(message)


def _demand_form(modality: Modality, name: str, values: np.ndarray) -> None:
    if modality != "eeg":
        _demand(values.dtype == np.uint8 and values.ndim >= 2, f"input {name!r} is not uint8 [n, ...]")
        return
    _demand(values.dtype == np.float32 and values.ndim >= 2, f"input {name!r} is not float32 [n, ...]")
    for sample in values:
        _demand(bool(np.isfinite(sample).all()), f"input {name!r} is not finite everywhere")


def _samples(dataset: Dataset, samples: Samples) -> Samples:
    ids = _text(samples.ids, "ids")
    count = len(ids)
    _demand(ids.ndim == 1 and count > 0, "there are no samples")
    known, times = np.unique(ids, return_counts=True)
    _demand(times.max() == 1, f"ids are not unique: {str(known[times.argmax()])!r} stands for {times.max():,} samples")
    _demand(len(samples.targets) == count, f"there are {len(samples.targets)} targets and {count} ids")
    origin = None if samples.origin is None else _text(samples.origin, "origin")
    groups = {name: _text(values, f"group {name}") for name, values in samples.groups.items()}
    columns = _plain(samples.columns)
    if "votes" in columns:
        _votes(columns["votes"], (count, len(dataset.classes)))
    if DEALT_AS in columns:
        _demand(columns[DEALT_AS].dtype == np.uint64, f"the column {DEALT_AS!r} is not uint64 [n]")
    if "box" in columns:
        _demand(columns["box"].shape == (count, 4) and columns["box"].dtype.kind == "i", "boxes are no integers [n, 4]")
    for name, values in {"origin": origin, **groups, **columns}.items():
        _demand(values is None or len(values) == count, f"{name!r} does not have {count} values")
    return Samples(ids, _targets(dataset, samples.targets), origin, groups, columns)


def _targets(dataset: Dataset, targets: np.ndarray) -> np.ndarray:
    width = len(dataset.classes)
    if dataset.task == "single-label":
        _demand(targets.ndim == 1 and targets.dtype.kind in "iu", "targets are not whole numbers [n]")
        _demand(targets.min() >= 0 and targets.max() < width, f"targets are not all within 0 to {width - 1}")
        return targets.astype(np.int64)
    _demand(targets.shape[1:] == (width,), f"targets are not [n, {width}]")
    _demand(targets.dtype.kind in "fiub", "targets are not numbers")
    _demand(bool(np.isfinite(targets).all()), "targets are not all finite")
    return targets.astype(np.float32)


def _plain(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    plain = {}
    for name, values in columns.items():
        plain[name] = _text(values, f"column {name}") if values.dtype.kind in "OSU" else values
        _demand(
            plain[name].dtype.kind in "fiubU" and values.ndim in (1, 2), f"column {name!r} is neither text nor number"
        )
    return plain


def _votes(votes: np.ndarray, shape: tuple[int, int]) -> None:
    numbers = votes.shape == shape and votes.dtype.kind in "fiu"
    _demand(numbers and bool((votes >= 0).all()), f"votes are not numbers of votes {list(shape)}, a column a class")


def _text(values: np.ndarray, what: str) -> np.ndarray:
    text = np.asarray(values)
    _demand(text.dtype.kind in "OSUiu", f"{what} are neither text nor whole numbers")
    return text.astype(np.str_)
