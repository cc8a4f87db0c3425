"""Checks of samplers, on a made-up training split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ferbench.checking.made_up import class_names, split_of, streamed_split_of
from ferbench.checking.report import Outcome, Subject, failed, first_fault, passed, skipped
from ferbench.checking.trial import StandIn
from ferbench.data.in_memory import ArraySplit
from ferbench.data.splits import with_sample
from ferbench.errors import FerbenchError, MissingDataError, PluginError
from ferbench.evaluating.required import for_sampler
from ferbench.nouns.model import Model, NetSpec, RequiredCell
from ferbench.nouns.reference import resolve
from ferbench.nouns.requirement import requirements_of
from ferbench.nouns.sampler import Facts, Sample, SampleContext, Sampler, reads_of
from ferbench.nouns.split import Split
from ferbench.plugins.quarantine import described
from ferbench.running.fitting import check_sample

CLASSES, SIDE = 4, 16
SIZES = (26, 16, 10, 8)
"""Samples of each class: unequal, and in the smallest enough for the five neighbours that SMOTE looks at by custom."""
BATCH = 16


def training(targets: np.ndarray | None = None) -> ArraySplit:
    """A training split of grey pictures with unequal classes; as in a cell, nothing of it can be written to."""
    given = np.repeat(np.arange(CLASSES), SIZES) if targets is None else targets
    split = split_of({"image": (1, SIDE, SIDE)}, given.astype(np.int64), CLASSES)
    inputs = {"image": split.inputs["image"][..., 0].copy()}
    for array in (*inputs.values(), split.targets, split.ids):
        array.flags.writeable = False
    return replace(split, inputs=inputs)


def sampled(subject: Subject[Sampler], train: Split, seed: int = 0) -> Sample:
    """Ask a sampler. Raises PluginError when its answer does not fit the split."""
    sampler = subject.item
    context = SampleContext(
        np.random.default_rng(seed),
        class_names(CLASSES),
        sampler.options,
        _required(subject, len(train)),
        _absent(sampler),
    )
    sample = resolve(sampler.sample)(train, context)
    if not isinstance(sample, Sample):
        raise PluginError(f"It returned {type(sample).__name__}, not a ferbench.Sample.")
    check_sample(sampler.name, sample, len(train))
    with_sample(train, sample)
    return sample


def _required(subject: Subject[Sampler], count: int) -> dict[str, RequiredCell]:
    spec = NetSpec(classes=CLASSES, channels=1, size=SIDE, inputs={"image": (1, SIDE, SIDE)})
    needs = requirements_of(subject.item, subject.item.options)
    found = {role: subject.everything().model(needed.model) for role, needed in needs.items()}
    stand_ins = {role: StandIn(f"stand-in-{role}", _as_model(subject, m), m, spec, count) for role, m in found.items()}
    return for_sampler(stand_ins)


def _as_model(subject: Subject[Sampler], model: Model) -> Subject[Model]:
    return Subject(model, subject.info, subject.installed, subject.everything, subject.effort)


def _absent(sampler: Sampler) -> Callable[[str, str], Facts]:
    """Made-up samples stand in no data set: what a sampler may read is not there."""
    named = {each.dataset for each in reads_of(sampler, sampler.options)}

    def facts(dataset: str, column: str) -> Facts:
        if dataset not in named:
            raise PluginError(f"It asks for {column!r} of {dataset!r}, which its `reads` does not name.")
        raise MissingDataError(f"{dataset} has none of the made-up samples.")

    return facts


def tried(look: Callable[[Subject[Sampler]], Outcome]) -> Callable[[Subject[Sampler]], Outcome]:
    """The check, left out for a sampler that cannot decide without another data set."""

    def looked(subject: Subject[Sampler]) -> Outcome:
        sampler = subject.item
        needed = [each.dataset for each in reads_of(sampler, sampler.options) if not each.optional]
        return skipped(f"it reads {', '.join(needed)}, which has no made-up samples") if needed else look(subject)

    return looked


def decides(subject: Subject[Sampler]) -> Outcome:
    """What it returns fits the training split, and names no sample that is not in it."""
    train = training()
    sample = sampled(subject, train)
    faults = []
    strangers = {name for removed in sample.removed for name in removed.ids} - set(train.ids.tolist())
    if strangers:
        faults.append(f"it says that it left out {sorted(strangers)[:3]}, which it was not given")
    if any(not removed.reason.strip() for removed in sample.removed):
        faults.append("it left samples out and gives no reason")
    if sample.batches is not None:
        faults += _batch_faults(sample, len(train))
    drawn = len(train) if sample.indices is None else len(sample.indices)
    return first_fault(faults, good=f"{drawn} of {len(train)} samples an epoch")


def _batch_faults(sample: Sample, count: int) -> list[str]:
    assert sample.batches is not None
    extra = 0 if sample.extra_targets is None else len(sample.extra_targets)
    indices = np.arange(count + extra) if sample.indices is None else np.asarray(sample.indices)
    batches = sample.batches(indices, BATCH, np.random.default_rng(0))
    if not batches or any(len(batch) == 0 for batch in batches):
        return ["its rule for batches returns empty ones"]
    strangers = set(np.concatenate(batches).tolist()) - set(indices.tolist())
    return (
        [f"its rule for batches names samples that are not of the epoch: {sorted(strangers)[:3]}"] if strangers else []
    )


def seeded(subject: Subject[Sampler]) -> Outcome:
    """One seed always gives the same answer, whatever else draws random numbers."""
    train = training()
    answers = []
    for stir, seed in ((1, 0), (2, 0), (3, 1)):
        np.random.seed(stir)
        answers.append(_digest(sampled(subject, train, seed)))
    if answers[0] != answers[1]:
        return failed("one seed gave two answers", "Draw from context.rng, and from nothing else.")
    return passed("another seed gives another answer" if answers[0] != answers[2] else "the seed makes no difference")


def _digest(sample: Sample) -> str:
    """A hash of all that a sampler decided."""
    digest = hashlib.sha256()
    arrays: dict[str, object] = {"indices": sample.indices, "weights": sample.weights, "targets": sample.targets}
    arrays |= {"extra": sample.extra_targets, **_named(sample.extra_inputs)}
    for name, value in arrays.items():
        digest.update(name.encode())
        if value is not None:
            array = np.ascontiguousarray(value)
            digest.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    digest.update(repr(sample.removed).encode())
    return digest.hexdigest()


def _named(inputs: Mapping[str, np.ndarray] | None) -> dict[str, object]:
    return {f"extra {name}": value for name, value in sorted((inputs or {}).items())}


def untouched(subject: Subject[Sampler]) -> Outcome:
    """The split that it was given is afterwards what it was before."""
    fixed = training()
    loose = replace(
        fixed,
        inputs={name: value.copy() for name, value in fixed.inputs.items()},
        targets=fixed.targets.copy(),
        ids=fixed.ids.copy(),
    )
    sampled(subject, loose)
    changed = [name for name, value in loose.inputs.items() if not np.array_equal(value, fixed.inputs[name])]
    changed += [name for name in ("targets", "ids") if not np.array_equal(getattr(loose, name), getattr(fixed, name))]
    mend = "Work on copies, and return what is new in the Sample."
    return first_fault([f"it changed the {name} of its split" for name in changed], mend)


def streams(subject: Subject[Sampler]) -> Outcome:
    """Where it does not say ``streams=False``, it also decides on clips that are read from files."""
    if not subject.item.streams:
        return skipped("it says that it needs the data in memory")
    targets = np.repeat(np.arange(CLASSES), SIZES)
    try:
        sampled(subject, streamed_split_of({"video": (4, 1, SIDE, SIDE)}, targets, CLASSES))
    except Exception as error:
        mend = "Decide from targets, groups and single batches, or say Sampler(streams=False)."
        return failed(f"on clips that stream it {described(error)}", mend)
    return passed("clips that stream from files")


def few(subject: Subject[Sampler]) -> Outcome:
    """With one class alone, or two samples, it decides something that fits or refuses in words."""
    cases = {
        "one class alone": np.zeros(20, np.int64),
        "two samples": np.array([0, 1]),
        "one sample of each class": np.arange(CLASSES),
        "one sample": np.array([2]),
    }
    faults, refused = [], []
    for what, targets in cases.items():
        try:
            sampled(subject, training(targets))
        except PluginError as error:
            faults.append(f"{what}: {error}")
        except FerbenchError:
            refused.append(what)
        except Exception as error:
            faults.append(f"{what}: it {described(error)}")
    mend = "Return a Sample that fits, or raise ferbench.DataError that says what is needed."
    return first_fault(faults, mend, f"it refuses {', '.join(refused)}" if refused else ", ".join(cases))
