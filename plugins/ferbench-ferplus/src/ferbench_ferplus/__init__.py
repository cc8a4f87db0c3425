"""FER+: ten people's votes for each picture of FER2013, over eight emotions (Barsoum et al. 2016)."""

from __future__ import annotations

from collections.abc import Iterator

from ferbench import Dataset, Paper, ProtocolRule, Suite, hookimpl
from ferbench_ferplus.protocols import argmax, scheme

plugin_api = 1

CLASSES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
"""The emotions in the order of the columns of both editions of the votes."""

SCHEMES = ("majority", "multi-label", "probabilistic", "cross-entropy")
"""The paper's four ways to train on votes. Val and test are the same, so their rows are ranked together."""

PAPER = Paper(
    title="Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution",
    authors="Emad Barsoum, Cha Zhang, Cristian Canton Ferrer, Zhengyou Zhang",
    year=2016,
    venue="ICMI",
    url="https://arxiv.org/abs/1608.01041",
)

_RANKING = "majority labels"


@hookimpl
def ferbench_datasets() -> Iterator[Dataset]:
    """FER+ under the paper's four schemes, and under the relabelling by the most votes that others use."""
    yield Dataset(
        name="ferplus",
        description="The pictures of FER2013 with ten votes each over eight emotions, and over unknown and not a face",
        classes=CLASSES,
        protocols=(
            ProtocolRule(
                "majority",
                scheme("majority"),
                "Pictures on whose emotion more than half of the votes agree; votes that stand alone do not count",
                ranking=_RANKING,
            ),
            ProtocolRule(
                "multi-label",
                scheme("multi-label"),
                "Trains on every emotion with 30 % of the votes or more, any of which is right; val and test: majority",
                train_labels="accepted",
                ranking=_RANKING,
            ),
            ProtocolRule(
                "probabilistic",
                scheme("probabilistic"),
                "Trains on an emotion drawn by its share of the votes, anew for every epoch; val and test: majority",
                train_labels="drawn",
                ranking=_RANKING,
            ),
            ProtocolRule(
                "cross-entropy",
                scheme("cross-entropy"),
                "Trains on the shares of the votes themselves; val and test: majority",
                train_labels="soft",
                ranking=_RANKING,
            ),
            ProtocolRule(
                "argmax",
                argmax,
                "The emotion with the most votes, however few; another test set, never ranked with the others",
            ),
        ),
        read="ferbench_ferplus.reading:read",
        licence="Votes: MIT. Pictures: those of FER2013, free for research, their owners'",
        how_to_get=(
            "https://github.com/microsoft/FERPlus, which holds two editions of the votes. Clone it and add the clone: "
            "its data/FER2013*/label.csv are taken, whose counts papers report (majority: 25,045 / 3,191 / 3,137). Or "
            "add its fer2013new.csv by itself (25,060 / 3,199 / 3,153). The pictures are those of FER2013 (`ferbench "
            "show fer2013`): register them first, or put them beside the votes and add the folder"
        ),
        paper=PAPER,
        tags=frozenset({"faces", "in-the-wild"}),
    )


@hookimpl
def ferbench_suites() -> Iterator[Suite]:
    """The four schemes side by side."""
    yield Suite(
        name="ferplus",
        description="FER+ by its four labelling schemes, tested alike on majority labels. A method joins with the tag "
        "ferplus.",
        datasets=tuple(f"ferplus@{name}" for name in SCHEMES),
        models=("small-cnn", "majority", "tag:ferplus"),
        metrics=("accuracy", "balanced-accuracy", "macro-f1", "log-loss", "votes-kl", "votes-cosine"),
        seeds=(0, 1, 2),
    )
