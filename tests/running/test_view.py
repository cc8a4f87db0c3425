"""Times and counts as people write them."""

from __future__ import annotations

import pytest

from ferbench.running.view import counted, duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3599.8, "1 h 00 min"),
        (7505, "2 h 05 min"),
    ],
)
def test_durations_are_rounded_as_a_whole(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_one_thing_is_not_several() -> None:
    assert [counted(number, "cell") for number in (0, 1, 1200)] == ["0 cells", "1 cell", "1,200 cells"]
