"""Classes of finished models beside those of the data."""

from __future__ import annotations

import numpy as np
import pytest

from ferbench import DataError
from ferbench.data.matching import match_classes
from ferbench.nouns.emotions import BASIC, canonical


def test_names_are_matched_by_what_they_mean() -> None:
    assert [canonical(name) for name in ("Happy", "joy", "afraid", "not_happy")] == [
        *("happiness", "happiness", "fear", "not_happy")
    ]
    matching = match_classes(("Sad", "angry", "happy"), ("anger", "happiness", "sadness"))
    assert matching.columns == (1, 2, 0) and matching.notes() == ()
    scores = np.array([[0.5, 0.2, 0.3]])
    assert np.allclose(matching.apply(scores), [[0.2, 0.3, 0.5]])


@pytest.mark.parametrize(
    ("names", "meant"),
    [
        (
            "Neutral Happy Sad Surprise Fear Disgust Anger Contempt",
            "neutral happiness sadness surprise fear disgust anger contempt",
        ),
        (
            "Surprise Fear Disgust Happiness Sadness Anger Neutral",
            "surprise fear disgust happiness sadness anger neutral",
        ),
        ("angry disgusted fearful joyful surprised neutrality", "anger disgust fear happiness surprise neutral"),
        ("AN DI FE HA NE SA SU AF", "anger disgust fear happiness neutral sadness surprise fear"),
        ("Happily-Surprised none not_happy", "happily-surprised none not_happy"),
    ],
)
def test_each_data_set_calls_emotions_by_names_of_its_own(names: str, meant: str) -> None:
    """AffectNet, RAF-DB, adjectives, the codes of JAFFE and KDEF; compound emotions are others."""
    assert " ".join(canonical(name) for name in names.split()) == meant


def test_customary_sets_of_emotions_differ_by_neutral_and_contempt() -> None:
    assert set(BASIC[7]) - set(BASIC[6]) == {"neutral"} and set(BASIC[8]) - set(BASIC[7]) == {"contempt"}
    matching = match_classes(BASIC[8], BASIC[6])
    assert matching.columns == (0, 1, 2, 3, 4, 5) and matching.dropped == ("neutral", "contempt")


def test_a_class_that_the_model_lacks_gets_nothing_and_one_that_the_data_lack_is_left_out() -> None:
    matching = match_classes(("anger", "contempt", "fear"), ("anger", "disgust", "fear"))
    assert np.allclose(matching.apply(np.array([[0.2, 0.6, 0.2], [0.1, 0.0, 0.9]])), [[0.5, 0, 0.5], [0.1, 0, 0.9]])
    assert matching.notes() == (
        "it knows no disgust: these get probability 0",
        "its contempt left out, the rest brought to a sum of one",
    )


def test_where_all_goes_to_classes_left_out_the_shared_ones_are_equally_likely() -> None:
    matching = match_classes(("anger", "contempt", "fear"), ("anger", "disgust", "fear"))
    assert np.allclose(matching.apply(np.array([[0.0, 1.0, 0.0]])), [[0.5, 0, 0.5]])


def test_fewer_than_two_shared_classes_tell_nothing_apart() -> None:
    with pytest.raises(DataError, match="it shares no class with the data"):
        match_classes(("cat", "dog"), ("anger", "fear"))
    with pytest.raises(DataError, match="it shares only the class happy with the data"):
        match_classes(("happiness", "sadness"), ("happy", "not_happy"))


def test_data_that_tell_apart_what_a_name_does_not_are_refused() -> None:
    with pytest.raises(DataError, match="mean the same by canonical names: happy, joy, sadness"):
        match_classes(("happiness", "sadness"), ("happy", "joy", "sadness"))
