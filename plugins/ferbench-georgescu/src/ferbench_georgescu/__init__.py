"""Local learning with deep and handcrafted features (Georgescu, Ionescu & Popescu 2019), as ferbench models.

The members' networks, which are required by name, and a bag of visual words describe a picture; a linear machine of its
nearest training pictures says what it is. What the paper leaves open was chosen here; the README says what.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from ferbench import (
    SGD,
    Choice,
    HeInit,
    HorizontalFlip,
    InitFrom,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    Plateau,
    Range,
    Recipe,
    Reported,
    Requirement,
    Weights,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Local Learning With Deep and Handcrafted Features for Facial Expression Recognition",
    authors="Mariana-Iuliana Georgescu, Radu Tudor Ionescu, Marius Popescu",
    year=2019,
    url="https://arxiv.org/abs/1804.10892",
    venue="IEEE Access 7",
)

RECIPE = Recipe(input=Input(size=48, channels=1, normalise="unit"))

NETWORK = Recipe(
    epochs=100,
    batch_size=128,
    optimizer=SGD(lr=0.01, momentum=0.9, weight_decay=5e-4),
    schedule=Plateau(factor=0.1, patience=10, monitor="loss"),
    init=HeInit(),
    input=Input(size=224, channels=3, normalise="unit"),
    augmentation=(HorizontalFlip(),),
)

FACE = Weights(
    name="vgg-face",
    description="VGG-face of Parkhi et al. 2015, converted to PyTorch",
    trained_on="VGG-Face (2.6 million pictures of 2,622 people)",
    how_to_get="https://www.robots.ox.ac.uk/~albanie/models/pytorch-mcn/vgg_face_dag.pth",
    licence="CC BY-NC 4.0 (not for commercial use)",
)

MEMBERS = ("ferplus-vgg13", "vgg-f")
TAGS = frozenset({"fer2013-paper"})
BOTH = "ImageNet and VGG-Face"

SPACE: dict[str, Choice | Range] = {
    "model.options.cost": Range(0.1, 1000.0, log=True),
    "model.options.words": Choice((0, 500, 1000, 2000)),
}
LOCAL_SPACE = SPACE | {"model.options.neighbours": Choice((100, 200, 500))}


DATA = (("fer2013", "official"), ("ferplus", "majority"), ("affectnet", "8-class"), ("affectnet", "7-class"))
TABLE = {
    "Pre-trained VGG-face": ((0.6565, 0.6578), (0.8154, 0.8173), (0.4928, 0.5008), (0.5414, 0.5494)),
    "Fine-tuned VGG-face": ((0.7150, 0.7211), (0.8435, 0.8479), (0.5877, 0.5893), (0.6254, 0.6266)),
    "Fine-tuned VGG-f": ((0.6938, 0.7030), (0.8572, 0.8601), (0.5585, 0.5603), (0.6040, 0.6051)),
    "VGG-13": ((0.6631, 0.6651), (0.8438, 0.8441), (0.4050, 0.4175), (0.4460, 0.4457)),
    "Ensemble + global SVM": ((0.7334, 0.7325), (0.8668, 0.8696), (0.5920, 0.5930), (0.6320, 0.6291)),
    "Ensemble + local SVM": ((0.7492, 0.7542), (0.8776, 0.8725), (0.5945, 0.5958), (0.6294, 0.6331)),
}
"""The paper's accuracies on each of ``DATA``, without and with augmentation."""


class LocalOptions(Options):
    """``members``: installed networks whose features are taken.

    ``neighbours``: training pictures of the machine that each picture gets (0: one machine for all). ``cost``: of a
    sample's error, beside the squared length of the weights (C).

    ``words`` of the bag (0: no bag); a descriptor every ``step`` pixels, of 4 × 4 cells of ``cell`` pixels; ``levels``
    of the pyramid. ``sparsity``: share of each layer's weights that the members' second stage holds at zero (0: members
    are trained by their own recipes); ``stages``: epochs dense, sparse, dense.
    """

    members: tuple[str, ...] = Field(MEMBERS, min_length=1, max_length=99)
    neighbours: int = Field(200, ge=0)
    cost: float = Field(100.0, gt=0)
    words: int = Field(1000, ge=0)
    step: int = Field(5, ge=1)
    cell: int = Field(4, ge=1)
    levels: int = Field(3, ge=1)
    sparsity: float = Field(0.6, ge=0, lt=1)
    stages: tuple[int, int, int] = (100, 50, 50)


class NetworkOptions(Options):
    """``hidden``: outputs of both hidden linear layers. ``dropout``: behind either."""

    hidden: int = Field(4096, ge=4)
    dropout: float = Field(0.5, ge=0, lt=1)


class FaceOptions(NetworkOptions):
    """``width``: channels of the first stage; the last has eight times as many."""

    width: int = Field(64, ge=4)


def members(options: LocalOptions) -> Mapping[str, Requirement]:
    """The members' features; dense-sparse-dense replaces the stages of their recipes."""
    dense, sparse, again = options.stages
    parts = [{"epochs": dense}, {"epochs": sparse, "sparsity": options.sparsity}, {"epochs": again}]
    recipe: dict[str, Any] = {"stages": parts} if options.sparsity else {}
    return {
        f"member-{place:02}": Requirement(name, recipe=recipe, gives="features")
        for place, name in enumerate(options.members, 1)
    }


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """The two networks that are not elsewhere, and the machines over features: local, global, with VGG-face."""
    yield from _networks()
    local, whole = (tuple(_claims(f"Ensemble + {kind} SVM", BOTH)) for kind in ("local", "global"))
    faces = LocalOptions(members=(*MEMBERS, "vgg-face"))
    yield _machine("", LocalOptions(), "one for each picture, of its nearest", local)
    yield _machine("global", LocalOptions(neighbours=0, cost=1.0), "one for all pictures", whole)
    yield _machine("vgg-face", faces, "one for each picture, VGG-face among the members", local)


@hookimpl
def ferbench_reported() -> Iterator[Reported]:
    """Rows of the paper's table that have no model here."""
    for row, extra in (("Pre-trained VGG-face", "VGG-Face"), ("VGG-13", "")):
        yield from _claims(row, extra, method=f"{row} (Georgescu)", paper=PAPER)


def _machine(variant: str, options: LocalOptions, what: str, reported: tuple[Reported, ...]) -> Model:
    return Model(
        name="georgescu",
        variant=variant,
        estimator="ferbench_georgescu.estimators:LocalLearner",
        options=options,
        requires=members,
        recipe=RECIPE,
        label_kinds=("hard",),
        search_space=LOCAL_SPACE if options.neighbours else SPACE,
        small={
            "model.options.members": ("small-cnn", "vgg-f", *options.members[2:]),
            "model.options.neighbours": min(30, options.neighbours),
            "model.options.words": 100,
            "model.options.stages": (1, 1, 1),
        },
        description=f"Linear support vector machines over deep features and visual words: {what}.",
        paper=PAPER,
        reported=reported,
        tags=frozenset() if variant == "vgg-face" else TAGS,
    )


def _networks() -> Iterator[Model]:
    pictures = NetSpec(classes=7, channels=3, size=224)
    space = {"recipe.optimizer.lr": Range(1e-4, 3e-2, log=True), "model.options.dropout": Choice((0.25, 0.5))}
    common: dict[str, Any] = {"reference": pictures, "search_space": space, "paper": PAPER}
    yield Model(
        name="vgg-f",
        build="ferbench_georgescu.network:VGGF",
        options=NetworkOptions(),
        recipe=NETWORK,
        small={"recipe.input.size": 64, "model.options.hidden": 256},
        description="Five convolutions and three linear layers, a fast relative of AlexNet, from scratch.",
        reported=tuple(_claims("Fine-tuned VGG-f", "ImageNet")),
        tags=TAGS,
        **common,
    )
    tuned = SGD(lr=1e-3, momentum=0.9, weight_decay=5e-4)
    yield Model(
        name="vgg-face",
        build="ferbench_georgescu.network:VGGFace",
        options=FaceOptions(),
        recipe=NETWORK.model_copy(update={"optimizer": tuned, "init_from": InitFrom(weights=FACE.name)}),
        weights=(FACE,),
        small={"recipe.input.size": 64, "model.options.hidden": 256, "model.options.width": 8},
        description="VGG-16 that has learnt to tell people apart, fine-tuned.",
        reported=tuple(_claims("Fine-tuned VGG-face", "VGG-Face")),
        **common,
    )


def _claims(row: str, extra: str, **named: Any) -> Iterator[Reported]:
    for (dataset, protocol), (plain, augmented) in zip(DATA, TABLE[row], strict=True):
        for value, how in ((augmented, "augmented with mirrored pictures"), (plain, "without augmentation")):
            yield Reported(
                dataset=dataset,
                protocol=protocol,
                split="test",
                metric="accuracy",
                value=value,
                # A row that names its method itself shares its footnote with the others.
                locator=("" if named else f"{row}, ") + "as table 2.1 of Rahman & Mahato (2021) prints it",
                selection="not stated",
                extra_data=extra,
                caveat=how,
                **named,
            )
