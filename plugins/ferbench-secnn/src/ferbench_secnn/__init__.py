"""The convolutional networks of the LMU report on emotion recognition, as ferbench models.

What the report leaves open was read in the authors' repository (werywjw/SEP-CVDL: ``validation.py`` of the report's
week, ``models.py`` of the final one) or chosen here; the README says which.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from ferbench import (
    SGD,
    Affine,
    Choice,
    CrossEntropy,
    EarlyStopping,
    HorizontalFlip,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    RandomErasing,
    Recipe,
    Reported,
    hookimpl,
)

plugin_api = 1

PAPER = Paper(
    title="Emotion Recognition From Facial Expressions: A Preliminary Report",
    authors="Tanja Jaschkowitz, Leah Kawka, Mahdi Mohammadi, Jiawen Wang",
    year=2024,
    url="https://github.com/werywjw/SEP-CVDL",
    venue="Report of a practical course, LMU Munich",
)

FINAL = Paper(
    title="GiMeFive: Towards Interpretable Facial Emotion Classification",
    authors="Jiawen Wang, Leah Kawka",
    year=2024,
    url="https://arxiv.org/abs/2402.15662",
)
"""The authors' final report."""

FLIP = HorizontalFlip(p=0.5)

RECIPE = Recipe(
    epochs=80,
    batch_size=16,
    optimizer=SGD(lr=1e-3, momentum=0.9, weight_decay=1e-4),
    loss=CrossEntropy(),
    input=Input(size=64, channels=3, normalise="imagenet"),
    augmentation=(FLIP,),
    # The code stops when more than 15 epochs in a row were no better.
    early_stopping=EarlyStopping(patience=16),
)

STRONG_RECIPE = RECIPE.model_copy(
    update={
        "augmentation": (
            FLIP,
            Affine(degrees=5, translate=0.125, p=0.2),
            RandomErasing(p=0.5, scale=(0.02, 0.25)),
        )
    }
)
"""The report names kinds of augmentation but no magnitudes. These stand, commented out, in the authors' file of that
week: 5° of rotation and a crop padded by 8 of 64 pixels, together one time in five, and erasing."""

GRID = {
    "recipe.optimizer.lr": Choice((0.1, 0.01, 0.001, 0.0001)),
    "recipe.batch_size": Choice((8, 16, 32, 64)),
    "model.options.dropout": Choice((0.5,)),
    "recipe.epochs": Choice((10, 20, 30, 40)),
    "recipe.early_stopping": Choice((None, {"patience": 5})),
}
"""The report's Table 2."""

RAFDB_CAVEAT = (
    "the report does not name the data set of this table; its code of that week trains on RAF-DB without neutral"
)
FER2013_CAVEAT = "tested on PublicTest and PrivateTest together, without neutral (5,945 pictures)"
REFERENCE = NetSpec(classes=6, channels=3, size=64)


class CNNOptions(Options):
    """``squeeze``: squeeze-and-excitation in the first block. ``dropout``: behind the first linear layer.

    ``conv_dropout``: behind each block's maximum; the authors' final code has 0.2 there, the report has none.
    """

    squeeze: bool = False
    dropout: float = Field(0.5, ge=0, lt=1)
    conv_dropout: float = Field(0.0, ge=0, lt=1)


class ResidualOptions(Options):
    """``dropout``: behind the first linear layer."""

    dropout: float = Field(0.5, ge=0, lt=1)


class ResNetOptions(Options):
    """``stem_pool``: the maximum behind the first convolution, which the authors leave out."""

    stem_pool: bool = False


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """The baseline, its three variants, and the ResNet18 that the authors compare with."""
    yield _cnn("", CNNOptions(), RECIPE, "CNN (Baseline)", (0.663, 0.752, 0.526), fer2013=0.641, rafdb=0.806)
    yield _cnn("se", CNNOptions(squeeze=True), RECIPE, "CNN (SE)", (0.743, 0.799, 0.596), rafdb=0.817)
    yield _cnn("se-aug", CNNOptions(squeeze=True), STRONG_RECIPE, "CNN (SE-Aug)", (0.846, 0.795, 0.628))
    yield Model(
        name="lmu-cnn",
        variant="se-residual",
        build="ferbench_secnn.network:build_residual",
        options=ResidualOptions(),
        recipe=RECIPE,
        reference=REFERENCE,
        search_space=GRID,
        description="One convolution with squeeze-and-excitation, then four residual blocks.",
        paper=PAPER,
        reported=_reported("CNN (SE+Residual)", (0.715, 0.789, 0.564)),
    )
    yield Model(
        name="lmu-cnn",
        variant="resnet18",
        build="ferbench_secnn.resnet:build_resnet18",
        options=ResNetOptions(),
        recipe=RECIPE,
        reference=REFERENCE,
        search_space={key: choice for key, choice in GRID.items() if key != "model.options.dropout"},
        description="ResNet18 from scratch, the network that the authors compare with.",
        paper=PAPER,
        reported=_reported("ResNet18", (0.768, 0.798, 0.603), fer2013=0.647),
    )


def _cnn(
    variant: str,
    options: CNNOptions,
    recipe: Recipe,
    row: str,
    table: tuple[float, float, float],
    **final: float,
) -> Model:
    return Model(
        name="lmu-cnn",
        variant=variant,
        build="ferbench_secnn.network:build_cnn",
        options=options,
        recipe=recipe,
        reference=REFERENCE,
        search_space=GRID,
        description=f"Four convolution blocks and three linear layers: {row} of the LMU report.",
        paper=PAPER,
        reported=_reported(row, table, **final),
        tags=frozenset() if variant else frozenset({"fer2013"}),
    )


def _reported(row: str, table: tuple[float, float, float], **final: float) -> tuple[Reported, ...]:
    """Accuracies of a row of Table 1 (train, test, the authors' own 600 pictures), and of the final report."""
    train, *held_out = table
    numbers = [
        Reported(
            dataset="raf-db",
            protocol="6-class",
            split=split,
            metric="accuracy",
            value=value,
            locator=f"Table 1, {row}",
            classes=6,
            selection="not stated",
            caveat=f"{RAFDB_CAVEAT}; {100 * train:.1f} % on its training side",
        )
        for split, value in zip(("test", "authors-600"), held_out, strict=True)
    ]
    for dataset, protocol, caveat in (
        ("fer2013", "6-class-merged", FER2013_CAVEAT),
        ("raf-db", "6-class", "without neutral"),
    ):
        if (value := final.get(dataset.replace("-", ""))) is not None:
            numbers.append(
                Reported(
                    dataset=dataset,
                    protocol=protocol,
                    split="test",
                    metric="accuracy",
                    value=value,
                    locator="table of accuracies",
                    classes=6,
                    selection="best-val",
                    caveat=caveat,
                    paper=FINAL,
                )
            )
    return tuple(numbers)
