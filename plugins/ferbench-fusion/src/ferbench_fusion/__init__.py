"""ResNet18 and VGG19 on small pictures, and their fusion, as ferbench models.

The networks and their training are those of a public repository (WuJie1010/Facial-Expression-Recognition.Pytorch),
which a thesis on fusing the two continues; the thesis describes them in the shape that ImageNet knows. What both leave
open was chosen here; the README says what.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from ferbench import (
    SGD,
    Choice,
    CrossEntropy,
    HorizontalFlip,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    RandomCrop,
    Recipe,
    Reported,
    Requirement,
    Step,
    Suite,
    SuiteRow,
    TenCrop,
    hookimpl,
)

plugin_api = 1

PARENT = Paper(
    title="Facial-Expression-Recognition.Pytorch",
    authors="WuJie1010",
    year=2018,
    url="https://github.com/WuJie1010/Facial-Expression-Recognition.Pytorch",
    venue="Public repository",
)

THESIS = Paper(
    title="Face Emotion Recognition Using Fusion Models",
    authors="S. M. Atiqur Rahman, Kawshik Mahato",
    year=2021,
    venue="Bachelor's thesis, Mawlana Bhashani Science and Technology University",
)

RECIPE = Recipe(
    epochs=250,
    batch_size=128,
    optimizer=SGD(lr=0.01, momentum=0.9, weight_decay=5e-4, clip_value=0.1),
    # The repository says "× 0.9 every 5 epochs after 80", and first multiplies at epoch 85, counted from 0.
    schedule=Step(every=5, after=85, factor=0.9),
    loss=CrossEntropy(),
    input=Input(size=48, channels=3, normalise="unit"),
    augmentation=(RandomCrop(size=44), HorizontalFlip()),
    # Each epoch is judged by ten crops.
    tta=TenCrop(size=44, mean="logit", looks=True),
)

IMAGENET_RECIPE = RECIPE.model_copy(
    update={
        "epochs": 300,
        "input": Input(size=40, channels=3, normalise="unit"),
        "augmentation": (RandomCrop(size=36), HorizontalFlip()),
        "tta": TenCrop(size=36, mean="logit", looks=True),
    }
)

SMALL = {"model.options.width": 16, "recipe.tta": {"name": "none"}}

EPOCHS = (20, 30, 300)
"""How long the thesis trains."""

THESIS_ACCURACY = {
    "ResNet18": (0.5360, 0.5511, 0.6461),
    "VGG19": (0.5422, 0.5909, 0.6890),
    "Ensemble": (0.5748, 0.6076, 0.6954),
}
"""Accuracies after 20, 30 and 300 epochs."""

THESIS_TABLE = {"ResNet18": "Table 5.1", "VGG19": "Table 5.2", "Ensemble": "Table 5.3"}


class NetworkOptions(Options):
    """``shape``: for small pictures, or ImageNet's. ``width``: channels of the first stage. ``dropout``: at the end."""

    shape: Literal["small", "imagenet"] = "small"
    width: int = Field(64, ge=4)
    dropout: float = Field(0.5, ge=0, lt=1)


class FusionOptions(Options):
    """``members``: installed models, two or more. ``folds``: of the members' scores on which the head is fitted.

    ``penalty``: L2 penalty of the head, beside the mean loss.
    """

    members: tuple[str, ...] = Field(("fusion-resnet18", "fusion-vgg19"), min_length=2)
    folds: int = Field(5, ge=2)
    penalty: float = Field(1e-3, gt=0)


IMAGENET_MEMBERS = FusionOptions(members=("fusion-resnet18@imagenet-shape", "fusion-vgg19@imagenet-shape"))


def out_of_fold(options: FusionOptions) -> Mapping[str, Requirement]:
    """The members, with scores of the training samples by networks that have not seen them."""
    return {role: Requirement(name, gives="scores", out_of_fold=options.folds) for role, name in _roles(options)}


def on_val(options: FusionOptions) -> Mapping[str, Requirement]:
    """The members, whose scores of val the head is fitted on."""
    return {role: Requirement(name, gives="scores") for role, name in _roles(options)}


def _roles(options: FusionOptions) -> Iterator[tuple[str, str]]:
    return ((f"member-{place:02}", name) for place, name in enumerate(options.members, 1))


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """The two networks in both shapes, and the trained fusion of two or more models."""
    yield from _networks(
        "ResNet18", "fusion-resnet18", "build_resnet18", (0.72973, 0.71190, 0.94040), imagenet_dropout=0.0
    )
    yield from _networks("VGG19", "fusion-vgg19", "build_vgg19", (0.73112, 0.71496, 0.94646), imagenet_dropout=0.5)
    for variant, options, requires, how in (
        ("", FusionOptions(), out_of_fold, "out-of-fold scores"),
        ("val", FusionOptions(), on_val, "their scores of val"),
        ("imagenet-shape", IMAGENET_MEMBERS, out_of_fold, "out-of-fold scores of the ImageNet-shaped members"),
    ):
        yield Model(
            name="fusion",
            variant=variant,
            estimator="ferbench_fusion.head:FusionHead",
            inputs=(),
            options=options,
            requires=requires,
            fits="val" if variant == "val" else "train",
            label_kinds=("hard",),
            deterministic=True,
            search_space={"model.options.penalty": Choice((1e-4, 1e-3, 1e-2))},
            small={} if variant == "val" else {"model.options.folds": 2},
            paper=THESIS,
            description=f"A softmax layer on the log probabilities of its members, fitted on {how}.",
            reported=tuple(_of_the_thesis("Ensemble")),
            tags=frozenset() if variant else frozenset({"fer2013-paper"}),
        )


def _networks(
    title: str, name: str, build: str, numbers: tuple[float, float, float], *, imagenet_dropout: float
) -> Iterator[Model]:
    """A network as its repository trains it: selected on val, and on test as there; and in ImageNet's shape."""
    claimed = (*_of_the_repository(title, *numbers), *_of_the_thesis(title))
    imagenet = NetworkOptions(shape="imagenet", dropout=imagenet_dropout)
    common: dict[str, Any] = {"build": f"ferbench_fusion.network:{build}", "paper": PARENT, "small": SMALL}
    space = {"recipe.optimizer.lr": Choice((0.003, 0.01, 0.03)), "model.options.dropout": Choice((0.0, 0.25, 0.5))}
    yield Model(
        name=name,
        options=NetworkOptions(),
        recipe=RECIPE,
        reference=NetSpec(classes=7, channels=3, size=44),
        search_space=space,
        description=f"{title} for pictures of 44 pixels, trained from scratch.",
        reported=claimed,
        tags=frozenset({"fer2013-paper"}),
        **common,
    )
    yield Model(
        name=name,
        variant="paper",
        options=NetworkOptions(),
        recipe=RECIPE.model_copy(update={"selection": "oracle"}),
        reference=NetSpec(classes=7, channels=3, size=44),
        search_space=space,
        description=f"{title} for pictures of 44 pixels, its epoch chosen on test as the repository does.",
        reported=claimed,
        **common,
    )
    yield Model(
        name=name,
        variant="imagenet-shape",
        options=imagenet,
        recipe=IMAGENET_RECIPE,
        reference=NetSpec(classes=7, channels=3, size=36),
        search_space=space,
        description=f"{title} in the shape that ImageNet knows, on pictures of 36 pixels, trained from scratch.",
        reported=tuple(_of_the_thesis(title)),
        **common,
    )


def _of_the_repository(title: str, private: float, public: float, ck_plus: float) -> Iterator[Reported]:
    best = "the best of 250 epochs, chosen on the very split that is reported"
    folds = "the best of 60 epochs of each fold, chosen on it; folds by index, not by person; users report 88 to 90 %"
    for dataset, protocol, split, value, caveat in (
        ("fer2013", "official", "test", private, best),
        ("fer2013", "official", "val", public, best),
        ("ck-plus", "index-10-fold", "test", ck_plus, folds),
    ):
        yield Reported(
            dataset=dataset,
            protocol=protocol,
            split=split,
            metric="accuracy",
            value=value,
            locator=f"README, {title}",
            classes=7,
            selection="oracle",
            caveat=caveat,
        )


def _of_the_thesis(title: str) -> Iterator[Reported]:
    for epochs, value in sorted(zip(EPOCHS, THESIS_ACCURACY[title], strict=True), reverse=True):
        caveat = "the split is not stated; the recalls of its classes fit PublicTest best"
        if (title, epochs) == ("Ensemble", 20):
            caveat += "; the text says 56.48, which the recalls do not support"
        yield Reported(
            dataset="fer2013",
            protocol="official",
            split="a split that is not stated",
            metric="accuracy",
            value=value,
            locator=f"{THESIS_TABLE[title]}, {epochs} epochs",
            classes=7,
            selection="not stated",
            caveat=caveat,
            paper=THESIS,
        )


@hookimpl
def ferbench_suites() -> Iterator[Suite]:
    """The members and their fusion at the thesis's three lengths, in both shapes."""
    yield _suite("fer2013-fusion", "", "the 44-pixel networks", ("", "val"))
    yield _suite("fer2013-fusion-imagenet", "imagenet-shape", "the ImageNet-shaped networks", ("imagenet-shape",))


def _suite(name: str, shape: str, what: str, heads: tuple[str, ...]) -> Suite:
    rows = [("resnet18", _full("fusion-resnet18", shape)), ("vgg19", _full("fusion-vgg19", shape))]
    rows += [("head-val" if head == "val" else "head", _full("fusion", head)) for head in heads]
    return Suite(
        name=name,
        description=f"ResNet18, VGG19 and their trained fusion after 20, 30 and 300 epochs: {what}. Averages of the "
        "members: ferbench ensemble resnet18-20 vgg19-20, and so on.",
        datasets=("fer2013@official",),
        models=tuple(model for _, model in rows),
        metrics=("accuracy", "balanced-accuracy", "macro-f1", "log-loss", "ece"),
        rows=tuple(
            SuiteRow(name=f"{row}-{epochs}", models=(model,), epochs=epochs) for epochs in EPOCHS for row, model in rows
        ),
    )


def _full(name: str, variant: str) -> str:
    return f"{name}@{variant}" if variant else name
