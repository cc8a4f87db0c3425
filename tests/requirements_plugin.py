"""Models on the squares of ``contract_plugin.py`` that require others, rightly and wrongly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from torch import nn

from ferbench import (
    Adam,
    Batch,
    Constant,
    FitContext,
    Model,
    NetSpec,
    Options,
    Recipe,
    Removed,
    Requirement,
    Sample,
    SampleContext,
    Sampler,
    Split,
    Stage,
    StepContext,
    StepResult,
    TrainingData,
    hookimpl,
)

RECIPE = Recipe(epochs=1, batch_size=32, optimizer=Adam(lr=0.02), schedule=Constant())


def build(spec: NetSpec, **options: Any) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(spec.channels * spec.size**2, spec.classes))


class Asks:
    """An objective that asks its required cell for the scores of one side."""

    def __init__(self, spec: NetSpec, side: str) -> None:
        self.side: Any = side

    def __call__(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        context.required["teacher"].scores(self.side)
        scores = net(batch.inputs["image"]).float()
        return StepResult(nn.functional.cross_entropy(scores, batch.target), scores)


class AsksOptions(Options):
    side: str = "val"


class LinkOptions(Options):
    further: int = 0
    step: int = -1


def next_link(options: LinkOptions) -> Mapping[str, str | Requirement]:
    if options.further == 0:
        return {"teacher": "tiny"}
    return {"teacher": Requirement("link", options={"further": options.further + options.step, "step": options.step})}


class Echo:
    """Predicts what the first required cell gives, and remembers what it was given when it was fitted."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def fit(self, data: TrainingData, context: FitContext) -> None:
        self.arrays = {role: np.asarray(values) for role, values in data.inputs.items()} | {"labels": data.targets}

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        first = inputs[min(inputs)]
        return first if first.shape[1] == 4 else np.full((len(first), 4), 0.25)

    def state(self) -> tuple[Mapping[str, np.ndarray], Mapping[str, Any]]:
        return self.arrays, {}

    def restore(self, arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any]) -> None:
        self.arrays = dict(arrays)


def clean(train: Split, context: SampleContext) -> Sample:
    """Leave out the samples of which a judge that has not seen them thinks otherwise."""
    guesses = context.required["judge"].scores("out-of-fold").argmax(axis=1)
    doubtful = guesses != train.targets
    removed = Removed(tuple(train.ids[doubtful].tolist()), "the judge disagrees")
    return Sample(indices=np.flatnonzero(~doubtful), removed=(removed,))


@hookimpl
def ferbench_samplers() -> Iterator[Sampler]:
    yield Sampler("cleaned", clean, requires={"judge": Requirement("tiny", out_of_fold=2)})


@hookimpl
def ferbench_models() -> Iterator[Model]:
    asks: dict[str, Any] = {"build": build, "objective": Asks, "options": AsksOptions(), "recipe": RECIPE}
    yield Model("asks", requires={"teacher": Requirement("tiny", recipe={"epochs": 1})}, **asks)
    yield Model("link", build=build, options=LinkOptions(), recipe=RECIPE, requires=next_link)
    yield Model("circle-a", build=build, recipe=RECIPE, requires={"b": "circle-b"})
    yield Model("circle-b", build=build, recipe=RECIPE, requires={"a": "circle-a"})
    yield Model("misnamed", build=build, recipe=RECIPE, requires={"teacher": "tinny"})
    wrong = Requirement("tiny", options={"widht": 4})
    yield Model("misoptioned", build=build, recipe=RECIPE, requires={"teacher": wrong})
    peeking = RECIPE.model_copy(update={"selection": "oracle"})
    yield Model("peeking", build=build, recipe=peeking, extra_data="AffectNet")
    stages = (Stage(epochs=1), Stage(epochs=1, sides=("train", "val")))
    on_both = RECIPE.model_copy(update={"stages": stages, "selection": "last"})
    yield Model("seen-val", build=build, recipe=on_both)
    yield Model("follower", build=build, recipe=RECIPE, requires={"teacher": "peeking", "other": "seen-val"})
    yield Model("follows-follower", build=build, recipe=RECIPE, requires={"teacher": "follower"})
    yield Model("asks-seen-val", requires={"teacher": "seen-val"}, **asks)
    yield Model("grandheir", build=build, recipe=RECIPE, requires={"teacher": "heir"})
    yield Model("of-flags", build=build, recipe=RECIPE, requires={"teacher": "flagged"})
    echo: dict[str, Any] = {"estimator": Echo, "inputs": (), "label_kinds": ("hard",), "deterministic": True}
    narrow = Requirement("tiny", options={"width": 4}, recipe={"epochs": 2}, out_of_fold=3, gives="scores")
    yield Model("stacked", requires={"a": narrow, "b": Requirement("tiny", gives="features")}, **echo)
    yield Model("in-sample", requires={"a": Requirement("tiny", gives="scores")}, **echo)
    yield Model("on-nearest", requires={"a": Requirement("nearest", gives="scores", out_of_fold=2)}, **echo)
    yield Model("on-peeking", requires={"a": Requirement("peeking", gives="features")}, **echo)
    yield Model("on-known-val", requires={"a": Requirement("seen-val", gives="scores")}, fits="val", **echo)
    yield Model("on-val", requires={"a": Requirement("tiny", gives="scores")}, fits="val", **echo)
