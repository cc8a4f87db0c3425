"""Deep-Emotion: an attentional network with fewer than ten layers, as ferbench models.

What the paper leaves open was read in the public port (omarsayed7/Deep-Emotion) or chosen; the README says which.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from ferbench import (
    L2,
    Adam,
    Choice,
    Input,
    Model,
    NetSpec,
    NormalInit,
    Options,
    Paper,
    Range,
    Recipe,
    Reported,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Deep-Emotion: Facial Expression Recognition Using Attentional Convolutional Network",
    authors="Shervin Minaee, Mehdi Minaei, Amirali Abdolrashidi",
    year=2021,
    venue="Sensors 21(9):3046",
    url="https://arxiv.org/abs/1902.01019",
)

LINEAR = ("hidden.weight", "output.weight")
"""The last two fully connected layers, whose weights the loss also holds down."""

RECIPE = Recipe(
    epochs=500,
    batch_size=128,
    optimizer=Adam(lr=0.005, weight_decay=1e-4),
    terms=(L2(patterns=LINEAR, weight=1e-3),),
    init=NormalInit(sd=0.05),
    input=Input(size=48, channels=1, normalise="signed"),
)

PORT = Recipe(
    epochs=100,
    batch_size=128,
    optimizer=Adam(lr=0.005),
    input=Input(size=48, channels=1, normalise="signed"),
    selection="last",
)

SPACE: dict[str, Choice | Range] = {
    "recipe.terms.0.weight": Range(1e-5, 1e-1, log=True),
    "recipe.optimizer.lr": Choice((0.0005, 0.001, 0.005)),
    "recipe.optimizer.weight_decay": Choice((0.0, 1e-5, 1e-4, 1e-3)),
}
"""The paper tunes the weight of the L2 term on val, and names no grid."""


class DeepEmotionOptions(Options):
    """``dropout``: before the linear layers. ``dropout_at_test``: leave it on at evaluation, the port's mistake."""

    dropout: float = Field(0.5, ge=0, lt=1)
    dropout_at_test: bool = False


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """The paper's recipe, its loss as it is written elsewhere, and the port with and without its mistake."""
    norm = RECIPE.model_copy(update={"terms": (L2(patterns=LINEAR, weight=1e-3, squared=False),)})
    yield _model("", RECIPE, "Spatial transformer and four small convolutions, trained as the paper says.")
    yield _model("norm", norm, "As the paper, with the L2 norm of the last two layers instead of its square.")
    yield _model("port", PORT, "The recipe of the public port, with dropout off at evaluation.")
    yield _model("port-dropout", PORT, "The public port as it is: dropout stays on at evaluation.", mistake=True)


def _model(variant: str, recipe: Recipe, description: str, *, mistake: bool = False) -> Model:
    return Model(
        name="deep-emotion",
        variant=variant,
        build="ferbench_deep_emotion.network:DeepEmotion",
        options=DeepEmotionOptions(dropout_at_test=mistake),
        recipe=recipe,
        reference=NetSpec(classes=7, channels=1, size=48),
        search_space=SPACE if recipe.terms else {key: SPACE[key] for key in list(SPACE)[1:]},
        description=description,
        paper=PAPER,
        reported=REPORTED if not variant else (),
        tags=frozenset() if variant else frozenset({"fer2013-paper"}),
    )


SPLIT_PICTURES = "pictures are split, not people: the same face is likely on both sides"

REPORTED = (
    Reported(
        dataset="fer2013",
        protocol="official",
        split="test",
        metric="accuracy",
        value=0.7002,
        locator="Table of results on FER2013",
        classes=7,
        caveat="not reproduced: users of the public port report 47 to 52 %",
    ),
    *(
        Reported(
            dataset=dataset,
            protocol=protocol,
            split="test",
            metric="accuracy",
            value=value,
            locator=f"Table of results on {title}",
            classes=7,
            selection="not stated",
            caveat=caveat,
        )
        for dataset, title, protocol, value, caveat in (
            ("ck-plus", "CK+", "image-70-10-20", 0.98, SPLIT_PICTURES),
            ("jaffe", "JAFFE", "image-70-10-20", 0.928, f"120, 23 and 70 pictures; {SPLIT_PICTURES}"),
            ("ferg", "FERG", "34k-14k-7k", 0.993, "frames of one drawn character are on all sides"),
        )
    ),
)
