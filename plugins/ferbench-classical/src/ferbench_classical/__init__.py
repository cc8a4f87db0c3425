"""Classical baselines of facial expression recognition, as ferbench models.

Each describes a picture without a network, and tells the descriptions apart with a support vector machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from ferbench import Choice, Input, Model, NetSpec, Options, Paper, Range, Recipe, Reported, hookimpl

plugin_api = 1

RECIPE = Recipe(input=Input(size=48, channels=1, normalise="unit"))
REFERENCE = NetSpec(classes=7, channels=1, size=48)
TAGS = frozenset({"fer2013-paper"})

SHAN = Paper(
    title="Facial expression recognition based on Local Binary Patterns: A comprehensive study",
    authors="Caifeng Shan, Shaogang Gong, Peter W. McOwan",
    year=2009,
    url="https://doi.org/10.1016/j.imavis.2008.08.005",
    venue="Image and Vision Computing 27(6)",
)
DALAL = Paper(
    title="Histograms of Oriented Gradients for Human Detection",
    authors="Navneet Dalal, Bill Triggs",
    year=2005,
    url="https://doi.org/10.1109/CVPR.2005.177",
    venue="CVPR 2005",
)
ZHI = Paper(
    title="Graph-Preserving Sparse Nonnegative Matrix Factorization With Application to Facial Expression Recognition",
    authors="Ruicong Zhi, Markus Flierl, Qiuqi Ruan, W. Bastiaan Kleijn",
    year=2011,
    url="https://doi.org/10.1109/TSMCB.2010.2044788",
    venue="IEEE Transactions on Systems, Man, and Cybernetics B 41(1)",
)
IONESCU = Paper(
    title="Local Learning to Improve Bag of Visual Words Model for Facial Expression Recognition",
    authors="Radu Tudor Ionescu, Marius Popescu, Cristian Grozea",
    year=2013,
    venue="ICML 2013 Workshop on Challenges in Representation Learning",
)
BAG_CAVEAT = "several weighted pyramids of up to thousands of words, fourth place in the challenge"


class MachineOptions(Options):
    """``cost``: of a sample's error, beside the squared length of the weights (C).

    ``kernel``: linear, or Gaussian (``rbf``) by ``landmarks`` training samples; ``gamma`` is its γ times the number of
    features and their variance.
    """

    cost: float = Field(1.0, gt=0)
    kernel: Literal["linear", "rbf"] = "rbf"
    landmarks: int = Field(1000, ge=1)
    gamma: float = Field(1.0, gt=0)


class BinaryPatternOptions(MachineOptions):
    """A grid of ``rows`` × ``columns`` regions; ``radius`` of the circle of eight neighbours, in pixels."""

    rows: int = Field(7, ge=1)
    columns: int = Field(6, ge=1)
    radius: float = Field(2.0, gt=0)


class GradientOptions(MachineOptions):
    """``cell``: pixels along its side. ``block``: cells along its side. ``orientations``: bins over 180°."""

    cell: int = Field(8, ge=2)
    block: int = Field(2, ge=1)
    orientations: int = Field(9, ge=2)


class PartOptions(MachineOptions):
    """``parts`` of the factorisation, learnt in ``passes`` over the training pictures."""

    parts: int = Field(100, ge=2)
    passes: int = Field(10, ge=1)


class WordOptions(Options):
    """``words`` of the vocabulary; a descriptor every ``step`` pixels, of 4 × 4 cells of ``cell`` pixels.

    ``levels`` of the pyramid: 1 × 1, 2 × 2, … parts. ``neighbours``: training pictures of the machine that each picture
    gets (0: one machine for all). ``cost``: of a sample's error, beside the squared length of the weights (C).
    """

    words: int = Field(1000, ge=2)
    step: int = Field(4, ge=1)
    cell: int = Field(4, ge=1)
    levels: int = Field(3, ge=1)
    neighbours: int = Field(0, ge=0)
    cost: float = Field(0.3, gt=0)


COSTS: dict[str, Choice | Range] = {"model.options.cost": Range(0.001, 10.0, log=True)}
KERNELS: dict[str, Choice | Range] = {**COSTS, "model.options.kernel": Choice(("linear", "rbf"))}


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """Local binary patterns, oriented gradients, non-negative factors, and bags of words in two forms."""
    yield _lbp()
    yield _hog()
    yield _nmf()
    yield _words("", WordOptions(), "one machine for all")
    yield _words("local", WordOptions(neighbours=200), "a machine for each picture from its 200 nearest")


def _lbp() -> Model:
    return Model(
        name="lbp-svm",
        estimator="ferbench_classical.estimators:BinaryPatternSVM",
        options=BinaryPatternOptions(kernel="linear", cost=0.003),
        recipe=RECIPE,
        label_kinds=("hard",),
        reference=REFERENCE,
        search_space=KERNELS | {"model.options.radius": Choice((1.0, 2.0))},
        description="Uniform local binary patterns in 42 regions, linear support vector machine.",
        paper=SHAN,
        tags=TAGS,
        deterministic=True,
    )


def _hog() -> Model:
    return Model(
        name="hog-svm",
        estimator="ferbench_classical.estimators:GradientSVM",
        options=GradientOptions(),
        recipe=RECIPE,
        label_kinds=("hard",),
        reference=REFERENCE,
        search_space=KERNELS | {"model.options.cell": Choice((6, 8))},
        description="Histograms of oriented gradients, support vector machine with landmarks of a Gaussian kernel.",
        paper=DALAL,
        tags=TAGS,
    )


def _nmf() -> Model:
    return Model(
        name="nmf-svm",
        estimator="ferbench_classical.estimators:PartSVM",
        options=PartOptions(),
        recipe=RECIPE,
        label_kinds=("hard",),
        reference=REFERENCE,
        search_space=KERNELS | {"model.options.parts": Choice((50, 100, 200))},
        description="Non-negative factors of the pixels, support vector machine with landmarks of a Gaussian kernel.",
        paper=ZHI,
        tags=TAGS,
    )


def _words(variant: str, options: WordOptions, machine: str) -> Model:
    claim = Reported(
        dataset="fer2013",
        protocol="official",
        split="test",
        metric="accuracy",
        value=0.67484,
        locator="abstract",
        selection="not stated",
        caveat=BAG_CAVEAT,
    )
    return Model(
        name="sift-words-svm",
        variant=variant,
        estimator="ferbench_classical.estimators:WordSVM",
        options=options,
        recipe=RECIPE,
        label_kinds=("hard",),
        reference=REFERENCE,
        small={"model.options.words": 200, "model.options.neighbours": min(30, options.neighbours)},
        search_space=COSTS | {"model.options.words": Choice((500, 1000, 2000))},
        description=f"Presence of dense SIFT words in a spatial pyramid, linear support vector machine: {machine}.",
        paper=IONESCU,
        reported=(claim,) if variant else (),
        tags=TAGS,
    )
