"""Checks of data sets: those that are embedded or registered on this machine, and what is said where they are not."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Mapping

import numpy as np

from ferbench.checking.report import Outcome, Subject, failed, first_fault, noted, passed, skipped
from ferbench.data.folds import SIDES, Sides, count_folds, make_sides
from ferbench.data.registry import load, read_again
from ferbench.data.status import status
from ferbench.data.stored import Loaded
from ferbench.data.streaming import read_sample
from ferbench.errors import MissingDataError
from ferbench.nouns.dataset import Dataset, ProtocolRule
from ferbench.nouns.split import View
from ferbench.training.pixels import is_clip

SECOND_LOAD = 2.0
"""Seconds within which a data set that was loaded before must be there again."""

NUMBER = re.compile(
    r"(?<![\d,.])(\d{1,3}(?:,\d{3})+|\d+(?= (?:\w+ )?(?:pictures|images|faces|samples|clips|videos|trials)))"
)
"""A number of samples in a description: 35,887, or 240 pictures."""

ABSENT = "not registered on this machine"

OTHER_READ = (
    "Where `read` has changed since the data were added, raise `version` in its Dataset and add them again; else make "
    "ids and targets from the data, never from order of time or chance."
)


def _loaded(subject: Subject[Dataset]) -> Loaded | None:
    there = subject.item.embedded or status(subject.item).state != "missing"
    return load(subject.item) if there else None


def says_how(subject: Subject[Dataset]) -> Outcome:
    """Where the data are missing, the message says what they are, under which licence, and where to get them."""
    dataset = subject.item
    lacking = [field for field in ("description", "licence") if not getattr(dataset, field)]
    faults = [f"it has no {field}" for field in lacking if field != "licence" or not dataset.synthetic]
    if not dataset.embedded:
        faults += [] if dataset.how_to_get else ["how_to_get is empty"]
        faults += _message_faults(dataset)
    return first_fault(faults, "State them in the Dataset.", "embedded" if dataset.embedded else dataset.licence)


def _message_faults(dataset: Dataset) -> list[str]:
    before = os.environ.get("FERBENCH_DATA")
    with tempfile.TemporaryDirectory(prefix="ferbench-check-") as empty:
        os.environ["FERBENCH_DATA"] = empty
        try:
            load(dataset)
        except MissingDataError as error:
            said = str(error)
        else:
            return ["it loads although nothing is registered"]
        finally:
            os.environ.pop("FERBENCH_DATA") if before is None else os.environ.update(FERBENCH_DATA=before)
    return [] if dataset.how_to_get in said else ["the message about missing data does not say how to get them"]


def counts(subject: Subject[Dataset]) -> Outcome:
    """It holds as many samples as its description promises, and the copy is whole."""
    loaded = _loaded(subject)
    if loaded is None:
        file = "" if subject.info.package else f" --plugin {subject.info.location}"
        return skipped(f"{ABSENT}: ferbench data add {subject.item.name} PATH{file}")
    found = len(loaded.samples.ids) + len(loaded.corrupted)
    if loaded.partial:
        return noted(f"{found:,} samples; the copy on this machine is not whole: {loaded.partial}")
    promised = [int(number.replace(",", "")) for number in NUMBER.findall(subject.item.description)]
    if not promised:
        return passed(f"{found:,} samples; its description names no number")
    if found not in promised:
        return failed(f"{found:,} samples, and its description says {', '.join(f'{n:,}' for n in promised)}")
    return passed(f"{found:,} samples, as its description says")


def ids(subject: Subject[Dataset]) -> Outcome:
    """Every sample has an id of its own, and reading the download again gives the same ids and targets."""
    loaded = _loaded(subject)
    if loaded is None:
        return skipped(ABSENT)
    own = loaded.samples.ids
    if len(np.unique(own)) < len(own):
        return failed(f"{len(own) - len(np.unique(own)):,} ids occur twice", "Ids must be unique and never change.")
    again = read_again(subject.item, lambda name: subject.everything().dataset(name))
    if again is None:
        return passed(f"{len(own):,} ids; the download is gone, so that it was not read again")
    if not np.array_equal(np.asarray(again.samples.ids).astype(str), own.astype(str)):
        return failed("read again, the ids are others", OTHER_READ)
    if not np.array_equal(np.asarray(again.samples.targets, np.float64), loaded.samples.targets.astype(np.float64)):
        return failed("read again, the targets are others", OTHER_READ)
    return passed(f"{len(own):,} ids, the same when read again")


def targets(subject: Subject[Dataset]) -> Outcome:
    """Targets lie where the task wants them, every class occurs, and a sample can be read."""
    loaded = _loaded(subject)
    if loaded is None:
        return skipped(ABSENT)
    values, classes, task = loaded.samples.targets, subject.item.classes, subject.item.task
    faults = []
    if not np.isfinite(values).all():
        faults.append("some targets are not finite")
    elif task == "single-label":
        if values.min() < 0 or values.max() >= len(classes):
            faults.append(f"targets from {values.min()} to {values.max()} for {len(classes)} classes")
        else:
            empty = np.bincount(values, minlength=len(classes)) == 0
            faults += [f"no sample is {name}" for name, none in zip(classes, empty, strict=True) if none]
    elif task == "multi-label" and not np.isin(values, (0, 1)).all():
        faults.append("targets of several labels are not all 0 or 1")
    elif task == "soft-labels" and not np.allclose(values.sum(axis=1), 1, atol=1e-3):
        faults.append("soft labels do not sum to one")
    return first_fault(faults + _sample_faults(loaded), good=f"{task}, {len(classes)} classes; a sample was read")


def _sample_faults(loaded: Loaded) -> list[str]:
    sides = make_sides(loaded, _offered(loaded)[0], 0)
    row = int(sides.rows["test"][0])
    if loaded.inputs is not None:
        sample: Mapping[str, np.ndarray] = {name: values[row] for name, values in loaded.inputs.items()}
    else:
        sample = read_sample(loaded, row, View(), np.random.default_rng(0))
    wanted = set(loaded.dataset.inputs)
    if set(sample) != wanted:
        return [f"a sample has the inputs {sorted(sample)}, not {sorted(wanted)}"]
    return _form_faults(loaded, sample) + (_view_faults(loaded, row) if loaded.inputs is None else [])


def _form_faults(loaded: Loaded, sample: Mapping[str, np.ndarray]) -> list[str]:
    """What is wrong with the form of a sample, where the modality asks for one."""
    modality, arrays = loaded.dataset.modality, list(sample.values())
    shown = ", ".join(f"{name}: {value.dtype} {list(value.shape)}" for name, value in sample.items())
    if modality == "video" and not any(is_clip(value[None]) for value in arrays):
        return [f"no input is a clip, uint8 [frames, height, width, 1 or 3 channels] ({shown})"]
    if modality == "eeg" and not any(value.dtype == np.float32 and value.ndim == 2 for value in arrays):
        return [f"no input is a signal, float32 [channels, samples] ({shown})"]
    if not all(np.isfinite(value).all() for value in arrays):
        return ["a sample is not finite everywhere"]
    return []


def _view_faults(loaded: Loaded, row: int) -> list[str]:
    """What a data set that streams makes of views: a few frames of a clip, at test always the same ones."""
    first, second = (read_sample(loaded, row, View(frames=2), np.random.default_rng(seed)) for seed in (0, 1))
    faults = [
        f"asked for 2 frames of {name}, it reads {len(v)}" for name, v in first.items() if v.ndim == 4 and len(v) > 2
    ]
    faults += [
        f"{name} is another at each reading, also at test"
        for name in first
        if not np.array_equal(first[name], second[name])
    ]
    return faults


def _offered(loaded: Loaded) -> list[ProtocolRule]:
    return [rule for rule in loaded.dataset.protocols if rule.name in loaded.protocols]


def protocols(subject: Subject[Dataset]) -> Outcome:
    """The sides of every fold of every protocol share no sample, no group and no pixels, unless it says otherwise."""
    loaded = _loaded(subject)
    if loaded is None:
        return skipped(ABSENT)
    faults, facts, folds = [], [], 0
    for rule in _offered(loaded):
        count = count_folds(loaded, rule)
        folds += count
        copies = 0
        for fold in range(count):
            sides = make_sides(loaded, rule, fold)  # raises where samples or groups stand on several sides
            facts += [f"{rule.name}: {note}" for note in sides.notes if fold == 0]
            found = _copies(loaded, sides)
            copies = max(copies, found)
            if found and not rule.allow_leak and not _is_given(loaded, sides):
                faults.append(
                    f"{rule.name}, fold {fold}: {found:,} test samples have their exact pixels in train or val"
                )
                break
        if copies:
            facts.append(f"{rule.name}: {copies:,} test samples have their exact pixels in train or val")
    if faults:
        return first_fault(
            faults, "Deal identical pixels together (k_fold and grouped_holdout do), or allow_leak=True."
        )
    told = f"{len(_offered(loaded))} protocols, {folds} folds"
    return noted("; ".join(facts)) if facts else passed(told)


def _copies(loaded: Loaded, sides: Sides) -> int:
    hashes = loaded.samples.hashes
    assert hashes is not None  # every registered data set has them
    others = np.concatenate([hashes[sides.rows["train"]], hashes[sides.rows["val"]]])
    return int(np.isin(hashes[sides.rows["test"]], others).sum())


def _is_given(loaded: Loaded, sides: Sides) -> bool:
    """Whether the test side is made of the data set's own splits: its copies are then the publisher's, and a fact."""
    origin = loaded.samples.origin
    if origin is None:
        return False
    named = {side: set(origin[sides.rows[side]].tolist()) for side in SIDES}
    return not named["test"] & (named["train"] | named["val"])


def again(subject: Subject[Dataset]) -> Outcome:
    """Loaded a second time it is the same, and there at once."""
    first = _loaded(subject)
    if first is None:
        return skipped(ABSENT)
    started = time.perf_counter()
    second = load(subject.item)
    seconds = time.perf_counter() - started
    same = first.fingerprint == second.fingerprint and np.array_equal(first.samples.ids, second.samples.ids)
    same = same and np.array_equal(first.samples.targets, second.samples.targets)
    if not same:
        return failed("the second load gives other data")
    if seconds > SECOND_LOAD:
        return failed(f"the second load took {seconds:.1f} s, more than {SECOND_LOAD:g}")
    return passed(f"{first.fingerprint}, {seconds:.2f} s")
