"""Repeated knowledge distillation: a CNN teaches a vision transformer, which teaches the next, and so on.

A report from Kancheepuram plans this and gives no settings and no numbers: what it says of its DeiT stands here, the
distillation is Touvron et al.'s, and the README marks what was chosen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from ferbench import (
    AdamW,
    Affine,
    Choice,
    CrossEntropy,
    CutMix,
    HorizontalFlip,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    Plateau,
    RandomErasing,
    Recipe,
    Requirement,
    Suite,
    SuiteRow,
    TruncatedNormalInit,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Multi Modal Emotion Recognition",
    authors="B. Bavesh",
    year=2022,
    venue="B.Tech. project, IIITDM Kancheepuram",
)

RECIPE = Recipe(
    epochs=145,
    batch_size=64,
    optimizer=AdamW(lr=1.5e-4, weight_decay=1e-4),
    schedule=Plateau(factor=0.75, patience=5),
    loss=CrossEntropy(),
    init=TruncatedNormalInit(sd=0.02),
    input=Input(size=224, channels=1, normalise="unit"),
    augmentation=(HorizontalFlip(p=0.5), Affine(degrees=30), RandomErasing(), CutMix(alpha=1.0, p=0.5)),
    val_batch_size=64,
)


class StudentOptions(Options):
    """``teacher``: any installed image model that is a network. ``rounds``: the student of one teaches the next.

    ``form``, ``share`` and ``temperature`` (of soft distillation): of the imitation in the loss. ``patch`` (pixels),
    ``width``, ``depth``, ``heads``: of the transformer, DeiT-Ti's. ``drop_path``: stochastic depth of the last block.
    ``joint``: how both heads are read at test.
    """

    teacher: str = "fusion-resnet18"
    rounds: int = Field(1, ge=1, le=15)
    form: Literal["hard", "soft"] = "hard"
    share: float = Field(0.5, gt=0, lt=1)
    temperature: float = Field(3.0, gt=0)
    patch: int = Field(16, ge=1)
    width: int = Field(192, ge=1)
    depth: int = Field(12, ge=1)
    heads: int = Field(3, ge=1)
    drop_path: float = Field(0.1, ge=0, lt=1)
    joint: Literal["probability", "logit", "class", "distillation"] = "probability"


HARD = StudentOptions()
SOFT = StudentOptions(form="soft", share=0.1)
ROUNDS = 3


def teachers(options: StudentOptions) -> Mapping[str, Requirement]:
    """The teacher of the first round, or the student of the round before with all else alike."""
    if options.rounds == 1:
        return {"teacher": Requirement(options.teacher)}
    name = "distilled-deit@soft" if options.form == "soft" else "distilled-deit"
    return {"teacher": Requirement(name, options=options.model_dump() | {"rounds": options.rounds - 1})}


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """One round with hard labels or with soft ones, and three rounds."""
    for variant, options, what in (
        ("", HARD, "A vision transformer that imitates a CNN's choices through a token of its own."),
        ("soft", SOFT, "A vision transformer that imitates a CNN's probabilities through a token of its own."),
        ("repeated", HARD.model_copy(update={"rounds": ROUNDS}), f"The student of {ROUNDS} rounds of distillation."),
    ):
        yield Model(
            name="distilled-deit",
            variant=variant,
            build="ferbench_repeated_distillation.network:build_student",
            objective="ferbench_repeated_distillation.objective:Distillation",
            options=options,
            requires=teachers,
            recipe=RECIPE,
            label_kinds=("hard", "soft", "drawn"),
            reference=NetSpec(classes=7, channels=1, size=224),
            search_space={
                "model.options.share": Choice((0.1, 0.5, 0.9)),
                "model.options.temperature": Choice((1.0, 3.0, 10.0)),
            },
            small={
                "recipe.input.size": 48,
                "model.options.patch": 8,
                "model.options.width": 64,
                "model.options.depth": 3,
                "model.options.heads": 4,
            },
            description=what,
            paper=PAPER,
            tags=frozenset() if variant else frozenset({"fer2013-paper"}),
        )


@hookimpl
def ferbench_suites() -> Iterator[Suite]:
    """The teacher and the student of each round, by hard and by soft labels."""
    students = [
        SuiteRow(name=f"{form}-{rounds}", models=(model,), set={"model.options.rounds": rounds})
        for form, model in (("hard", "distilled-deit"), ("soft", "distilled-deit@soft"))
        for rounds in range(1, ROUNDS + 1)
    ]
    yield Suite(
        name="fer2013-repeated-distillation",
        description="A CNN and the vision transformers that learn from it, then from each other, round by round.",
        datasets=("fer2013@official",),
        models=(HARD.teacher, "distilled-deit", "distilled-deit@soft"),
        metrics=("accuracy", "balanced-accuracy", "macro-f1", "log-loss", "ece"),
        rows=(SuiteRow(name="teacher", models=(HARD.teacher,)), *students),
    )
