"""Every rule of the kit, by kind of object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ferbench.checking import datasets, devices, estimators, learning, metrics, networks, predictors, samplers, settings
from ferbench.checking.report import Rule
from ferbench.nouns.model import Model
from ferbench.plugins import Kind

_STATED = (
    Rule("resolves", "recipe, options and what it names resolve", settings.resolves),
    Rule("search-space", "its search space holds valid settings", settings.search_space),
    Rule("requires", "what it requires is installed", settings.requirements),
    Rule("citation", "paper, and reported numbers with their place", settings.citation),
)

NETWORK = (
    *_STATED,
    Rule(
        "builds",
        "builds for every input and number of classes, finite scores of the right shape",
        networks.builds,
        mend="Build from spec.classes, spec.channels and spec.size; scores are [samples, spec.classes].",
    ),
    Rule("device", "stays on the GPU that it is given (pretended)", devices.stays),
    Rule("company", "scores do not depend on the rest of the batch", networks.company),
    Rule("saved", "saved and loaded it scores the same", networks.saved),
    Rule("gradients", "every parameter gets a gradient", learning.gradients, 90.0),
    Rule("learns", "learns sixteen samples by heart", learning.kept("learns", learning.learns), 480.0),
    Rule("repeats", "two trainings from one seed are equal", learning.kept("repeats", learning.repeats), 240.0),
)

TRYING = frozenset({"device", "company", "saved", "gradients", "learns", "repeats"})
"""Rules that run a network many times over."""

ESTIMATOR = (
    *_STATED,
    Rule("fits", "fits and gives scores of the right shape", estimators.fits, 120.0),
    Rule("company", "scores do not depend on the rest of the batch", estimators.company),
    Rule("saved", "saved and restored it scores the same", estimators.restored),
    Rule("repeats", "two fits from one seed are equal", estimators.repeats),
)

FINISHED = (
    *_STATED,
    Rule("scores", "gives a distribution over its classes for every picture", predictors.scores, 120.0),
    Rule("company", "scores do not depend on the rest of the batch", predictors.company),
    Rule("repeats", "made twice it scores the same", predictors.repeats),
)

DATASET = (
    Rule("how-to-get", "says what it is, its licence and where to get it", datasets.says_how),
    Rule("counts", "holds as many samples as it promises", datasets.counts),
    Rule("ids", "ids are unique and stay the same", datasets.ids, 300.0),
    Rule("targets", "targets are in range, samples can be read", datasets.targets),
    Rule("protocols", "sides of every protocol share nothing", datasets.protocols, 300.0),
    Rule("second-load", "the second load is equal and quick", datasets.again),
)

SAMPLER = (
    Rule("decides", "its decision fits the training split", samplers.tried(samplers.decides)),
    Rule("seeded", "one seed, one answer", samplers.tried(samplers.seeded)),
    Rule("untouched", "leaves its input as it was", samplers.tried(samplers.untouched)),
    Rule("streams", "decides on data that stream from files, or says that it cannot", samplers.tried(samplers.streams)),
    Rule("few", "copes with one class and few samples", samplers.tried(samplers.few)),
    Rule("requires", "what it requires is installed", settings.requirements),
)

METRIC = (
    Rule("finite", "finite values of the right shape and range", metrics.finite),
    Rule("direction", "right predictions are worth most, wrong ones least", metrics.direction),
    Rule("order", "the order of the samples makes no difference", metrics.order),
    Rule("shortcuts", "of_confusion and sums agree with compute", metrics.shortcuts),
    Rule("undefined", "NaN and no exception where it is not defined", metrics.undefined),
    Rule("documented", "says what it measures", metrics.documented),
)

SUITE = (Rule("named", "all that it names is installed", settings.everything_named),)


def rules_for(kind: Kind, item: Any) -> Sequence[Rule]:
    """The rules that an object is to keep."""
    if isinstance(item, Model) and item.predictor is not None:
        return FINISHED
    if isinstance(item, Model):
        return ESTIMATOR if item.build is None else NETWORK
    return {"datasets": DATASET, "samplers": SAMPLER, "metrics": METRIC, "suites": SUITE}[kind]
