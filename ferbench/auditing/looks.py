"""Pictures that stand out, the light they are taken in, their sizes; classes and groups of each side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ferbench.auditing.copies import ACROSS, Audited
from ferbench.auditing.near import FLAT
from ferbench.auditing.pictures import Pictures
from ferbench.data.light import whiskers
from ferbench.nouns.emotions import Side

SIDES: tuple[Side, ...] = ("train", "val", "test")
DARK, BRIGHT = 20.0, 235.0
BINS = 32


def outliers(audited: Audited, pictures: Pictures, ids: np.ndarray) -> dict[str, Any]:
    """Samples whose mean grey value lies beyond the whiskers of a box plot (Tukey: 1.5 quartile distances), and more.

    ``dark`` and ``bright``: beyond the whiskers; ``very_dark_or_bright``: mean below 20 or above 235; ``constant``: all
    pixels alike; ``near_constant``: grey values deviate by less than 5, the constant ones included. The samples
    (``listed``) are those of the last three kinds and the ones that could not be read, each with mean and deviation.
    """
    seen = pictures.readable
    mean, deviation = pictures.mean[seen], pictures.deviation[seen]
    if not len(mean):
        return {"unreadable": len(seen), "listed": []}
    low, middle, high = (float(value) for value in np.quantile(mean, [0.25, 0.5, 0.75]))
    fences = whiskers(mean)
    extreme = (mean < DARK) | (mean > BRIGHT)
    flat = deviation < FLAT
    strange = ~seen
    strange[np.flatnonzero(seen)[extreme | flat]] = True
    listed = np.flatnonzero(strange)
    return {
        "mean": {
            "quartiles": [low, middle, high],
            "fences": list(fences),
            "range": [float(mean.min()), float(mean.max())],
        },
        "dark": int((mean < fences[0]).sum()),
        "bright": int((mean > fences[1]).sum()),
        "very_dark_or_bright": int(extreme.sum()),
        "constant": int((deviation == 0).sum()),
        "near_constant": int(flat.sum()),
        "unreadable": int((~seen).sum()),
        "listed": [
            {
                "id": str(ids[audited.rows[i]]),
                "side": SIDES[audited.side[i]],
                "mean": round(float(pictures.mean[i]), 2),
                "deviation": round(float(pictures.deviation[i]), 2),
                "readable": bool(seen[i]),
                "row": int(audited.rows[i]),
            }
            for i in listed[np.argsort(pictures.deviation[listed], kind="stable")].tolist()
        ],
    }


def brightness(audited: Audited, pictures: Pictures) -> dict[str, Any]:
    """Mean grey value and contrast (deviation within a picture), by side and by class, and a histogram by side.

    ``class_gap``: the largest difference between the mean grey values of two classes, in standard deviations of the
    single pictures; a method can tell classes apart by light alone where it is large.
    """
    seen = pictures.readable
    by_side: dict[str, Any] = {}
    for name in SIDES:
        chosen = audited.where(name) & seen
        counts = np.histogram(pictures.mean[chosen], BINS, (0, 256))[0]
        by_side[name] = {**_light(pictures, chosen), "histogram": counts.tolist()}
    facts: dict[str, Any] = {"sides": by_side}
    if audited.labels is not None:
        chosen = {name: seen & (audited.labels == i) for i, name in enumerate(audited.classes)}
        by_class = {name: _light(pictures, mask) for name, mask in chosen.items()}
        means = [each["mean"] for each in by_class.values() if each["mean"] is not None]
        spread = float(pictures.mean[seen].std()) if seen.any() else 0.0
        facts |= {"classes": by_class, "class_gap": (max(means) - min(means)) / spread if spread and means else None}
    return facts


def _light(pictures: Pictures, chosen: np.ndarray) -> dict[str, float | None]:
    if not chosen.any():
        return {"mean": None, "contrast": None}
    return {"mean": float(pictures.mean[chosen].mean()), "contrast": float(pictures.deviation[chosen].mean())}


def sizes(pictures: Pictures) -> dict[str, Any]:
    """Heights and widths: how many different ones, the commonest, the smallest and the largest by area."""
    known, counts = np.unique(pictures.sizes[pictures.readable], axis=0, return_counts=True)
    if not len(known):
        return {"different": 0}
    area = known.prod(axis=1)
    chosen = {"commonest": counts.argmax(), "smallest": area.argmin(), "largest": area.argmax()}
    return {"different": len(known), **{name: known[i].tolist() for name, i in chosen.items()}}


def balance(counts: Mapping[str, float], train: Mapping[str, float]) -> dict[str, Any]:
    """Class counts of a side; ``imbalance``: largest over smallest; ``shift``: total variation distance from train."""
    values, base = (np.array(list(each.values()), float) for each in (counts, train))
    smallest = values.min()
    return {
        "classes": dict(counts),
        "imbalance": float(values.max() / smallest) if smallest > 0 else None,
        "shift": float(np.abs(values / max(values.sum(), 1) - base / max(base.sum(), 1)).sum() / 2),
    }


def groups_across(audited: Audited, values: np.ndarray) -> dict[str, Any]:
    """Groups (subjects, clips) of each side, and what two sides share; ``values``: the group of each audited sample.

    ``shared_by_test_and_train``: groups on both; ``test_in_groups_of_train``: the samples of test that they concern.
    """
    known = values != ""
    on = {name: set(values[audited.where(name) & known].tolist()) for name in SIDES}
    facts: dict[str, Any] = {"groups": {name: len(each) for name, each in on.items()}, "unknown": int((~known).sum())}
    for mine, other in ACROSS:
        shared = on[mine] & on[other]
        concerned = audited.where(mine) & np.isin(values, sorted(shared))
        facts[f"shared_by_{mine}_and_{other}"] = len(shared)
        facts[f"{mine}_in_groups_of_{other}"] = int(concerned.sum())
    return facts
