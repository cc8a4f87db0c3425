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
from ferbench.data.splits import with_sample
from ferbench.data.weights import status_of
from ferbench.errors import PluginError
from ferbench.evaluating.finished import PredictorScorer, make_predictor
from ferbench.evaluating.required import required_cells
from ferbench.evaluating.scoring import (
    EstimatorScorer,
    NetworkScorer,
    Scorer,
    build_network,
    make_estimator,
    make_preparer,
    prepared_arrays,
    raw_shape,
)
from ferbench.evaluating.setup import Setup, net_spec
from ferbench.nouns.model import FitContext, Objective, RequiredCell, TrainingData
from ferbench.nouns.reference import resolve
from ferbench.nouns.sampler import Sample, SampleContext
from ferbench.nouns.split import Split
from ferbench.running.beginning import begin
from ferbench.running.keeping import Keeper
from ferbench.store.files import write_with
from ferbench.store.store import CellFolder
from ferbench.training.counting import flops, parameters
from ferbench.training.feed import open_feed
from ferbench.training.job import Job, Part
from ferbench.training.loop import train
from ferbench.training.precision import Numerics


@dataclass(frozen=True)
class Fitted:
    """A trained model with its chosen weights, and facts for the table."""

    scorer: Scorer
    facts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def draw_sample(setup: Setup, required: Mapping[str, RequiredCell]) -> Sample:
    """Ask the cell's sampler, which sees the training split alone."""
    rng = np.random.default_rng((setup.record["seed"], 5))
    context = SampleContext(rng, setup.classes, setup.sampler_options, required)
    sample = resolve(setup.sampler.sample)(setup.splits.train, context)
    if not isinstance(sample, Sample):
        raise PluginError(f"Sampler {setup.sampler.name} returned {type(sample).__name__}, not a ferbench.Sample.")
    check_sample(setup.sampler.name, sample, len(setup.splits.train))
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


def fit(setup: Setup, folder: CellFolder, numerics: Numerics, sample: Sample) -> Fitted:
    """Train the cell's model and write its weights. Raises TrainingError and whatever the method raises."""
    if setup.model.predictor is not None:
        return _load_finished(setup)
    required = required_cells(folder, setup.record["requires"])
    if setup.model.build is None:
        return _fit_estimator(setup, folder, sample, required)
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
    net, size = build_network(setup, numerics.device)
    facts: dict[str, Any] = {"params": parameters(net), "flops": flops(net, net_spec(setup, raw_shape(setup), size))}
    keeper = Keeper(folder, run["checkpoint_seconds"], recipe.total_epochs)
    begun = begin(setup, folder, net, size, keeper.goes_on)
    test = _part(setup, setup.splits.test, numerics) if recipe.selection == "oracle" else None
    job = Job(
        recipe=recipe,
        seed=setup.record["seed"],
        task=setup.dataset.task,
        classes=setup.classes,
        numerics=numerics,
        preparer=make_preparer(setup),
        size=size,
        parts=_parts(setup, numerics, sample),
        val=_part(setup, setup.splits.val, numerics),
        watch=keeper,
        test=test,
        objective=_objective(setup, size),
        required=required,
        allow_microbatch=run["allow_microbatch"],
        compiled=folder.environment.get("compiled", False),
    )
    if isinstance(job.objective, nn.Module):
        job.objective.to(numerics.device)
    trained = train(net, job)
    for part in (*job.parts.values(), job.val):
        part.feed.close()
    write_with(folder.path / "best.safetensors", lambda path: save_weights(trained.best, path))
    write_with(folder.path / "last.safetensors", lambda path: save_weights(trained.last, path))
    net.load_state_dict(trained.best)
    notes = begun.notes
    if trained.micro_batches > 1:
        notes += (f"{trained.micro_batches} micro-batches a step",)
    facts |= {
        **begun.facts,
        "images_per_second": trained.images_per_second,
        "train_seconds": sum(row["seconds"] for row in trained.history),
        "chosen_epoch": trained.best_epoch,
        "epochs_run": len({row["epoch"] for row in trained.history}),
    }
    return Fitted(NetworkScorer(setup, net, numerics, job.preparer, size, run["workers"]), facts, notes)


def _objective(setup: Setup, size: int) -> Objective | None:
    if setup.model.objective is None:
        return None
    spec = net_spec(setup, raw_shape(setup), size)
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
    return Sample(indices=indices, weights=weights, batches=sample.batches)


def _fit_estimator(setup: Setup, folder: CellFolder, sample: Sample, required: Mapping[str, RequiredCell]) -> Fitted:

    estimator, preparer = make_estimator(setup), make_preparer(setup)
    split = with_sample(setup.splits.train, sample)
    rows = np.arange(len(split)) if sample.indices is None else sample.indices
    weights = _for_all(sample, len(split), 0).weights
    inputs = {name: value[rows] for name, value in prepared_arrays(setup, split, preparer).items()}
    data = TrainingData(inputs, np.asarray(split.targets)[rows], None if weights is None else weights[rows])
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
    facts = {"train_seconds": seconds, "images_per_second": len(rows) / seconds if seconds else None}
    return Fitted(EstimatorScorer(setup, estimator, preparer), facts)
