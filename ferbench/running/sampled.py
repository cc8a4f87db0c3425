"""What a sampler decided, as facts for ``sampler.json``."""

from __future__ import annotations

from typing import Any

import numpy as np

from ferbench.data.labels import expected_counts, in_kind
from ferbench.data.splits import with_sample
from ferbench.evaluating.setup import Setup
from ferbench.nouns.sampler import Sample
from ferbench.nouns.split import Split
from ferbench.running.changed import relabelled_facts, removed_facts
from ferbench.running.fitting import rows_of_estimator
from ferbench.training.batches import epoch_batches


def sampled(setup: Setup, sample: Sample) -> dict[str, Any]:
    """Samples and classes before and after, weights, new and changed labels, and what was left out and why.

    Raises DataError where the decision does not fit the training split, PluginError where it names samples that are
    not there.
    """
    before = setup.splits.train
    after = with_sample(before, sample)
    seen = _seen(setup, sample, len(after))
    new = relabelled_facts(before, sample)
    return {
        "sampler": setup.sampler.name,
        "options": setup.sampler_options.model_dump(mode="json"),
        "samples": len(before),
        "samples_per_epoch": len(seen),
        "weighted": sample.weights is not None,
        "relabelled": sample.targets is not None,
        "changed_labels": new["count"] if new else 0,
        "new_labels": new,
        "extra": len(after) - len(before),
        "own_batches": sample.batches is not None,
        "classes": _by_class(before, after, seen, sample),
        "removed": removed_facts(setup.sampler.name, before, sample.removed),
        "reads": dict(setup.record["row"].get("reads", {})),
    }


def _seen(setup: Setup, sample: Sample, count: int) -> np.ndarray:
    """Samples of the first epoch, int64 [m], with repetition."""
    seed = setup.record["seed"]
    if setup.model.build is None:
        return rows_of_estimator(sample, count, seed)
    if sample.batches is not None:
        rng = np.random.default_rng((seed, 1, 0))
        return np.concatenate(epoch_batches(count, sample, setup.recipe.batch_size, rng))
    return np.arange(count) if sample.indices is None else np.asarray(sample.indices)


def _by_class(before: Split, after: Split, seen: np.ndarray, sample: Sample) -> dict[str, dict[str, float | None]]:
    """By class: samples before, in an epoch after, those that were made, and the mean weight of an epoch's samples."""
    if before.label_kind == "real":
        return {}  # dimensions, not classes
    every = np.arange(len(after))
    columns = [_counts(before, every[: len(before)]), _counts(after, seen), _counts(after, every[len(before) :])]
    weights = _weights(sample, after, seen)
    return {
        name: {"before": _number(a), "after": _number(b), "extra": _number(c), "weight": weight}
        for name, a, b, c, weight in zip(before.classes, *columns, weights, strict=True)
    }


def _weights(sample: Sample, after: Split, seen: np.ndarray) -> list[float | None]:
    """The mean weight of each class in an epoch; None where nothing is weighed, or where it has no sample."""
    if sample.weights is None:
        return [None] * len(after.classes)
    given = np.asarray(sample.weights, np.float64)
    weights = np.concatenate([given, np.ones(len(after) - len(given))])[seen]
    shares = in_kind(np.asarray(after.targets)[seen], "soft", len(after.classes)).astype(np.float64)
    sums, totals = weights @ shares, shares.sum(axis=0)
    return [float(part / total) if total else None for part, total in zip(sums, totals, strict=True)]


def _counts(split: Split, rows: np.ndarray) -> np.ndarray:
    return expected_counts(np.asarray(split.targets)[rows], len(split.classes), split.label_kind == "accepted")


def _number(value: float) -> float:
    """A count; whole where labels are hard."""
    return int(value) if float(value).is_integer() else round(float(value), 3)
