"""Samplers against class imbalance: weights, over- and undersampling, SMOTE, balanced batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from ferbench import Options, Paper, Sampler, Suite, hookimpl

plugin_api = 1

TAG = "fer2013-samplers"
"""By which the samplers of other packages join the suite."""

EFFECTIVE_NUMBER = Paper(
    title="Class-Balanced Loss Based on Effective Number of Samples",
    authors="Yin Cui, Menglin Jia, Tsung-Yi Lin, Yang Song, Serge Belongie",
    year=2019,
    venue="CVPR",
    url="https://arxiv.org/abs/1901.05555",
)
SMOTE = Paper(
    title="SMOTE: Synthetic Minority Over-sampling Technique",
    authors="Nitesh V. Chawla, Kevin W. Bowyer, Lawrence O. Hall, W. Philip Kegelmeyer",
    year=2002,
    venue="Journal of Artificial Intelligence Research 16",
    url="https://arxiv.org/abs/1106.1813",
)


class ClassWeightsOptions(Options):
    """``scheme``: by the inverse of a class's count, or of its effective number (Cui et al. 2019, proposition 1).

    ``beta``: of the effective number; 0 weighs all classes alike, towards 1 it becomes the inverse count.
    """

    scheme: Literal["inverse", "effective-number"] = "inverse"
    beta: float = Field(0.9999, ge=0, lt=1)


class SmoteOptions(Options):
    """``space``: where neighbours are looked for: among pixels, or in the features of a trained ``model``.

    ``neighbours``: a new picture lies between a picture and one of so many nearest ones of its class.
    """

    space: Literal["pixels", "features"] = "pixels"
    model: str = "small-cnn"
    neighbours: int = Field(5, ge=1)


class RosAugmentOptions(Options):
    """``flip``: the share of copies that are mirrored. ``degrees``: each is turned by up to so many, either way.

    ``shift``: and moved by up to this share of its width and height.
    """

    flip: float = Field(0.5, ge=0, le=1)
    degrees: float = Field(10.0, ge=0, le=180)
    shift: float = Field(0.1, ge=0, le=0.5)


def smote_requires(options: SmoteOptions) -> Mapping[str, str]:
    """The network whose features tell which pictures are alike, where they are to."""
    return {"features": options.model} if options.space == "features" else {}


@hookimpl
def ferbench_samplers() -> Iterator[Sampler]:
    """Six ways to treat the imbalance of classes."""
    joins = frozenset({TAG})
    yield Sampler(
        "class-weights",
        "ferbench_sampling.weighing:class_weights",
        "Weighs samples in the loss by the rarity of their class (scheme inverse or effective-number).",
        options=ClassWeightsOptions(),
        tags=joins,
        paper=EFFECTIVE_NUMBER,
    )
    yield Sampler(
        "random-oversampling",
        "ferbench_sampling.repeating:random_oversampling",
        "Repeats random samples of every class until all are as large as the largest.",
        tags=joins,
    )
    yield Sampler(
        "undersampling",
        "ferbench_sampling.repeating:undersampling",
        "Leaves out random samples of every class until all are as small as the smallest.",
        tags=joins,
    )
    yield Sampler(
        "balanced-batches",
        "ferbench_sampling.repeating:balanced_batches",
        "As many samples of each class in every batch; an epoch has as many batches as without.",
        tags=joins,
    )
    yield Sampler(
        "smote",
        "ferbench_sampling.smote:smote",
        "Makes pictures between neighbours of one class (space pixels or features) until all classes are as large.",
        options=SmoteOptions(),
        requires=smote_requires,
        streams=False,
        tags=joins,
        paper=SMOTE,
    )
    yield Sampler(
        "ros+augment",
        "ferbench_sampling.augmented:ros_augment",
        "Random oversampling whose copies are mirrored, turned and shifted at random.",
        options=RosAugmentOptions(),
        streams=False,
        tags=joins,
    )


@hookimpl
def ferbench_suites() -> Iterator[Suite]:
    """Every installed sampler with three methods."""
    yield Suite(
        name=TAG,
        description="What sampling the training data of FER2013 does to three methods. A sampler joins with the tag "
        f"{TAG}.",
        datasets=("fer2013@official",),
        models=("small-cnn", "lmu-cnn", "logistic-regression"),
        samplers=("plain", f"tag:{TAG}"),
        metrics=("accuracy", "balanced-accuracy", "macro-f1", "log-loss", "ece"),
        seeds=(0, 1, 2),
    )
