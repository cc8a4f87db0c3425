"""The transfer matrix drawn as SVG: a square a pair of data sets, darker where the score is higher."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from ferbench.nouns.metric import Metric
from ferbench.reporting.sheet import number
from ferbench.reporting.transfer import Transfer

_WIDTH, _HEIGHT, _TOP, _GAP = 132, 56, 58, 26
_LETTER = 7.2
"""Width of a letter at 13 pixels, nearly."""
_LIGHT, _DARK = (247, 251, 255), (8, 64, 129)


def to_svg(fields: Sequence[Transfer], metric: Metric) -> str:
    """A matrix for each method, one below another; what was not scored stays empty, what is undefined is light."""
    methods = list(dict.fromkeys(field.method for field in fields))
    trained = list(dict.fromkeys(field.trained for field in fields))
    tested = list(dict.fromkeys([*trained, *(field.tested for field in fields)]))
    left = int(_LETTER * max(len(name) for name in [*trained, "trained on"])) + 24
    block = _TOP + _HEIGHT * len(trained) + _GAP
    width, height = left + _WIDTH * len(tested) + 16, block * len(methods) + 8
    means = [field.mean for field in fields if math.isfinite(field.mean)]
    low, high = min(means, default=0.0), max(means, default=0.0)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for place, method in enumerate(methods):
        top = place * block
        title = f"{method}: {metric.name}{' %' if metric.percent else ''}, trained on the row, tested on the column"
        parts.append(_text(12, top + 22, title, weight="bold"))
        for column, name in enumerate(tested):
            parts.append(_text(left + _WIDTH * (column + 0.5), top + _TOP - 10, name, "middle"))
        for line, name in enumerate(trained):
            parts.append(_text(left - 10, top + _TOP + _HEIGHT * (line + 0.5) + 4, name, "end"))
        for field in (field for field in fields if field.method == method):
            x = left + _WIDTH * tested.index(field.tested)
            y = top + _TOP + _HEIGHT * trained.index(field.trained)
            share = (field.mean - low) / (high - low) if high > low else 1.0
            parts += _square(field, metric, x, y, share if math.isfinite(field.mean) else 0.0)
    return "\n".join([*parts, "</svg>", ""])


def _square(field: Transfer, metric: Metric, x: float, y: float, share: float) -> list[str]:
    """A field: its score, the interval, and over how many classes and samples; framed where it is the own test side."""
    colour = ",".join(str(round(a + (b - a) * share)) for a, b in zip(_LIGHT, _DARK, strict=True))
    frame = ' stroke="#222" stroke-width="2"' if field.trained == field.tested else ""
    ink = "white" if share > 0.5 else "#111"
    mean, low, high = (_shown(value, metric) for value in (field.mean, field.ci_low, field.ci_high))
    lines = (
        (mean, 20, 15),
        (f"[{low}, {high}]", 35, 11),
        (f"{len(field.classes)} classes, n {field.n:,}", 49, 10),
    )
    box = f'<rect x="{x + 2}" y="{y + 2}" width="{_WIDTH - 4}" height="{_HEIGHT - 4}" fill="rgb({colour})"{frame}/>'
    middle = x + _WIDTH / 2
    return [box, *(_text(middle, y + down, text, "middle", size=size, ink=ink) for text, down, size in lines)]


def _shown(value: float, metric: Metric) -> str:
    return number(value, metric) if math.isfinite(value) else "undefined"


def _text(
    x: float, y: float, text: str, anchor: str = "start", weight: str = "normal", size: int = 13, ink: str = "#111"
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-weight="{weight}" font-size="{size}" fill="{ink}">'
        f"{escape(text)}</text>"
    )
