"""Small figures as SVG: bars, a box plot, histograms. Numbers stand beside them, so that nothing must be measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_COLOURS = ("#3b6ea5", "#c98b2b", "#5a8f5a")
_WIDTH = 420


def bars(series: Mapping[str, Mapping[str, float]]) -> str:
    """Shares by class, a bar for each side: ``{side: {class: count}}``."""
    classes = list(next(iter(series.values())))
    shares = {side: {c: n / max(sum(counts.values()), 1) for c, n in counts.items()} for side, counts in series.items()}
    top = max((value for each in shares.values() for value in each.values()), default=0) or 1
    thick, left = 11, 110
    step = thick * len(series) + 8
    parts = []
    for row, name in enumerate(classes):
        y = row * step
        parts.append(_text(left - 6, y + step / 2, name, "end"))
        for place, side in enumerate(series):
            width = (_WIDTH - left - 50) * shares[side][name] / top
            fill = _COLOURS[place % len(_COLOURS)]
            parts.append(
                f'<rect x="{left}" y="{y + place * thick}" width="{width:.1f}" height="{thick - 1}" fill="{fill}"/>'
            )
            parts.append(
                _text(left + width + 4, y + (place + 1) * thick - 1, f"{100 * shares[side][name]:.1f} %", small=True)
            )
    return _svg(_WIDTH, len(classes) * step, parts) + legend(series)


def legend(series: Mapping[str, object]) -> str:
    """Which colour is which side."""
    items = [
        f'<span><i style="background:{_COLOURS[place % len(_COLOURS)]}"></i>{escape(name)}</span>'
        for place, name in enumerate(series)
    ]
    return f'<p class="legend">{" ".join(items)}</p>'


def histograms(series: Mapping[str, Sequence[int]]) -> str:
    """Shares of each side over bins of equal width from 0 to 255, as lines."""
    height, parts = 110, []
    shares = {name: [count / max(sum(counts), 1) for count in counts] for name, counts in series.items()}
    top = max((value for each in shares.values() for value in each), default=0) or 1
    for place, values in enumerate(shares.values()):
        step = _WIDTH / max(len(values), 1)
        points = " ".join(f"{(i + 0.5) * step:.1f},{height - 100 * v / top:.1f}" for i, v in enumerate(values))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{_COLOURS[place % 3]}" stroke-width="1.6"/>')
    return _svg(_WIDTH, height + 16, [*parts, *_scale(height)]) + legend(series)


def box(quartiles: Sequence[float], fences: Sequence[float], reach: Sequence[float]) -> str:
    """A box plot from 0 to 255: quartiles, whiskers to the fences (or the data's end), and the data's whole reach."""
    k, y = _WIDTH / 255, 22
    low, middle, high = (value * k for value in quartiles)
    left, right = max(fences[0], reach[0]) * k, min(fences[1], reach[1]) * k
    outside = [(reach[0] * k, left), (right, reach[1] * k)]
    parts = [
        f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{y}" y2="{y}" stroke="#333"/>',
        *(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 7}" y2="{y + 7}" stroke="#333"/>' for x in (left, right)),
        f'<rect x="{low:.1f}" y="{y - 11}" width="{high - low:.1f}" height="22" fill="#cfdded" stroke="#333"/>',
        f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="{y - 11}" y2="{y + 11}" stroke="#333" stroke-width="2"/>',
        *(
            f'<line x1="{a:.1f}" x2="{b:.1f}" y1="{y}" y2="{y}" stroke="#b33" stroke-width="3" stroke-dasharray="2 3"/>'
            for a, b in outside
            if b > a
        ),
    ]
    return _svg(_WIDTH, 62, [*parts, *_scale(44)])


def _scale(y: float) -> list[str]:
    marks = [(0, "start"), (64, "middle"), (128, "middle"), (192, "middle"), (255, "end")]
    line = f'<line x1="0" x2="{_WIDTH}" y1="{y}" y2="{y}" stroke="#bbb"/>'
    return [line, *(_text(value * _WIDTH / 255, y + 13, str(value), anchor, small=True) for value, anchor in marks)]


def _text(x: float, y: float, text: str, anchor: str = "start", small: bool = False) -> str:
    size = 10 if small else 12
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    body = "".join(parts)
    return f'<svg viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}" role="img">{body}</svg>'
