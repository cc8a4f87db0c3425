"""An audit as one HTML page that needs nothing beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from PIL import Image

from ferbench.auditing import figures
from ferbench.auditing.copies import ACROSS
from ferbench.auditing.pictures import pictures_of
from ferbench.auditing.wording import estimates, percent
from ferbench.data.stored import Loaded

SHEET = 120
"""Pairs of near-duplicates on the contact sheet at most."""
SUSPECTS = 48
STAMP = "Not to be published: this page shows pictures that their licence keeps to yourself."
Draw = Callable[[Sequence[tuple[int, bool]]], str]
"""Pictures of samples side by side, as HTML; by row of the data set, and whether it is mirrored."""

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:1000px;margin:2em auto;padding:0 1.2em}
h1{margin-bottom:0}h2{margin-top:2em;border-bottom:1px solid #ddd}
table{border-collapse:collapse;margin:.6em 0}th,td{padding:.2em .8em;text-align:right;border-bottom:1px solid #eee}
th:first-child,td:first-child{text-align:left}thead th{border-bottom:1px solid #999}
.facts{color:#555}.stamp{background:#b00;color:#fff;padding:.5em 1em;font-weight:bold;position:sticky;top:0}
.legend span{margin-right:1.2em}.legend i{display:inline-block;width:.8em;height:.8em;margin-right:.4em}
.sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(205px,1fr));gap:10px}
.card{border:1px solid #ddd;padding:6px;font-size:12px;line-height:1.35}
.card img{display:block;image-rendering:pixelated;height:96px;margin-bottom:3px}.card b{color:#b00;font-weight:600}
svg{display:block;font-family:inherit}
"""


def page_of(facts: Mapping[str, Any], loaded: Loaded, private: bool = False) -> str:
    """The page of an audit. Pictures are shown where the data set is public, or with ``private``, which stamps it."""
    shown = loaded.dataset.public or private
    draw = _drawer(facts, loaded) if shown and facts.get("near_duplicates") is not None else None
    title = f"Audit of {facts['dataset']}@{facts['protocol']}"
    about = [f"{facts['samples']:,} samples", f"fingerprint {facts['fingerprint'][:8]}", *_about(facts)]
    parts = [
        f'<p class="stamp">{escape(STAMP)}</p>' if private and not loaded.dataset.public else "",
        f'<h1>{escape(title)}</h1><p class="facts">{escape(" · ".join(about))}</p>',
        _balance(facts),
        _copies(facts),
        _near(facts, draw),
        _noise(facts, draw),
        _outliers(facts, draw),
        _light(facts),
        _groups(facts),
        "<h2>Left out</h2>" + _list(facts["left_out"]),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _about(facts: Mapping[str, Any]) -> list[str]:
    told = ["synthetic"] if facts["synthetic"] else []
    told += [f"{facts['left_out_by_protocol']:,} more that the protocol drops"] if facts["left_out_by_protocol"] else []
    told += [f"first of {facts['folds']} folds"] if facts["folds"] > 1 else []
    return [*told, *([f"partial copy: {facts['partial']}"] if facts["partial"] else [])]


def _balance(facts: Mapping[str, Any]) -> str:
    splits = facts["splits"]
    rows = [[name, f"{side['n']:,}", *_shares(side)] for name, side in splits.items()]
    table = _table(["side", "samples", "largest : smallest class", "shift from train"], rows)
    counts = {name: side["classes"] for name, side in splits.items() if side["classes"]}
    note = "<p>Shift: total variation distance of the class shares; 0 % is the same, 100 % has no class in common.</p>"
    return f"<h2>Sides and classes</h2>{table}{figures.bars(counts) + note if counts else ''}"


def _shares(side: Mapping[str, Any]) -> list[str]:
    if not side["classes"]:
        return ["–", "–"]
    return ["a class is empty" if side["imbalance"] is None else f"{side['imbalance']:.1f} : 1", percent(side["shift"])]


def _copies(facts: Mapping[str, Any]) -> str:
    names = ("exact_duplicates", "duplicate_groups", "samples_in_groups", "conflicting_groups", "conflicting_samples")
    sides = {**facts["splits"], "all together": facts["whole"]}
    rows = [[label, *("–" if side[n] is None else f"{side[n]:,}" for n in names)] for label, side in sides.items()]
    header = [
        "",
        "samples − distinct images",
        "images that recur",
        "their samples",
        "with several labels",
        "their samples",
    ]
    across = [
        [f"{mine} in {other}", *(_count(facts["across"], f"{mine}_with_{kind}_in_{other}") for kind in _KINDS)]
        for mine, other in ACROSS
    ]
    return (
        f"<h2>Copies</h2><p>Identical pixels.</p>{_table(header, rows)}"
        "<p>Samples of one side that also stand on another:</p>"
        f"{_table(['', 'identical', 'near copy', 'either'], across)}"
    )


_KINDS = ("copy", "near_copy", "any_copy")


def _count(across: Mapping[str, int], name: str) -> str:
    return f"{across[name]:,}" if name in across else "–"


def _near(facts: Mapping[str, Any], draw: Draw | None) -> str:
    near = facts.get("near_duplicates")
    if near is None:
        return ""
    differ = near["contradictory_pairs"]
    text = (
        f"{near['pairs']:,} pairs of pictures differ in their pixels and yet look alike ({near['flipped_pairs']:,} "
        f"when one is mirrored), {near['pairs_across_sides']:,} of them across sides"
        + ("" if differ is None else f", {differ:,} with different labels")
        + f". If one picture of each shot were kept, {near['duplicates_exact_and_near']:,} samples would go, identical "
        "copies among them."
    )
    listed = near["listed"][:SHEET]
    cards = "".join(_pair(pair, draw) for pair in listed)
    why = "" if draw else " Their licence keeps pictures out of pages, so that they are named only."
    told = f"The contact sheet shows {len(listed):,} of them: across sides first, the least alike first.{why}"
    return f'<h2>Near-duplicates</h2><p>{escape(text)}</p><p>{escape(told)}</p><div class="sheet">{cards}</div>'


def _pair(pair: Mapping[str, Any], draw: Draw | None) -> str:
    a, b = pair["samples"]
    lines = [
        f"{escape(each['id'])} · {each['side']} · {_label(each['label'], a['label'] != b['label'])}" for each in (a, b)
    ]
    likeness = f"correlation {pair['correlation']:.3f}{', mirrored' if pair['flipped'] else ''}"
    picture = draw([(a["row"], False), (b["row"], pair["flipped"])]) if draw else ""
    return f'<div class="card">{picture}{"<br>".join([*lines, likeness])}</div>'


def _label(name: str, strange: bool) -> str:
    return f"<b>{escape(name)}</b>" if strange else escape(name)


def _noise(facts: Mapping[str, Any], draw: Draw | None) -> str:
    found = facts["label_noise"]["classifier"]
    parts = ["<h2>Labels that may be wrong</h2>", _list(estimates(facts))]
    if found and found["suspects"]:
        parts.append("<p>The samples that the classifier doubts most, for review:</p>")
        cards = []
        for each in found["suspects"][:SUSPECTS]:
            picture = draw([(each["row"], False)]) if draw else ""
            text = f"{escape(each['id'])}<br>label {escape(each['label'])}<br>guess {escape(each['guess'])}"
            cards.append(f'<div class="card">{picture}{text}</div>')
        parts.append(f'<div class="sheet">{"".join(cards)}</div>')
    return "".join(parts)


def _outliers(facts: Mapping[str, Any], draw: Draw | None) -> str:
    found = facts.get("outliers")
    if not found or "mean" not in found:
        return ""
    low, high = found["mean"]["fences"]
    items = [
        f"{found['dark']:,} darker and {found['bright']:,} brighter than the whiskers of the box plot of mean "
        f"grey values ({max(low, 0):.0f} and {min(high, 255):.0f})",
        f"{found['very_dark_or_bright']:,} with a mean below 20 or above 235",
        f"{found['constant']:,} constant, {found['near_constant']:,} near-constant (deviation below 5), the "
        "constant ones among them",
        f"{found['unreadable']:,} that cannot be read",
    ]
    plot = figures.box(found["mean"]["quartiles"], found["mean"]["fences"], found["mean"]["range"])
    cards = []
    for each in found["listed"][:SHEET]:
        picture = draw([(each["row"], False)]) if draw else ""
        text = f"{escape(each['id'])} · {each['side']}<br>mean {each['mean']:.0f}, deviation {each['deviation']:.0f}"
        cards.append(f'<div class="card">{picture}{text}</div>')
    return f'<h2>Outliers</h2>{plot}{_list(items)}<div class="sheet">{"".join(cards)}</div>'


def _light(facts: Mapping[str, Any]) -> str:
    found, size = facts.get("brightness"), facts.get("sizes")
    if not found or not size or not size["different"]:
        return ""
    wide = {name: "×".join(map(str, reversed(size[name]))) for name in ("commonest", "smallest", "largest")}
    several = f"{size['different']:,} sizes, mostly {wide['commonest']}, from {wide['smallest']} to {wide['largest']}"
    told = f"All are {wide['commonest']} pixels." if size["different"] == 1 else f"{several} pixels."
    rows = [[n, *(_grey(each[k]) for k in ("mean", "contrast"))] for n, each in found.get("classes", {}).items()]
    table = _table(["class", "mean grey value", "contrast"], rows) if rows else ""
    gap = found.get("class_gap")
    hint = f"<p>The brightest and the darkest class are {gap:.2f} standard deviations apart.</p>" if gap else ""
    plot = figures.histograms({name: side["histogram"] for name, side in found["sides"].items()})
    return f"<h2>Size and light</h2><p>{told} Mean grey value by side:</p>{plot}{table}{hint}"


def _grey(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"


def _groups(facts: Mapping[str, Any]) -> str:
    if not facts["groups"]:
        return ""
    shared = ("shared_by_test_and_train", "test_in_groups_of_train")
    rows = [
        [name, *(f"{count:,}" for count in each["groups"].values()), *(f"{each[key]:,}" for key in shared)]
        for name, each in facts["groups"].items()
    ]
    header = ["", "in train", "in val", "in test", "in test and train", "test samples of these"]
    return f"<h2>Persons and other groups</h2>{_table(header, rows)}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _list(items: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>" if items else "<p>Nothing.</p>"


def _drawer(facts: Mapping[str, Any], loaded: Loaded) -> Draw:
    """Reads the pictures that the page shows, all at once."""
    near, found = facts["near_duplicates"], facts["label_noise"]["classifier"]
    rows = [each["row"] for pair in near["listed"][:SHEET] for each in pair["samples"]]
    rows += [each["row"] for each in found["suspects"][:SUSPECTS]] if found else []
    rows += [each["row"] for each in facts["outliers"]["listed"][:SHEET]]
    known = np.unique(np.array(rows, dtype=np.int64))
    small = pictures_of(loaded, known, lambda text: None).small if len(known) else np.zeros((0, 1, 1), np.uint8)

    def draw(asked: Sequence[tuple[int, bool]]) -> str:
        chosen = [small[int(np.searchsorted(known, row))] for row, _ in asked]
        mirrored = [each[:, ::-1] if flip else each for each, (_, flip) in zip(chosen, asked, strict=True)]
        stream = io.BytesIO()
        Image.fromarray(np.concatenate(mirrored, axis=1)).save(stream, "PNG")
        return f'<img alt="" src="data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}">'

    return draw
