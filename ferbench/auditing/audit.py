"""The audit of a data set under a protocol: everything that is found out, as plain data."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from ferbench.auditing.copies import Audited, copies_across, copies_within, summed
from ferbench.auditing.looks import SIDES, balance, brightness, groups_across, outliers, sizes
from ferbench.auditing.near import Pairs, near_across, near_facts, near_pairs
from ferbench.auditing.noise import label_noise
from ferbench.auditing.pictures import Told, pictures_of
from ferbench.data.folds import count_folds, make_sides
from ferbench.data.grouping import strata
from ferbench.data.labels import expected_counts
from ferbench.data.stored import Loaded
from ferbench.data.votes import VOTES, vote_shares
from ferbench.nouns.dataset import ProtocolRule
from ferbench.nouns.emotions import Side

LISTED = 2000
"""Pairs of near-duplicates that are kept by name, those across sides first."""


def audit(loaded: Loaded, rule: ProtocolRule, told: Told = lambda text: None) -> dict[str, Any]:
    """Audit a data set as a protocol divides it. ``told`` hears what is being done.

    Counts of single sides are those of the first fold; ``across`` adds up all folds. docs/audit.md lists every key.
    Raises DataError when the protocol cannot divide the data.
    """
    began = time.monotonic()
    folds = [_fold(loaded, rule, fold) for fold in range(count_folds(loaded, rule))]
    first, counts = folds[0]
    pictures = None if loaded.dataset.modality == "eeg" else pictures_of(loaded, first.rows, told)
    facts: dict[str, Any] = {
        "dataset": loaded.dataset.name,
        "protocol": rule.name,
        "fingerprint": loaded.fingerprint,
        "public": loaded.dataset.public,
        "synthetic": loaded.dataset.synthetic,
        "samples": len(first.rows),
        "left_out_by_protocol": len(loaded.samples.ids) - len(first.rows),
        "folds": len(folds),
        "partial": loaded.partial,
        "classes": list(first.classes),
        "splits": {name: _side(first, counts, name) for name in SIDES},
        "whole": copies_within(first, np.ones(len(first.rows), dtype=bool)),
        "across": summed([copies_across(each) for each, _ in folds]),
        "groups": {
            name: groups_across(first, values[first.rows].astype(str))
            for name, values in sorted(loaded.samples.groups.items())
        },
    }
    pairs = None
    if pictures is not None:
        told("Comparing all pictures with each other …")
        pairs = near_pairs(first, pictures)
        a, b = first.image[pairs.first], first.image[pairs.second]
        facts["across"] |= summed([near_across(each, a, b) for each, _ in folds])
        facts["near_duplicates"] = near_facts(first, pairs) | {"listed": _listed(loaded, first, pairs)}
        facts["outliers"] = outliers(first, pictures, loaded.samples.ids)
        facts["brightness"] = brightness(first, pictures)
        facts["sizes"] = sizes(pictures)
    told("Estimating how many labels are wrong …")
    facts["label_noise"] = label_noise(first, pictures, pairs, loaded.samples, _votes(loaded, first))
    facts["left_out"] = _left_out(loaded, facts)
    return facts | {"seconds": round(time.monotonic() - began, 2)}


def _fold(loaded: Loaded, rule: ProtocolRule, fold: int) -> tuple[Audited, dict[Side, dict[str, float]]]:
    """The samples of a fold, and the class counts of its sides (none of a regression)."""
    sides, samples = make_sides(loaded, rule, fold), loaded.samples
    assert samples.hashes is not None  # every registered data set has them
    images, image = np.unique(samples.hashes, return_inverse=True)
    kinds = set(sides.kinds.values())
    audited = Audited(
        rows=np.concatenate([sides.rows[name] for name in SIDES]),
        side=np.repeat(np.arange(len(SIDES)), [len(sides.rows[name]) for name in SIDES]),
        labels=None
        if kinds & {"real", "multi-hot"}
        else np.concatenate([strata(sides.targets[name]) for name in SIDES]),
        image=image[np.concatenate([sides.rows[name] for name in SIDES])],
        images=len(images),
        classes=sides.classes,
    )
    counts: dict[Side, dict[str, float]] = {}
    for name in () if "real" in kinds else SIDES:
        values = expected_counts(sides.targets[name], len(sides.classes)).tolist()
        whole = [int(value) if value.is_integer() else round(value, 3) for value in values]
        counts[name] = dict(zip(sides.classes, whole, strict=True))
    return audited, counts


def _side(audited: Audited, counts: Mapping[Side, Mapping[str, float]], name: Side) -> dict[str, Any]:
    chosen = audited.where(name)
    shares = balance(counts[name], counts["train"]) if counts else {"classes": None}
    return {"n": int(chosen.sum()), **shares, **copies_within(audited, chosen)}


def _votes(loaded: Loaded, audited: Audited) -> np.ndarray | None:
    votes, known = loaded.samples.columns.get(VOTES), loaded.dataset.classes
    if votes is None or not set(audited.classes) <= set(known):
        return None
    return vote_shares(votes[audited.rows], known, audited.classes)


def _listed(loaded: Loaded, audited: Audited, pairs: Pairs) -> list[dict[str, Any]]:
    """Pairs by name: those across sides first, of these the least alike first."""
    apart = audited.side[pairs.first] != audited.side[pairs.second]
    order = np.lexsort((pairs.correlation, ~apart))[:LISTED]
    return [
        {
            "correlation": round(float(pairs.correlation[i]), 4),
            "flipped": bool(pairs.flipped[i]),
            "samples": [_named(loaded, audited, int(each[i])) for each in (pairs.first, pairs.second)],
        }
        for i in order.tolist()
    ]


def _named(loaded: Loaded, audited: Audited, sample: int) -> dict[str, Any]:
    label = "" if audited.labels is None else audited.classes[int(audited.labels[sample])]
    row = int(audited.rows[sample])
    return {"id": str(loaded.samples.ids[row]), "side": SIDES[audited.side[sample]], "label": label, "row": row}


def _left_out(loaded: Loaded, facts: Mapping[str, Any]) -> list[str]:
    """What was not looked at, and why."""
    told = []
    modality = loaded.dataset.modality
    if modality == "eeg":
        told.append(
            "near-duplicates, outliers, brightness and the classifier: they are for pictures, and these are EEG"
        )
    if modality == "video":
        told.append("of each clip the middle frame alone was looked at; copies are those of whole clips")
    if loaded.inputs is None:
        told.append("exact copies are those of identical files: the same pixels stored otherwise are near-duplicates")
    if facts["folds"] > 1:
        told.append(f"all but copies across sides is of the first of {facts['folds']} folds")
    noise, near = facts["label_noise"], facts.get("near_duplicates")
    if facts["splits"]["train"]["classes"] is None:
        told.append("class balance, contradictory labels and label noise: the targets are no classes")
    elif facts["whole"]["conflicting_groups"] is None:
        told.append("contradictory labels, light by class and label noise: a sample has several classes, or none")
    else:
        if noise["votes"] is None:
            told.append("label noise by votes: the data set keeps no annotators' votes")
        if noise["classifier"] is None and modality != "eeg":
            told.append(
                "label noise by a classifier: some class has fewer than 25 different pictures, or persons (clips) "
                "cannot be kept apart"
            )
    if not facts["groups"]:
        told.append("overlap of persons: the data set does not say who is shown")
    if near is not None and not near["within_train"]:
        told.append("near-duplicates within train: there are too many pictures to compare each with each")
    return told
