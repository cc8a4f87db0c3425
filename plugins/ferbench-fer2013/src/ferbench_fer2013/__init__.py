"""FER2013: 35,887 grey faces of 48×48 pixels with seven emotions (Goodfellow et al. 2013)."""

from __future__ import annotations

from collections.abc import Iterator

from ferbench import Dataset, Paper, ProtocolRule, given_split, grouped_holdout, hookimpl, merged_split

plugin_api = 1

CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
"""Canonical names in the order of the labels 0 to 6: angry, disgust, fear, happy, sad, surprise, neutral."""

_OFFICIAL = given_split("Training", "PublicTest", "PrivateTest")

_CHALLENGE = (
    "https://www.kaggle.com/c/challenges-in-representation-learning-facial-expression-recognition-challenge/data"
)
_FOLDERS = "https://www.kaggle.com/datasets/msambare/fer2013"


@hookimpl
def ferbench_datasets() -> Iterator[Dataset]:
    """FER2013 under four protocols."""
    yield Dataset(
        name="fer2013",
        description="35,887 grey faces found by web search, 48×48 pixels, each labelled with one of seven emotions",
        classes=CLASSES,
        protocols=(
            ProtocolRule(
                "official",
                _OFFICIAL,
                "The challenge's own: Training (28,709), val PublicTest (3,589), test PrivateTest (3,589)",
            ),
            ProtocolRule(
                "public-test",
                given_split("Training", "PrivateTest", "PublicTest"),
                "The official split with val and test swapped: val PrivateTest (3,589), test PublicTest (3,589)",
            ),
            ProtocolRule(
                "merged-test",
                merged_split("Training", "PublicTest", "PrivateTest", "Test"),
                "Test on PublicTest and PrivateTest together (7,178), as in folder copies; val is a tenth of Training",
            ),
            ProtocolRule(
                "paper-80-20",
                grouped_holdout(0.2),
                "All pictures dealt anew, a fifth as test, identical ones on one side; val is a tenth of train",
            ),
            ProtocolRule("6-class", _OFFICIAL, "The official split without neutral faces", classes=CLASSES[:6]),
        ),
        read="ferbench_fer2013.reading:read",
        licence="Free for research by the rules of the Kaggle challenge; the pictures remain their owners'",
        how_to_get=(
            "Kaggle challenge “Challenges in Representation Learning: Facial Expression Recognition Challenge”, files "
            f"fer2013.tar.gz or icml_face_data.csv, after a login: {_CHALLENGE} "
            f"(or as pictures in folders, recompressed: {_FOLDERS}). Archives need not be unpacked."
        ),
        paper=Paper(
            title="Challenges in Representation Learning: A Report on Three Machine Learning Contests",
            authors="Ian J. Goodfellow, Dumitru Erhan, Pierre Luc Carrier, Aaron Courville, Mehdi Mirza, et al.",
            year=2013,
            venue="ICONIP",
            url="https://arxiv.org/abs/1307.0414",
        ),
        tags=frozenset({"faces", "in-the-wild"}),
    )
