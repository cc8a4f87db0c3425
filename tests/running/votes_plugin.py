"""A plugin in one file: a data set that keeps the votes of its annotators, and models for labels of every kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ferbench import (
    L2,
    Adam,
    Batch,
    BinaryCrossEntropy,
    Centre,
    CrossEntropy,
    Dataset,
    Focal,
    Fold,
    Input,
    LabelKind,
    Model,
    NetSpec,
    Parsed,
    ProtocolRule,
    ReadContext,
    Recipe,
    Samples,
    SquaredHinge,
    Stage,
    StepContext,
    StepResult,
    Suite,
    given_split,
    hookimpl,
)

CLASSES = ("happiness", "sadness", "anger", "fear")
COUNT = 200


def read(path: Path | None, context: ReadContext) -> Parsed:
    """Noisy 8×8 pictures with a bright quadrant, for which seven of ten annotators vote on average."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 4, COUNT)
    pictures = rng.integers(0, 120, (COUNT, 8, 8))
    for picture, label in zip(pictures, labels, strict=True):
        y, x = divmod(int(label), 2)
        picture[y * 4 : y * 4 + 4, x * 4 : x * 4 + 4] += 100
    votes = np.stack([rng.multinomial(10, np.where(np.arange(4) == label, 0.7, 0.1)) for label in labels])
    ids = np.array([f"voted-{index:03d}" for index in range(COUNT)])
    origin = np.array(["train"] * 120 + ["val"] * 40 + ["test"] * 40)
    samples = Samples(ids, votes.argmax(axis=1), origin, columns={"votes": votes.astype(np.float32)})
    return Parsed(samples, {"image": pictures.astype(np.uint8)})


def rule(kind: LabelKind) -> ProtocolRule:
    """Trained on the votes, tested on the majority."""

    def divide(samples: Samples) -> list[Fold]:
        fold = given_split("train", "val", "test")(samples)[0]
        shares = samples.columns["votes"][fold.train] / 10
        labels = (shares >= 0.3) if kind == "accepted" else shares
        return [Fold(fold.train, fold.val, fold.test, {"train": labels.astype(np.float32)})]

    return ProtocolRule(kind, divide, train_labels=kind, ranking="majority")


@hookimpl
def ferbench_datasets() -> Iterator[Dataset]:
    """The data set."""
    majority = ProtocolRule("majority", given_split("train", "val", "test"))
    rules = (majority, rule("soft"), rule("drawn"), rule("accepted"))
    yield Dataset("voted", "quadrants that people voted on", CLASSES, rules, read, embedded=True, synthetic=True)


class Tiny(nn.Module):
    """A convolution, means of quadrants, a linear head."""

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(spec.channels, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2))
        self.head = nn.Linear(24, spec.classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits."""
        logits: torch.Tensor = self.head(self.body(x).flatten(1))
        return logits


class Own:
    """An objective of a method's own, which takes targets of every form."""

    def __init__(self, spec: NetSpec) -> None:
        pass

    def __call__(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        scores = net(batch.inputs["image"])
        hard = batch.target if batch.target.ndim == 1 else batch.target.argmax(dim=1)
        return StepResult(nn.functional.cross_entropy(scores.float(), hard), scores)


class Mean:
    """The mean of the targets: an estimator of probabilities."""

    def __init__(self) -> None:
        self.mean = np.zeros(0)

    def fit(self, data: Any, context: Any) -> None:
        """Average."""
        self.mean = data.targets.mean(axis=0)

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """The mean for every sample."""
        return np.tile(self.mean, (len(inputs["image"]), 1))

    def state(self) -> tuple[Mapping[str, np.ndarray], Mapping[str, Any]]:
        """The mean."""
        return {"mean": self.mean}, {}

    def restore(self, arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any]) -> None:
        """Take it over."""
        self.mean = arrays["mean"]


RECIPE = Recipe(epochs=3, batch_size=32, optimizer=Adam(lr=0.02), input=Input(normalise="signed"))
LOSSES = {"entropy": CrossEntropy(), "focal": Focal(), "hinge": SquaredHinge(), "binary": BinaryCrossEntropy()}


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """A model for each loss, and others."""
    for name, loss in LOSSES.items():
        yield Model(name, build=Tiny, recipe=RECIPE.model_copy(update={"loss": loss}))
    both = (Stage(epochs=2), Stage(epochs=1, sides=("train", "val")))
    joined = RECIPE.model_copy(update={"stages": both, "selection": "last"})
    yield Model("both-sides", build=Tiny, recipe=joined, label_kinds=("accepted",))
    yield Model("centred", build=Tiny, recipe=RECIPE.model_copy(update={"terms": (Centre(island=0.1),)}))
    yield Model("shrunk", build=Tiny, recipe=RECIPE.model_copy(update={"terms": (L2(patterns=("head.*",)),)}))
    yield Model("own", build=Tiny, objective=Own, recipe=RECIPE.model_copy(update={"loss": SquaredHinge()}))
    yield Model("heir", build=Tiny, recipe=RECIPE, requires={"teacher": "hinge"})
    yield Model("mean", estimator=Mean, recipe=Recipe(input=Input()), label_kinds=("drawn",), deterministic=True)


@hookimpl
def ferbench_suites() -> Iterator[Suite]:
    """Every scheme."""
    yield Suite(
        name="voted",
        datasets=tuple(f"voted@{name}" for name in ("majority", "soft", "drawn", "accepted")),
        models=("entropy",),
        seeds=(0,),
        metrics=("accuracy", "votes-kl", "votes-cosine"),
    )
