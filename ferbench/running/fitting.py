"""Training a cell's model: a network through the engine, or an estimator by its own means; finished ones are loaded."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file as save_weights
from torch import nn

from ferbench.data.joining import Joined
from ferbench.data.matching import match_classes
from ferbench.data.sampling import facts_about, training_side
from ferbench.data.splits import with_sample
from ferbench.data.stored import Loaded
from ferbench.data.weights import status_of
from ferbench.errors import PluginError, TrainingError
from ferbench.evaluating.finished import PredictorScorer, make_predictor
from ferbench.evaluating.loading import Given
from ferbench.evaluating.required import for_sampler
from ferbench.evaluating.scoring import (
    EstimatorScorer,
    NetworkScorer,
    Scorer,
    build_network,
    make_estimator,
    make_preparer,
    prepared_arrays,
)
from ferbench.evaluating.setup import Setup, as_planned
from ferbench.nouns.model import FitContext, NetSpec, Objective, RequiredCell, TrainingData
from ferbench.nouns.reference import resolve
from ferbench.nouns.sampler import Sample, SampleContext, Sampler, reads_of
from ferbench.nouns.settings import Options
from ferbench.nouns.split import Split
from ferbench.running.beginning import begin
from ferbench.running.keeping import Keeper
from ferbench.store.files import write_with
from ferbench.store.store import CellFolder
from ferbench.training.batches import epoch_batches, for_train_alone
from ferbench.training.counting import flops, parameters
from ferbench.training.feed import open_feed
from ferbench.training.job import Job, Part
from ferbench.training.loop import train
from ferbench.training.memory import leak_note
from ferbench.training.precision import Numerics
from ferbench.training.prepare import Preparer


@dataclass(frozen=True)
class Fitted:
    """A trained model with its chosen weights, and facts for the table."""

    scorer: Scorer
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def draw_sample(setup: Setup, required: Mapping[str, RequiredCell]) -> Sample:
    """Ask the cell's sampler."""
    if setup.sampler.name == "plain":
        return Sample()
    reads: Mapping[str, str] = setup.record["row"].get("reads", {})
    readable = {name: as_planned(setup.installed.dataset(name), known) for name, known in reads.items()}
    sampling = Asked(setup.sampler, setup.sampler_options, setup.record["seed"], readable)
    return ask_sampler(sampling, setup.loaded, setup.splits.train, required)


@dataclass(frozen=True)
class Asked:
    """A sampler to be asked, with a run's seed; ``readable``: the data sets that it reads, by name."""

    sampler: Sampler
    options: Options
    seed: int = 0
    readable: Mapping[str, Loaded] = field(default_factory=dict)


def ask_sampler(asked: Asked, loaded: Loaded, train: Split, required: Mapping[str, RequiredCell]) -> Sample:
    """What a sampler decides, which is given copies of the training split alone.

    Raises PluginError when that does not fit the split.
    """
    sampler, given = asked.sampler, training_side(train)
    optional = [each.dataset for each in reads_of(sampler, asked.options) if each.optional]
    facts = facts_about(given, loaded, asked.readable, optional)
    rng = np.random.default_rng((asked.seed, 5))
    context = SampleContext(rng, given.classes, asked.options, for_sampler(required), facts)
    sample = resolve(sampler.sample)(given, context)
    if not isinstance(sample, Sample):
        raise PluginError(f"Sampler {sampler.name} returned {type(sample).__name__}, not a ferbench.Sample.")
    check_sample(sampler.name, sample, len(train))
    return sample


def check_sample(name: str, sample: Sample, count: int) -> None:
    """Raise PluginError unless a sampler's decision fits ``count`` training samples."""
    total = count + (0 if sample.extra_targets is None else len(sample.extra_targets))
    faults = []
    if sample.weights is not None:
        weights = np.asarray(sample.weights)
        if weights.shape not in ((count,), (total,)):
            faults.append(f"weights of shape {weights.shape} for {count} samples")
        elif not np.isfinite(weights).all() or (weights < 0).any():
            faults.append("weights that are negative or not finite")
    if sample.indices is not None:
        indices = np.asarray(sample.indices)
        if indices.ndim != 1 or len(indices) == 0 or indices.dtype.kind not in "iu":
            faults.append("indices that are not a list of whole numbers")
        elif indices.min() < 0 or indices.max() >= total:
            faults.append(f"indices from {indices.min()} to {indices.max()} for {total} samples")
    if faults:
        raise PluginError(f"Sampler {name} returned {', and '.join(faults)}.")


def fit(
    setup: Setup, folder: CellFolder, numerics: Numerics, sample: Sample, required: Mapping[str, RequiredCell]
) -> Fitted:
    """Train the cell's model and write its weights. Raises TrainingError and whatever the method raises."""
    if setup.model.predictor is not None:
        return _load_finished(setup)
    if setup.model.build is None:
        return _fit_estimator(setup, folder, sample, required, Given(setup, folder, numerics))
    return _fit_network(setup, folder, numerics, sample, required)


def _load_finished(setup: Setup) -> Fitted:
    model = setup.model
    scorer = PredictorScorer(setup, make_predictor(setup), make_preparer(setup))
    registered = [status_of(each.name).meta for each in model.weights if not each.packaged]
    parameters = sum(meta.parameters for meta in registered if meta)
    facts = {"params": parameters or None, "train_seconds": 0.0}
    return Fitted(scorer, facts, match_classes(model.classes, setup.classes).notes())


def _fit_network(
    setup: Setup, folder: CellFolder, numerics: Numerics, sample: Sample, required: Mapping[str, RequiredCell]
) -> Fitted:
    recipe, run = setup.recipe, setup.record["run"]
    net, spec = build_network(setup, numerics.device)
    facts: dict[str, Any] = {"params": parameters(net), "flops": flops(net, spec)}
    keeper = Keeper(folder, run["checkpoint_seconds"], recipe.total_epochs)
    begun = begin(setup, folder, net, spec, keeper.goes_on)
    test = _part(setup, setup.splits.test, numerics) if recipe.selection == "oracle" else None
    job = Job(
        recipe=recipe,
        seed=setup.record["seed"],
        task=setup.dataset.task,
        classes=setup.classes,
        numerics=numerics,
        preparer=make_preparer(setup),
        size=spec.size,
        parts=_parts(setup, numerics, sample),
        val=_part(setup, setup.splits.val, numerics),
        watch=keeper,
        test=test,
        objective=_objective(setup, spec),
        required=required,
        allow_microbatch=run["allow_microbatch"],
        compiled=folder.environment.get("compiled", False),
    )
    if isinstance(job.objective, nn.Module):
        job.objective.to(numerics.device)
    try:
        trained = train(net, job)
    finally:
        for part in filter(None, (*job.parts.values(), job.val, job.test)):
            part.feed.close()
    write_with(folder.path / "best.safetensors", lambda path: save_weights(trained.best, path))
    write_with(folder.path / "last.safetensors", lambda path: save_weights(trained.last, path))
    net.load_state_dict(trained.best)
    notes = begun.notes
    if trained.micro_batches > 1:
        notes += (f"{trained.micro_batches} micro-batches a step",)
    leak = leak_note(keeper.peaks)
    notes += (leak,) if leak else ()
    facts |= {
        **begun.facts,
        "images_per_second": trained.images_per_second,
        "train_seconds": sum(row["seconds"] for row in trained.history),
        "chosen_epoch": trained.best_epoch,
        "epochs_run": len({row["epoch"] for row in trained.history}),
    }
    return Fitted(NetworkScorer(setup, net, numerics, job.preparer, spec.size, run["workers"]), facts, notes)


def _objective(setup: Setup, spec: NetSpec) -> Objective | None:
    if setup.model.objective is None:
        return None
    objective: Objective = resolve(setup.model.objective)(spec, **setup.model_options.model_dump())
    return objective


def _part(setup: Setup, split: Split, numerics: Numerics, sample: Sample | None = None) -> Part:
    feed = open_feed(split, setup.recipe.input, numerics.device, setup.record["run"]["workers"])
    return Part(feed, np.asarray(split.targets), sample or Sample(), split.label_kind)


def _parts(setup: Setup, numerics: Numerics, sample: Sample) -> dict[tuple[str, ...], Part]:
    train_split = with_sample(setup.splits.train, sample)
    parts: dict[tuple[str, ...], Part] = {}
    for sides in {stage.sides for stage in setup.recipe.planned_stages()}:
        if "val" not in sides:
            parts[sides] = _part(setup, train_split, numerics, _for_all(sample, len(train_split), 0))
            continue
        both = Joined(train_split, setup.splits.val)
        parts[sides] = _part(setup, both, numerics, _for_all(sample, len(train_split), len(setup.splits.val)))
    return parts


def _for_all(sample: Sample, count: int, more: int) -> Sample:
    """The sampler's decision over ``count`` training samples (extra ones included) and ``more`` of val behind them."""
    weights = sample.weights
    if weights is not None:
        weights = np.concatenate([weights, np.ones(count + more - len(weights), np.float32)])
    indices = sample.indices
    if indices is not None and more:
        indices = np.concatenate([indices, np.arange(count, count + more)])
    batches = sample.batches
    if batches is not None and more:
        batches = for_train_alone(batches, count)
    return Sample(indices=indices, weights=weights, batches=batches)


def _fit_estimator(
    setup: Setup, folder: CellFolder, sample: Sample, required: Mapping[str, RequiredCell], given: Given
) -> Fitted:
    estimator, preparer = make_estimator(setup), make_preparer(setup)
    data = _training_data(setup, sample, preparer, required, given)
    threads = folder.environment["threads"]
    context = FitContext(
        setup.record["seed"], threads, setup.classes, setup.dataset.task, setup.model_options, required
    )
    started = time.perf_counter()
    estimator.fit(data, context)
    seconds = time.perf_counter() - started
    arrays, plain = estimator.state()
    contiguous = {name: np.ascontiguousarray(value) for name, value in arrays.items()}
    metadata = {"plain": json.dumps(dict(plain))}
    write_with(folder.path / "best.safetensors", lambda path: save_arrays(contiguous, path, metadata=metadata))
    facts = {"train_seconds": seconds, "images_per_second": len(data.targets) / seconds if seconds else None}
    return Fitted(EstimatorScorer(setup, estimator, preparer, given), facts)


def rows_of_estimator(sample: Sample, count: int, seed: int) -> np.ndarray:
    """Indices int64 [m] of the samples on which an estimator is fitted.

    It has no batches: a rule for them makes one of all. ``count``: of the training samples, extra ones included.
    """
    if sample.batches is None:
        return np.arange(count) if sample.indices is None else np.asarray(sample.indices)
    whole = count if sample.indices is None else len(sample.indices)
    return np.concatenate(epoch_batches(count, sample, whole, np.random.default_rng((seed, 1, 0))))


def _training_data(
    setup: Setup, sample: Sample, preparer: Preparer, required: Mapping[str, RequiredCell], given: Given
) -> TrainingData:
    """What an estimator is fitted on: train as the sampler changed it, or val as it is."""
    if setup.model.fits == "val":
        val = setup.splits.val
        return TrainingData({**prepared_arrays(setup, val, preparer), **given(val)}, np.asarray(val.targets))
    split = with_sample(setup.splits.train, sample)
    rows = rows_of_estimator(sample, len(split), setup.record["seed"])
    weights = _for_all(sample, len(split), 0).weights
    inputs = prepared_arrays(setup, split, preparer)
    for role, needed in given.wanted.items():
        if needed.gives == "features":
            inputs[role] = given.of(role, split)
        elif len(split) > len(setup.splits.train):
            raise TrainingError(
                f"The sampler {setup.sampler.name} adds samples, of which {role} has no out-of-fold scores."
            )
        else:
            inputs[role] = required[role].scores("out-of-fold")
    chosen = {name: value[rows] for name, value in inputs.items()}
    return TrainingData(chosen, np.asarray(split.targets)[rows], None if weights is None else weights[rows])
