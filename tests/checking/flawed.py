"""Models, samplers and metrics with one fault each, and sound ones beside them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ferbench import (
    Batch,
    Choice,
    HorizontalFlip,
    Input,
    Metric,
    Model,
    NetSpec,
    Paper,
    RandomCrop,
    Range,
    Recipe,
    Reported,
    Sample,
    SampleContext,
    Sampler,
    Scored,
    Split,
    Stage,
    StepContext,
    StepResult,
    hookimpl,
)

SMALL = NetSpec(classes=4, channels=1, size=12)
PAPER = Paper("On networks", "A. Author", 2020)


class Sound(nn.Module):
    """A convolution and two linear layers."""

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(spec.channels, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(256, spec.classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.body(x))
        return logits


class FourClasses(Sound):
    def __init__(self, spec: NetSpec) -> None:
        super().__init__(NetSpec(4, spec.channels, spec.size))


class NotANumber(Sound):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) / 0 * 0


class Sociable(Sound):
    """Scores are taken relative to the batch's mean."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = super().forward(x)
        return scores - scores.mean(dim=0)


class Dicing(Sound):
    """Dropout that does not stop in evaluation mode."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(super().forward(x), 0.5, training=True)


class Forgetful(Sound):
    """Multiplies by numbers that are no part of its state."""

    def __init__(self, spec: NetSpec) -> None:
        super().__init__(spec)
        self.hidden = torch.randn(spec.classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * self.hidden


class Homesick(Sound):
    """Answers from the CPU."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x).cpu()


class Reading(Sound):
    """Decides by a number of its batch."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * (2 if x.sum().item() > 0 else 1)


class FarLoss:
    """Weighs classes with numbers that lie on the CPU."""

    def __init__(self, spec: NetSpec) -> None:
        self.weights = torch.ones(spec.classes)

    def __call__(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        scores = net(batch.inputs["image"])
        return StepResult((nn.functional.log_softmax(scores, 1) * self.weights).mean().neg(), scores, {})


class Idle(Sound):
    """Has a layer that it does not use."""

    def __init__(self, spec: NetSpec) -> None:
        super().__init__(spec)
        self.unused = nn.Linear(3, 3)


class Blind(Sound):
    """Sees each picture's mean alone, cut off from learning."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(torch.zeros_like(x))


class Slow(Sound):
    """Sound, with running statistics at Keras's pace."""

    def __init__(self, spec: NetSpec) -> None:
        super().__init__(spec)
        self.body = nn.Sequential(nn.Conv2d(spec.channels, 16, 3), nn.BatchNorm2d(16, momentum=0.01), nn.ReLU())
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.BatchNorm1d(256, momentum=0.01), nn.Linear(256, spec.classes)
        )


class Stale(Slow):
    """Its running statistics never follow."""

    def __init__(self, spec: NetSpec) -> None:
        super().__init__(spec)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.momentum = 0.0


class Maskless(Sound):
    """Takes the mean over all frames of a clip, also those that only fill it up."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return super().forward(x.flatten(0, 1)).view(*x.shape[:2], -1).mean(dim=1)


class Masked(Sound):
    """Takes the mean over the real frames."""

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        real = torch.ones(x.shape[:2], dtype=torch.bool) if mask is None else mask
        scores = super().forward(x.flatten(0, 1)).view(*x.shape[:2], -1) * real.unsqueeze(2)
        return scores.sum(dim=1) / real.sum(dim=1, keepdim=True)


class Electrodes(nn.Module):
    """A filter over time and one over electrodes."""

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv1d(spec.channels, 16, 9), nn.BatchNorm1d(16), nn.ReLU())
        self.head = nn.Sequential(nn.AdaptiveAvgPool1d(8), nn.Flatten(), nn.Linear(128, spec.classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.body(x))
        return logits


class Unseeded(Sound):
    """Draws from a generator that no seed reaches."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        noise = torch.from_numpy(np.random.default_rng().normal(0, 0.1, x.shape)).float()
        return super().forward(x + noise if self.training else x)


def hangs(spec: NetSpec) -> nn.Module:
    time.sleep(600)
    return Sound(spec)


def dies(spec: NetSpec) -> nn.Module:
    print("the last words of a network")
    os._exit(7)


class Mean:
    """A sound estimator: each class's share."""

    def __init__(self) -> None:
        self.shares = np.zeros(0)

    def fit(self, data: Any, context: Any) -> None:
        self.shares = np.bincount(data.targets, minlength=len(context.classes)) / len(data.targets)

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.tile(self.shares, (len(inputs["image"]), 1))

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        return {"shares": self.shares}, {}

    def restore(self, arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any]) -> None:
        self.shares = arrays["shares"]


class Logits(Mean):
    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        return super().predict(inputs) * 3


class Amnesic(Mean):
    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        return {"shares": self.shares[::-1].copy() * 0.5}, {}


class Moody(Mean):
    def fit(self, data: Any, context: Any) -> None:
        super().fit(data, context)
        self.shares = np.roll(self.shares, int(np.random.randint(1, 1000))) + np.random.rand()


class Relative(Mean):
    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        return super().predict(inputs) / len(inputs["image"])


class Even:
    """A finished model that knows nothing."""

    def __init__(self, weights: Mapping[str, Any]) -> None:
        """There is nothing to load."""

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        first = inputs["image"].reshape(len(inputs["image"]), -1)[:, 0] / 512
        return np.stack([first, 1 - first], axis=1)


class Loud(Even):
    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        return 2 * super().predict(inputs)


class Crowded(Even):
    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        shares = super().predict(inputs)
        return np.asarray(shares + np.array([1, -1]) * shares.min() * (len(shares) > 1))


class Fickle(Even):
    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        first = np.random.rand(len(inputs["image"]))
        return np.stack([first, 1 - first], axis=1)


def model(name: str, build: Any = Sound, **changes: Any) -> Model:
    return Model(name, **{"build": build, "reference": SMALL, "recipe": Recipe(input=Input(channels=1))} | changes)


@hookimpl
def ferbench_models() -> Iterator[Model]:
    crop = Recipe(batch_size=8, augmentation=(RandomCrop(size=12), HorizontalFlip()), input=Input(channels=1))
    stages = (Stage(epochs=2, trainable=("head.*",)), Stage(epochs=2, trainable=("head.*",)))
    yield model("sound", recipe=crop, search_space={"recipe.optimizer.lr": Range(1e-4, 1e-1, log=True)}, paper=PAPER)
    yield model("head-only", recipe=Recipe(stages=stages, input=Input(channels=1)))
    yield model("four-classes", FourClasses)
    yield model("not-a-number", NotANumber)
    yield model("sociable", Sociable)
    yield model("dicing", Dicing)
    yield model("forgetful", Forgetful)
    yield model("homesick", Homesick)
    yield model("reading", Reading)
    yield model("far", objective=FarLoss, label_kinds=("hard",))
    yield model("idle", Idle)
    yield model("blind", Blind)
    yield model("slow", Slow)
    yield model("stale", Stale)
    yield model("unseeded", Unseeded)
    yield model("unresolved", "no_such_module:build")
    yield model("lost-in-space", search_space={"recipe.optimizer.rate": Choice((0.1,)), "epochs": Choice((1,))})
    yield model("stunted", small={"recipe.input.sise": 8})
    yield model("halved", search_space={"recipe.batch_size": Range(8, 64)})
    yield model("orphan", requires={"teacher": "no-such-model"})
    yield model("boastful", paper=PAPER, reported=[Reported("fer2013", "official", "test", "accuracy", 70.2, "")])
    yield model("hangs", hangs)
    yield model("dies", dies)
    clips = {"modality": "video", "inputs": ("video",), "recipe": Recipe(input=Input(channels=1))}
    yield model("masked", Masked, **clips)
    yield model("maskless", Maskless, **clips)
    signals = {"modality": "eeg", "inputs": ("eeg",), "reference": NetSpec(classes=3, channels=6, size=64)}
    yield model("electrodes", Electrodes, **signals, recipe=Recipe(input=Input(normalise="mean-std")))
    yield model("mirrored-eeg", Electrodes, **signals, recipe=Recipe(augmentation=(HorizontalFlip(),)))
    for kind in (Mean, Logits, Amnesic, Moody, Relative):
        yield model(kind.__name__.lower(), None, estimator=kind)
    for made in (Even, Loud, Crowded, Fickle):
        yield model(made.__name__.lower(), None, predictor=made, classes=("happy", "sad"), raw=True)
    packages = {"no_such_module": "pip install no-such-package"}
    yield model("unpacked", None, predictor=Even, classes=("happy", "sad"), packages=packages)


def keep_all(train: Split, context: SampleContext) -> Sample:
    return Sample(indices=context.rng.permutation(len(train)))


def unseeded(train: Split, context: SampleContext) -> Sample:
    return Sample(indices=np.random.permutation(len(train)))


def scribbler(train: Split, context: SampleContext) -> Sample:
    if train.targets.flags.writeable:
        train.targets[0] = 3
    return Sample()


def too_far(train: Split, context: SampleContext) -> Sample:
    return Sample(indices=np.arange(len(train) + 1))


def all_classes(train: Split, context: SampleContext) -> Sample:
    counts = np.bincount(train.targets, minlength=len(context.classes))
    return Sample(indices=np.flatnonzero(train.targets == [k for k in range(4) if counts[k] > 3][3]))


def looking(train: Split, context: SampleContext) -> Sample:
    assert train.arrays is not None, "these are not in memory"
    return Sample()


@hookimpl
def ferbench_samplers() -> Iterator[Sampler]:
    for name, function in {"keep-all": keep_all, "unseeded-sampler": unseeded, "scribbler": scribbler}.items():
        yield Sampler(name, function)
    yield Sampler("too-far", too_far)
    yield Sampler("looking", looking)
    yield Sampler("looking-by-word", looking, streams=False)
    yield Sampler("all-classes", all_classes)


def right(scored: Scored) -> np.ndarray:
    told: np.ndarray = scored.scores.argmax(axis=1) == scored.targets
    return told


@hookimpl
def ferbench_metrics() -> Iterator[Metric]:
    def share(scored: Scored) -> float:
        return float(right(scored).mean())

    yield Metric("share", share, percent=True, description="share that is right")
    yield Metric("percentage", lambda scored: 100 * share(scored), percent=True)
    yield Metric("backwards", share, higher_is_better=False)
    yield Metric("first-ten", lambda scored: float(right(scored)[:10].mean()))
    yield Metric("endless", lambda scored: float("nan"))
    yield Metric("disagreeing", share, of_confusion=lambda counts: counts.trace(axis1=-2, axis2=-1))
    yield Metric("second-sample", lambda scored: float(right(scored)[[0, 1]].sum()))
