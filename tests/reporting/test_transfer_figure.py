"""The transfer matrix as a picture: numbers as its metric's scale has them."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from ferbench.plugins import discover
from ferbench.reporting.transfer import Transfer
from ferbench.reporting.transfer_figure import to_svg


def texts_of(metric: str, mean: float, low: float, high: float) -> list[str]:
    """What stands in the picture of two fields, of which the second is undefined."""
    one = Transfer("knn", "a@official", "a@official", metric, mean, low, high, 3, 50, ("joy", "fear"), 0, 0)
    other = Transfer("knn", "a@official", "b@official", metric, math.nan, math.nan, math.nan, 3, 9, ("joy",), 0, 0)
    svg = to_svg([one, other], discover().metric(metric))
    return [node.text or "" for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("}text")]


@pytest.mark.parametrize(
    ("metric", "shown"),
    [("accuracy", ("41.2", "[35.0, 47.1]")), ("log-loss", ("0.412", "[0.350, 0.471]"))],
)
def test_scores_are_shown_in_the_scale_of_their_metric(metric: str, shown: tuple[str, str]) -> None:
    assert set(shown) <= set(texts_of(metric, 0.412, 0.35, 0.471))


def test_an_undefined_score_is_drawn_and_says_so() -> None:
    assert "undefined" in texts_of("accuracy", 0.412, 0.35, 0.471)
