"""Published numbers as tables and texts list them, each with what speaks against comparing it.

A number stands here as the listing prints it, also where the original says otherwise; the caveat says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ferbench import Paper, Reported, hookimpl

plugin_api = 1

FER2013_TABLE = Paper(
    title="Facial Emotion Recognition via Deep Learning Approaches using the FER-2013 Dataset",
    authors="Mohamed Adel",
    year=2023,
    venue="Slides, supervised by Amr S. Ghoneim",
)
CK_TABLE = Paper(
    title="Facial Expression Recognition Based on Deep Learning on EMO2018 dataset",
    authors="Niyi Solomon Adebayo",
    year=2021,
    venue="Bachelor's thesis, University of Tartu",
)
BARSOUM = Paper(
    title="Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution",
    authors="Emad Barsoum, Cha Zhang, Cristian Canton Ferrer, Zhengyou Zhang",
    year=2016,
    url="https://arxiv.org/abs/1608.01041",
    venue="ICMI 2016",
)
BAVESH = Paper(
    title="Multi Modal Emotion Recognition",
    authors="B Bavesh",
    year=2022,
    venue="B.Tech. project, IIITDM Kancheepuram",
)
LETHESEC = Paper(
    title="Fer2013-Facial-Emotion-Recognition-Pytorch",
    authors="Xiaojian Yuan",
    year=2021,
    url="https://github.com/LetheSec/Fer2013-Facial-Emotion-Recognition-Pytorch",
    venue="Public repository",
)

OTHER = "not-stated"
"""The protocol of numbers whose division of the data is not stated, or is nobody else's."""

NOT_STATED = "a division that is not stated"
ONE_PERSON = "70/10/20 of the pictures: those of one person may stand on both sides"
JAFFE_SLIP = "listed under CK+, where Minaee et al.'s Table III has it under JAFFE"


@hookimpl
def ferbench_reported() -> Iterator[Reported]:
    """Every row of both tables, what texts report beside them, and two estimates of human accuracy."""
    yield from _fer2013()
    yield from _elsewhere()
    yield from _humans()
    yield from _emo2018()
    yield from _ckplus()
    yield from _jaffe()


def _fer2013() -> Iterator[Reported]:
    yield _listed(
        1,
        "Saravanan 10-layer CNN",
        0.605,
        "paper-80-20",
        "test",
        "copies may stand on both sides",
        models=("saravanan",),
    )
    yield _listed(
        2,
        "AlexNet (Giannopoulos)",
        0.65,
        "75-25",
        "test",
        "copies may stand on both sides",
        models=("alexnet",),
    )
    yield _listed(3, "GoogLeNet (Giannopoulos)", 0.652, OTHER, NOT_STATED, models=("googlenet",))
    yield _listed(4, "Mollahosseini Inception", 0.664, OTHER, NOT_STATED, models=("mollahosseini",))
    yield _listed(5, "Xception (Chand)", 0.6857, OTHER, NOT_STATED, "no code was published", models=("xception",))
    yield _listed(
        6,
        "Deep-Emotion",
        0.7002,
        "official",
        "test",
        "users of the public port report 47 to 52 %",
        models=("deep-emotion",),
    )
    yield _listed(7, "Inception (Pramerdorfer)", 0.716, "official", "test", models=("pramerdorfer-inception",))
    yield _listed(8, "Tang L2-SVM CNN", 0.712, "official", "test", "the challenge's winner, 2013", models=("tang-svm",))
    yield _listed(9, "ResNet (Pramerdorfer)", 0.724, "official", "test", models=("pramerdorfer-resnet",))
    yield _listed(
        10,
        "VGG (Pramerdorfer)",
        0.717,
        "official",
        "test",
        "probably a slip for 72.7 %",
        models=("pramerdorfer-vgg",),
    )
    yield _listed(
        10,
        "VGGNet (Khaireddin)",
        0.732,
        "official",
        "val",
        "the authors' code takes PublicTest for test and chooses on PrivateTest",
        selection="on PrivateTest",
        models=("khaireddin-vgg@paper", "khaireddin-vgg@train-val"),
    )
    yield Reported(
        dataset="fer2013",
        protocol=OTHER,
        split=NOT_STATED,
        metric="accuracy",
        value=0.827,
        locator="conclusion",
        classes=7,
        selection="not stated",
        caveat="disputed: oversampling before the division would alone give 82 to 87 %, and their order is not stated",
        method="CNN-LSTM or CNN with attention (Adel)",
        paper=FER2013_TABLE,
        models=("cnn-attention",),
    )


def _listed(
    row: int,
    method: str,
    value: float,
    protocol: str,
    split: str,
    caveat: str = "",
    selection: str = "not stated",
    models: tuple[str, ...] = (),
) -> Reported:
    return Reported(
        dataset="fer2013",
        protocol=protocol,
        split=split,
        metric="accuracy",
        value=value,
        locator=f"table of related work, row {row}",
        classes=7,
        selection=selection,
        caveat=caveat,
        method=method,
        paper=FER2013_TABLE,
        models=models,
    )


def _elsewhere() -> Iterator[Reported]:
    for split, value in (("val", 0.706), ("test", 0.744)):
        yield Reported(
            dataset="fer2013",
            protocol="official",
            split=split,
            metric="accuracy",
            value=value,
            locator="chapter 4",
            classes=7,
            selection="not stated",
            caveat="called the state of the art; its method is not named",
            method="state of the art (Bavesh)",
            paper=BAVESH,
        )
    yield Reported(
        dataset="fer2013",
        protocol="official",
        split="test",
        metric="accuracy",
        value=0.737,
        locator="README",
        classes=7,
        selection="oracle",
        caveat="the best of all epochs, chosen on PrivateTest, which is reported",
        method="ResNet18 (Yuan)",
        paper=LETHESEC,
    )


def _humans() -> Iterator[Reported]:
    for value, locator, paper, more in (
        (0.65, "text", BARSOUM, ""),
        (0.68, "section 3.1", BAVESH, ", by a discussion of the challenge's organisers on Kaggle"),
    ):
        yield Reported(
            dataset="fer2013",
            protocol=OTHER,
            split="pictures that are not stated",
            metric="accuracy",
            value=value,
            locator=locator,
            classes=7,
            selection="none",
            caveat=f"± 5 points{more}",
            method="humans",
            paper=paper,
        )


def _emo2018() -> Iterator[Reported]:
    for row, method, value in (("1", "FAN", 0.923), ("2", "Deep-Emotion", 0.8969)):
        yield _of_thesis(
            "emo2018",
            row,
            method,
            value,
            "70/10/20 of 24,192 clips",
            "private data; it is not stated whether a person's clips are on one side",
        )


def _ckplus() -> Iterator[Reported]:
    folds = NOT_STATED
    yield _of_thesis(
        "ck-plus",
        "3",
        "FAN",
        0.948,
        folds,
        "its authors give 99.69 % in ten folds",
    )
    yield replace(
        _of_thesis("ck-plus", "3, second line", "Deep-Emotion", 0.98, "test", ONE_PERSON),
        protocol="image-70-10-20",
        models=("deep-emotion",),
    )
    yield _of_thesis(
        "ck-plus", "4", "PHRNN", 0.985, folds, "all frames by the table, the last peak frames by the thesis's text"
    )
    yield _of_thesis("ck-plus", "5", "DTAGN", 0.9725, folds, "sequences of a fixed length")
    yield _of_thesis("ck-plus", "6", "CNN + island loss", 0.9435, folds, "the last three frames and the first")
    yield _of_thesis("ck-plus", "7", "LOMo", 0.92, folds)
    yield _of_thesis("ck-plus", "last", "IB-CNN", 0.951, folds)


def _jaffe() -> Iterator[Reported]:
    for row, method, value in (
        ("8", "Fisherface", 0.892),
        ("9", "Salient facial patch", 0.918),
        ("last but one", "CNN + SVM", 0.9531),
    ):
        yield _of_thesis("jaffe", row, method, value, NOT_STATED, JAFFE_SLIP)


def _of_thesis(dataset: str, row: str, method: str, value: float, split: str, caveat: str = "") -> Reported:
    return Reported(
        dataset=dataset,
        protocol=OTHER,
        split=split,
        metric="accuracy",
        value=value,
        locator=f"Table 3, row {row}",
        classes=7,
        selection="not stated",
        caveat=caveat,
        method=method,
        paper=CK_TABLE,
    )
