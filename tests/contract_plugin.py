"""A plugin in one file that uses every part of the contract, on data small enough to train in a moment.

Squares (4 classes by quadrant) with 8 subjects; a second label scheme; several labels; a regression; clips that
stream from disk.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ferbench import (
    Adam,
    Batch,
    BinaryCrossEntropy,
    Constant,
    Dataset,
    Fold,
    HorizontalFlip,
    Input,
    Metric,
    Model,
    NetSpec,
    Options,
    Parsed,
    ProtocolRule,
    ReadContext,
    Recipe,
    Removed,
    Sample,
    SampleContext,
    Sampler,
    Samples,
    Scored,
    Split,
    SquaredError,
    Stage,
    StepContext,
    StepResult,
    Suite,
    View,
    given_split,
    hookimpl,
    k_fold,
    leave_one_group_out,
)

CLASSES = ("happiness", "sadness", "anger", "fear")
COUNT = 240
KEPT: list[bytes] = []


def squares() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noisy 8×8 pictures with a bright quadrant, its number, and a subject for each."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, 4, COUNT)
    pictures = rng.integers(0, 120, (COUNT, 8, 8))
    for index, label in enumerate(labels):
        y, x = divmod(int(label), 2)
        pictures[index, y * 4 : y * 4 + 4, x * 4 : x * 4 + 4] += 100
    return pictures.astype(np.uint8), labels, np.array([f"s{i % 8}" for i in range(COUNT)])


def samples(targets: np.ndarray, subjects: np.ndarray, groups: bool = False) -> Samples:
    """Samples with the sides of the data set's own division."""
    origin = np.array(["train"] * 160 + ["val"] * 40 + ["test"] * 40)
    ids = np.array([f"square-{index:03d}" for index in range(COUNT)])
    return Samples(ids, targets, origin, {"subject": subjects} if groups else {})


def read_squares(path: Path | None, context: ReadContext) -> Parsed:
    pictures, labels, subjects = squares()
    return Parsed(samples(labels, subjects), {"image": pictures})


def read_people(path: Path | None, context: ReadContext) -> Parsed:
    pictures, labels, subjects = squares()
    return Parsed(samples(labels, subjects, groups=True), {"image": pictures})


def read_soft(path: Path | None, context: ReadContext) -> Parsed:
    pictures, labels, subjects = squares()
    votes = np.full((COUNT, 4), 0.1, np.float32)
    votes[np.arange(COUNT), labels] = 0.7
    return Parsed(samples(votes, subjects), {"image": pictures})


def read_flags(path: Path | None, context: ReadContext) -> Parsed:
    pictures, labels, subjects = squares()
    flags = np.stack([labels % 2, labels // 2], axis=1).astype(np.float32)
    return Parsed(samples(flags, subjects), {"image": pictures})


def read_values(path: Path | None, context: ReadContext) -> Parsed:
    pictures, labels, subjects = squares()
    values = np.stack([labels % 2 - 0.5, labels // 2 - 0.5], axis=1).astype(np.float32)
    return Parsed(samples(values, subjects), {"image": pictures})


def read_clips(path: Path | None, context: ReadContext) -> Parsed:
    _, labels, subjects = squares()
    return Parsed(samples(labels, subjects), files=[f"clip-{index:03d}" for index in range(COUNT)])


def decode_clip(path: Path, view: View, rng: np.random.Generator) -> Mapping[str, np.ndarray]:
    """Read one clip of a streamed set: the picture whose number the file's name holds."""
    pictures, _, _ = squares()
    return {"image": pictures[int(path.name.partition("-")[2])]}


def half_labels(data: Samples) -> list[Fold]:
    """The given sides, trained on soft labels and tested on hard ones."""
    fold = given_split("train", "val", "test")(data)[0]
    soft = np.full((len(fold.train), 4), 0.1, np.float32)
    soft[np.arange(len(fold.train)), data.targets[fold.train]] = 0.7
    return [Fold(fold.train, fold.val, fold.test, {"train": soft})]


GIVEN = given_split("train", "val", "test")


@hookimpl
def ferbench_datasets() -> Iterator[Dataset]:
    official = ProtocolRule("official", GIVEN)
    yield Dataset(
        "squares",
        "bright quadrants",
        CLASSES,
        (
            official,
            ProtocolRule("two-classes", GIVEN, classes=("anger", "happiness")),
            ProtocolRule("soft-training", half_labels, train_labels="soft", ranking="official"),
            ProtocolRule("3-fold", k_fold(3)),
        ),
        read_squares,
        embedded=True,
        synthetic=True,
    )
    yield Dataset(
        "people",
        "bright quadrants with subjects",
        CLASSES,
        (
            ProtocolRule("by-subject", leave_one_group_out("subject"), unit="subject"),
            ProtocolRule("mixed", GIVEN, unit="subject"),
            ProtocolRule("mixed-allowed", GIVEN, unit="subject", allow_leak=True),
        ),
        read_people,
        embedded=True,
        synthetic=True,
    )
    names = ("odd", "lower")
    yield Dataset("votes", "soft labels", CLASSES, (official,), read_soft, task="soft-labels", embedded=True)
    yield Dataset("flags", "several labels", names, (official,), read_flags, task="multi-label", embedded=True)
    yield Dataset("values", "two dimensions", names, (official,), read_values, task="regression", embedded=True)
    yield Dataset("clips", "streamed", CLASSES, (official,), read_clips, decode=decode_clip, embedded=True)


class TinyOptions(Options):
    width: int = 8


class Tiny(nn.Module):
    """A convolution, a mean over quadrants, a linear head."""

    def __init__(self, spec: NetSpec, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(spec.channels, width, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2))
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(width * 4, spec.classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.drop(self.body(x).flatten(1)))
        return logits


def build(spec: NetSpec, width: int) -> nn.Module:
    return Tiny(spec, width)


def build_wide_output(spec: NetSpec) -> nn.Module:
    return Tiny(NetSpec(spec.classes + 1, spec.channels, spec.size), 4)


def build_nan(spec: NetSpec) -> nn.Module:
    class Diverging(Tiny):
        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            Diverging.calls += self.training
            scores = super().forward(x)
            return scores * float("nan") if Diverging.calls == 8 else scores

    return Diverging(spec, 4)


def build_hungry(spec: NetSpec) -> nn.Module:
    """Pretends that a pass over more than ten pictures does not fit."""

    class Hungry(Tiny):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training and len(x) > 10:
                raise torch.OutOfMemoryError("pretended")
            return super().forward(x)

    return Hungry(spec, 4)


def build_slow(spec: NetSpec, seconds: float = 0.02) -> nn.Module:
    class Slow(Tiny):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            time.sleep(seconds if self.training else 0)
            return super().forward(x)

    return Slow(spec, 4)


def build_leaking(spec: NetSpec) -> nn.Module:
    class Leaking(Tiny):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            KEPT.append(b"x" * 3_000_000 if self.training else b"")
            return super().forward(x)

    return Leaking(spec, 4)


def build_raising(spec: NetSpec) -> nn.Module:
    raise ValueError("this method is broken")


def build_dying(spec: NetSpec) -> nn.Module:
    os.kill(os.getpid(), 9)
    return nn.Identity()


class CentreLoss(nn.Module):
    """Cross-entropy, and a distance to learnt centres: an objective with parameters, a buffer and logs."""

    def __init__(self, spec: NetSpec, width: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.zeros(spec.classes, spec.classes))
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.calls: torch.Tensor

    def forward(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        scores = net(batch.inputs["image"])
        self.calls += 1
        distance = (scores.float() - self.centres[batch.target]).square().mean()
        loss = nn.functional.cross_entropy(scores.float(), batch.target) + 0.01 * distance
        return StepResult(loss, scores, {"distance": float(distance.detach())})


class Distilled:
    """Follows a required teacher, or trains on its stored val scores where there is no network."""

    def __init__(self, spec: NetSpec, width: int) -> None:
        self.teacher: nn.Module | None = None

    def __call__(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        if self.teacher is None:
            self.teacher = context.required["teacher"].network()
        with torch.no_grad():
            target = self.teacher(batch.inputs["image"].float()).softmax(dim=1)
        scores = net(batch.inputs["image"])
        return StepResult(nn.functional.cross_entropy(scores.float(), target), scores)


class Nearest:
    """The nearest class mean: an estimator."""

    def __init__(self) -> None:
        self.means = np.zeros((0, 0))

    def fit(self, data: Any, context: Any) -> None:
        x = data.inputs["image"].reshape(len(data.targets), -1)
        self.means = np.stack([x[data.targets == k].mean(axis=0) for k in range(len(context.classes))])

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        x = inputs["image"].reshape(len(inputs["image"]), -1)
        distances = ((x[:, None] - self.means) ** 2).sum(axis=2)
        scores = np.exp(distances.min(axis=1, keepdims=True) - distances)  # far from all means exp(-distance) is 0
        return np.asarray(scores / scores.sum(axis=1, keepdims=True))

    def state(self) -> tuple[Mapping[str, np.ndarray], Mapping[str, Any]]:
        return {"means": self.means}, {"classes": len(self.means)}

    def restore(self, arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any]) -> None:
        self.means = arrays["means"]
        assert plain["classes"] == len(self.means)


PLAIN = Recipe(epochs=4, batch_size=32, optimizer=Adam(lr=0.02), schedule=Constant())
RECIPE = PLAIN.model_copy(update={"augmentation": (HorizontalFlip(p=0.0),), "input": Input(normalise="signed")})


def tiny(name: str, **changes: Any) -> Model:
    settings: dict[str, Any] = {"build": build, "options": TinyOptions(), "recipe": RECIPE} | changes
    return Model(name, **settings)


@hookimpl
def ferbench_models() -> Iterator[Model]:
    every = ("single-label", "soft-labels")
    yield tiny("tiny", tasks=every, tags=frozenset({"contract"}))
    yield tiny("tiny", variant="wide", options=TinyOptions(width=16), small={"model.options.width": 2})
    yield tiny("tiny", variant="oracle", recipe=RECIPE.model_copy(update={"selection": "oracle"}))
    loss = {"loss": BinaryCrossEntropy()}
    yield tiny("flagged", tasks=("multi-label",), label_kinds=("multi-hot",), recipe=RECIPE.model_copy(update=loss))
    loss_of_values = {"loss": SquaredError()}
    recipe = RECIPE.model_copy(update=loss_of_values)
    yield tiny("valued", tasks=("regression",), label_kinds=("real",), recipe=recipe)
    yield tiny("centred", objective=CentreLoss, label_kinds=("hard",))
    yield tiny("student", objective=Distilled, requires={"teacher": "tiny"})
    stages = (Stage(epochs=2, optimizer=Adam(lr=0.05)), Stage(epochs=2, trainable=("head.*",), start="best"))
    yield tiny("staged", recipe=RECIPE.model_copy(update={"stages": stages}))
    both = (Stage(epochs=2), Stage(epochs=1, sides=("train", "val")))
    yield tiny("both-sides", recipe=RECIPE.model_copy(update={"stages": both, "selection": "last"}))
    plain_input = Recipe(input=Input(normalise="unit"))
    yield Model("nearest", estimator=Nearest, recipe=plain_input, label_kinds=("hard",), deterministic=True)
    builds = (build_slow, build_wide_output, build_nan, build_hungry, build_leaking, build_raising, build_dying)
    names = ("slow", "wrong-shape", "diverging", "hungry", "leaking", "raising", "dying")
    for name, build_badly in zip(names, builds, strict=True):
        yield tiny(name, build=build_badly, options=Options())
    yield tiny("heir", requires={"teacher": "raising"})


def halve(train: Split, context: SampleContext) -> Sample:
    """Keep every second sample, weigh the classes, and say what was left out."""
    kept = np.arange(0, len(train), 2)
    left = tuple(str(name) for name in train.ids[1::2])
    weights = np.where(np.arange(len(train)) % 4 == 0, 2.0, 1.0).astype(np.float32)
    return Sample(indices=kept, weights=weights, removed=(Removed(left, "every second sample"),))


class EchoOptions(Options):
    copies: int = 2


def echo(train: Split, context: SampleContext) -> Sample:
    """Relabel nothing, append copies of the first samples, and write down what the sampler was given."""
    assert isinstance(context.options, EchoOptions)
    count = context.options.copies
    first = train.batch(np.arange(count), View(), context.rng)
    Path(os.environ["FERBENCH_TEST_SEEN"]).write_text(json.dumps([str(name) for name in train.ids]))
    return Sample(
        targets=train.targets.copy(),
        extra_inputs={"image": np.asarray(first.inputs["image"])},
        extra_targets=np.asarray(first.target),
    )


def trust(train: Split, context: SampleContext) -> Sample:
    """Weigh each training sample by what a trained network makes of its label."""
    net = context.required["judge"].network()
    inputs = train.batch(np.arange(len(train)), View(), context.rng).inputs["image"]
    with torch.no_grad():
        scores = net(torch.as_tensor(inputs, dtype=torch.float32)[:, None] / 127.5 - 1).softmax(1).numpy()
    return Sample(weights=scores[np.arange(len(train)), train.targets])


def peek(train: Split, context: SampleContext) -> Sample:
    context.required["judge"].scores("test" if len(train) == 80 else "val")  # type: ignore[arg-type]
    return Sample()


@hookimpl
def ferbench_samplers() -> Iterator[Sampler]:
    yield Sampler("halve", halve, tags=frozenset({"contract"}))
    yield Sampler("echo", echo, options=EchoOptions())
    yield Sampler("trust", trust, requires={"judge": "tiny"})
    yield Sampler("peek", peek, requires={"judge": "tiny"})


def worst_class(scored: Scored) -> float:
    right = scored.scores.argmax(axis=1) == scored.targets
    return float(min(right[scored.targets == k].mean() for k in np.unique(scored.targets)))


def raising(scored: Scored) -> float:
    raise ZeroDivisionError("this metric is broken")


@hookimpl
def ferbench_metrics() -> Iterator[Metric]:
    yield Metric("worst-class", worst_class, description="lowest recall of a class")
    if os.environ.get("FERBENCH_TEST_BROKEN_METRIC"):
        yield Metric("raising", raising)


@hookimpl
def ferbench_suites() -> Iterator[Suite]:
    yield Suite(name="contract", datasets=("squares",), models=("tag:contract",), seeds=(0, 1), metrics=("accuracy",))
