"""Tang's network with a support vector machine on top, which won the FER2013 challenge, and its softmax twin."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from ferbench import (
    L2,
    SGD,
    Affine,
    Choice,
    Cosine,
    CrossEntropy,
    HorizontalFlip,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    RandomCrop,
    Range,
    Recipe,
    Reported,
    SquaredHinge,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Deep Learning using Linear Support Vector Machines",
    authors="Yichuan Tang",
    year=2013,
    venue="ICML Workshop on Challenges in Representation Learning",
    url="https://arxiv.org/abs/1306.0239",
)

RECIPE = Recipe(
    epochs=100,
    batch_size=128,
    optimizer=SGD(lr=0.01, momentum=0.9, weight_decay=5e-4),
    schedule=Cosine(),
    loss=SquaredHinge(),
    terms=(L2(patterns=("svm.weight",), weight=1e-3),),
    input=Input(size=48, channels=1, normalise="each"),
    augmentation=(Affine(degrees=15, translate=0.05, scale=(0.9, 1.1)), RandomCrop(size=42), HorizontalFlip()),
)

SOFTMAX = RECIPE.model_copy(update={"loss": CrossEntropy(), "terms": ()})

SPACE: dict[str, Choice | Range] = {
    "recipe.optimizer.weight_decay": Range(1e-5, 1e-2, log=True),
    "recipe.optimizer.lr": Choice((0.001, 0.003, 0.01, 0.03)),
    "model.options.dropout": Choice((0.0, 0.2, 0.5)),
}
"""The paper chooses weight decay and other values by cross-validation, and names no grid."""


UNREAD = "not verified in the paper itself"


class TangOptions(Options):
    """``hidden``: rectified units below the machine. ``standardise``: each pixel over the training pictures."""

    hidden: int = Field(3072, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    standardise: bool = True


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """The support vector machine, and the softmax that the paper compares it with."""
    svm = "Two convolutions and 3,072 hidden units below an L2-SVM, one class against the rest."
    yield _model("", RECIPE, svm, (0.712, 0.694), {"recipe.terms.0.weight": Range(1e-5, 1e-1, log=True), **SPACE})
    yield _model("softmax", SOFTMAX, "The same network with softmax and cross-entropy.", (0.701, 0.693), SPACE)


def _model(
    variant: str, recipe: Recipe, description: str, scores: tuple[float, float], space: dict[str, Choice | Range]
) -> Model:
    private, public = scores
    doubt = f"; {UNREAD}" if variant else ""  # the winner's number stands in many later tables
    return Model(
        name="tang-svm",
        variant=variant,
        build="ferbench_tang_svm.network:TangSVM",
        options=TangOptions(),
        recipe=recipe,
        label_kinds=("hard", "drawn") if recipe.loss.name == "squared-hinge" else ("hard", "soft", "drawn", "accepted"),
        reference=NetSpec(classes=7, channels=1, size=42),
        search_space=space,
        description=description,
        paper=PAPER,
        reported=(
            _reported("test", private, "private leaderboard", f"several networks are averaged{doubt}"),
            _reported("val", public, "public leaderboard", f"PublicTest, by which it was chosen; {UNREAD}"),
        ),
        tags=frozenset() if variant else frozenset({"fer2013-paper"}),
    )


def _reported(split: str, value: float, place: str, caveat: str) -> Reported:
    return Reported(
        dataset="fer2013",
        protocol="official",
        split=split,
        metric="accuracy",
        value=value,
        locator=f"Table 1, {place}",
        classes=7,
        selection="not stated",
        caveat=caveat,
    )
