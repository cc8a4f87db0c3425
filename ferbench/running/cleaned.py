"""The sides of a protocol as they are exported: the training side as a sampler leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ferbench.data.registry import load
from ferbench.data.sampling import common
from ferbench.data.splits import limited, make_splits, with_sample
from ferbench.data.stored import Loaded
from ferbench.errors import DataError, MissingDataError, Problem, SettingsError, UnknownNameError
from ferbench.evaluating.exporting import Part
from ferbench.nouns.dataset import ProtocolRule
from ferbench.nouns.requirement import requirements_of
from ferbench.nouns.sampler import Sample, Sampler, reads_of
from ferbench.nouns.settings import Options, revised
from ferbench.nouns.split import Split
from ferbench.plugins import Installed
from ferbench.suites import Override, under

if TYPE_CHECKING:
    from ferbench.running.fitting import Asked

ROOT = "sampler.options."


def asked_of(installed: Installed, loaded: Loaded, name: str, seed: int, overrides: Sequence[Override] = ()) -> Asked:
    """An installed sampler, to be asked outside of a run, and the data sets that it reads.

    As in a run, those that have none of the samples are not there; ``overrides`` are of its options. Raises
    UnknownNameError, SettingsError, and MissingDataError for a data set that it cannot do without.
    """
    from ferbench.running.fitting import Asked  # it imports torch

    sampler = installed.sampler(name)
    options = _options(sampler, overrides)
    readable = {}
    for each in reads_of(sampler, options):
        try:
            other = load(installed.dataset(each.dataset))
        except (MissingDataError, UnknownNameError):
            if not each.optional:
                raise
            continue
        if common(loaded, other):
            readable[each.dataset] = other
        elif not each.optional:
            raise MissingDataError(
                f"The sampler {name} reads {each.dataset}, which has none of the samples of {loaded.dataset.name}."
            )
    return Asked(sampler, options, seed, readable)


def _options(sampler: Sampler, overrides: Sequence[Override]) -> Options:
    """The sampler's options with those changes. Raises SettingsError for what concerns anything else."""
    strange = [each for each in overrides if not each.key.startswith(ROOT) or each.scope not in ("", sampler.name)]
    if strange:
        here = f"only options of the sampler {sampler.name} matter here: {ROOT}KEY=VALUE"
        raise SettingsError([Problem(str(each), here) for each in strange])
    changes = under(ROOT.rstrip("."), overrides, sampler.name)
    return revised(sampler.options, changes, "sampler.options")


def parts_of(
    loaded: Loaded,
    rule: ProtocolRule,
    fold: int = 0,
    limit: int | None = None,
    asked: Asked | None = None,
) -> tuple[Part, Part, Part]:
    """Train, val and test of a fold; ``limit``: at most so many samples of each, drawn by class.

    Of train, with a sampler to be ``asked``: what it removed is left out, its targets stand in place of the set's, its
    extra samples come last. Raises DataError for a sampler that cannot be asked without a run.
    """
    splits = make_splits(loaded, rule, fold)
    train, val, test = (
        split if limit is None else limited(split, limit) for split in (splits.train, splits.val, splits.test)
    )
    part = Part("train", train) if asked is None else _sampled(loaded, train, asked)
    return part, Part("val", val), Part("test", test)


def _sampled(loaded: Loaded, train: Split, asked: Asked) -> Part:
    sampler = asked.sampler
    if requirements_of(sampler, asked.options):
        raise DataError(
            f"The sampler {sampler.name} needs trained cells, so it works in a run alone: sampler.json of a cell says "
            "what it removed."
        )
    if loaded.inputs is None and not sampler.streams:
        raise DataError(f"The sampler {sampler.name} needs the data in memory, and {loaded.dataset.name} streams.")
    from ferbench.running.fitting import ask_sampler

    sample = ask_sampler(asked, loaded, train, {})
    changed = with_sample(train, sample)
    return taken(train, changed, sample)


def taken(train: Split, changed: Split, sample: Sample) -> Part:
    """What is left of ``train`` (n samples) in ``changed`` (as the sampler made it), and what was done to each.

    Facts: ``label_before`` where labels were replaced, ``times`` that a sample is drawn in an epoch where that differs,
    ``weight`` in the loss where there are weights.
    """
    count, total = len(train), len(changed)
    times = np.ones(total, np.int64) if sample.indices is None else np.bincount(sample.indices, minlength=total)
    gone = [name for each in sample.removed for name in each.ids]
    kept = np.flatnonzero((times > 0) & ~np.isin(changed.ids, gone))
    if not len(kept):
        raise DataError("The sampler leaves no training sample.")
    facts: dict[str, np.ndarray] = {}
    if sample.targets is not None and train.label_kind == "hard":
        names = np.array(train.classes)[np.asarray(train.targets)]
        facts["label_before"] = np.concatenate([names, np.full(total - count, "")])
    if (times[kept] != 1).any():
        facts["times"] = times
    if sample.weights is not None:
        weights = np.asarray(sample.weights, np.float64)
        facts["weight"] = np.concatenate([weights, np.ones(total - len(weights))])
    part = Part("train", changed.take(kept), {name: values[kept] for name, values in facts.items()})
    return replace(part, removed=sample.removed)
