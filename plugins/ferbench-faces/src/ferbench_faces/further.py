"""Two further sets: TFEID, and the faces of LFW with emotion labels that the user brings."""

from __future__ import annotations

from collections.abc import Iterator

from ferbench import Dataset, Paper, ProtocolRule, carve, grouped_holdout, k_fold
from ferbench_faces.lab_folds import stepped_folds

_EIGHT = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
_SEVEN = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")

LFW_LABELS = "emotions.csv"
"""The table of labels in the folder that is added."""


def further_datasets() -> Iterator[Dataset]:
    """TFEID and LFW."""
    yield _tfeid()
    yield _lfw()


def _tfeid() -> Dataset:
    return Dataset(
        name="tfeid",
        description="TFEID: 336 pictures of forty Taiwanese people, seven emotions and neutral, of high intensity; "
        "other parts where they are there; or a copy in class folders",
        classes=_EIGHT,
        protocols=(
            ProtocolRule(
                "7-neutral",
                stepped_folds(10),
                "Ten folds of subjects, sorted by id and dealt in turn; six emotions and neutral, 268 pictures",
                unit="subject",
                classes=_SEVEN,
            ),
            ProtocolRule("6-class", stepped_folds(10), "The same folds; six emotions", "subject", _SEVEN[:6]),
            ProtocolRule("8-class", stepped_folds(10), "The same folds; with contempt and neutral", "subject"),
            ProtocolRule(
                "image-70-10-20",
                carve(grouped_holdout(0.2), 0.125),
                "Pictures dealt at random, 70 % train, 10 % val, 20 % test: each person stands on all sides",
                classes=_SEVEN,
                allow_leak=True,
            ),
        ),
        read="ferbench_faces.lab_tfeid:read",
        licence="Research, on request; pictures may not be passed on",
        how_to_get=(
            "http://bml.ym.edu.tw/tfeid/, on request. Unpack one form of the pictures (the grey ones, dfh_anger_g and "
            "its neighbours, for instance), and add the folder that holds these folders"
        ),
        paper=Paper(
            title="Taiwanese Facial Expression Image Database",
            authors="L. F. Chen, Y. S. Yen",
            year=2007,
            venue="Brain Mapping Laboratory, National Yang-Ming University",
            url="http://bml.ym.edu.tw/tfeid/",
        ),
        tags=frozenset({"faces", "laboratory"}),
    )


def _lfw() -> Dataset:
    return Dataset(
        name="lfw",
        description="Faces of LFW with emotion labels of your own, grey, 112×112. LFW itself has none",
        classes=_SEVEN,
        protocols=(
            ProtocolRule("80-20", grouped_holdout(0.2, by="subject"), "A fifth as test, by person", unit="subject"),
            ProtocolRule("5-fold", k_fold(5, by="subject"), "Five folds of persons", unit="subject"),
        ),
        read="ferbench_faces.lfw:read",
        licence="That of the photographs on the web, of which LFW's authors name none; use it for research",
        how_to_get=(
            "http://vis-www.cs.umass.edu/lfw/. Unpack lfw.tgz (or one of its aligned forms), put a table of emotion "
            f"labels beside it as {LFW_LABELS} with the columns path and label, and add the folder that holds both. "
            "LFW has no emotion labels of its own"
        ),
        paper=Paper(
            title="Labeled Faces in the Wild: A Database for Studying Face Recognition in Unconstrained Environments",
            authors="Gary B. Huang, Manu Ramesh, Tamara Berg, Erik Learned-Miller",
            year=2007,
            venue="University of Massachusetts, Amherst, Technical Report 07-49",
            url="http://vis-www.cs.umass.edu/lfw/",
        ),
        tags=frozenset({"faces", "in-the-wild"}),
    )
