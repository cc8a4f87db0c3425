"""What names say, and what is wrong with those that say nothing."""

from __future__ import annotations

import pytest
from ferbench_cropping.naming import Crop, parse

from ferbench import UnknownNameError


def test_a_name_says_how_faces_are_cut_out() -> None:
    assert parse("haar", "demo") == Crop("haar", "haar", 112, None, False, "refuse")
    assert parse("haar-64-grey-skip", "demo") == Crop("haar", "haar-64-grey-skip", 64, False, False, "skip")
    assert parse("mtcnn-colour-aligned-whole", "x") == Crop(
        "mtcnn", "mtcnn-colour-aligned-whole", 112, True, True, "whole"
    )


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("har", "demo", "no detector 'har'. Write cropped:DETECTOR:NAME; detectors are haar, mtcnn, hog."),
        ("haar", "", "in whose pictures"),
        ("haar-gray", "demo", "no option 'gray'. Options are a size in pixels, grey, colour, aligned, skip, whole."),
        ("haar-", "demo", "no option ''"),
        ("haar-64-48", "demo", "choose one of 64 and 48"),
        ("haar-grey-colour", "demo", "choose one of grey and colour"),
        ("haar-skip-whole", "demo", "choose one of skip and whole"),
        ("haar-skip-64", "demo", "write cropped:haar-64-skip:demo"),
        ("haar-skip-skip", "demo", "write cropped:haar-skip:demo"),
        ("haar-4", "demo", "size 4 is not 8 to 1024"),
        ("haar-aligned", "demo", "haar finds no eyes to align by; mtcnn does"),
    ],
)
def test_a_name_that_says_nothing_is_told_what_is_wrong(text: str, name: str, said: str) -> None:
    with pytest.raises(UnknownNameError) as error:
        parse(text, name)
    assert said in str(error.value)
