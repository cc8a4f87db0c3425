"""Tang's network with a support vector machine on top, which won the FER2013 challenge, and its softmax twin.

How it is trained stands in the author's code (``script_face_exp.m``, ``fe_cv_48.m``); the file that holds its layers
could not be read. What both leave open is chosen here, and the README says what.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from ferbench import (
    L2,
    SGD,
    Affine,
    Choice,
    CrossEntropy,
    HorizontalFlip,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    RandomCrop,
    RandomViews,
    Range,
    Recipe,
    Reported,
    SquaredHinge,
    Step,
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

STEPS, HALVED = 50_000, 20_000
"""Steps of the author's training, and those after which the learning rate would be half but for its two cuts."""

PARTS, PART_EPOCHS = 12, 37
"""Parts of one learning rate each, and their epochs; all together are 50,000 steps of FER2013 in batches of 256."""


def _rate(part: int) -> float:
    """What the learning rate is multiplied by when ``part`` begins: a tenth after 2/3, a tenth of that after 5/6."""
    return 0.1 ** ((part >= PARTS * 2 // 3) + (part >= PARTS * 5 // 6)) / (1 + part / PARTS * STEPS / HALVED)


RECIPE = Recipe(
    epochs=PARTS * PART_EPOCHS,
    batch_size=256,
    # 0.05 in the code, for a loss and initial weights of unknown size; with these here it loses the network.
    optimizer=SGD(lr=0.01, momentum=0.9, weight_decay=5e-4),
    schedule=Step(
        milestones=tuple(PART_EPOCHS * part for part in range(1, PARTS)),
        factor=tuple(round(_rate(part) / _rate(part - 1), 4) for part in range(1, PARTS)),
    ),
    loss=SquaredHinge(),
    terms=(L2(patterns=("svm.weight",), weight=1e-3),),
    input=Input(size=48, channels=1, normalise="each"),
    augmentation=(Affine(degrees=15, translate=0.05, scale=(0.9, 1.1)), RandomCrop(size=42), HorizontalFlip()),
    tta=RandomViews(count=64),
    selection="last",
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
        small={"recipe.tta": {"name": "none"}},
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
