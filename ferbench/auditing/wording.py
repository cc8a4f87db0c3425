"""An audit in words: the lines of the command, and the estimates of label noise, which the page shows too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ferbench.auditing.copies import ACROSS


def percent(share: float) -> str:
    """``3.4 %``."""
    return f"{100 * share:.1f} %"


def estimates(facts: Mapping[str, Any]) -> list[str]:
    """A sentence for each estimate of label noise that could be made, with what it assumes."""
    noise, told = facts["label_noise"], []
    if found := noise["copies"]:
        told.append(
            f"Identical copies of {found['pictures']:,} pictures: two copies have different labels in "
            f"{percent(found['disagreement'])}; were they labelled independently, {percent(found['label_error'])} of "
            "the labels are wrong. Copies found by the same search word share their error, so this is rather low."
        )
    if found := noise["near_copies"]:
        told.append(
            f"{found['pairs']:,} pairs of near-duplicates: {percent(found['disagreement'])} have different labels, as "
            f"by {percent(found['label_error'])} wrong ones. Right as far as the contact sheet shows the same shots."
        )
    if found := noise["votes"]:
        told.append(
            f"Annotators' votes on {found['samples']:,} samples: another class has more votes than the label in "
            f"{percent(found['label_error'])}."
        )
    if found := noise["classifier"]:
        told.append(
            f"Out-of-fold scores of a quick classifier ({found['classifier']}; accuracy {percent(found['accuracy'])}): "
            f"at most {percent(found['label_error_at_most'])} wrong by confident learning, a bound that is far too "
            f"high where the classifier is weak. {found['suspected']:,} are suspected; the worst are listed for review."
        )
    return told


def lines(facts: Mapping[str, Any]) -> list[str]:
    """The audit for a terminal."""
    told = [f"{facts['dataset']}@{facts['protocol']}: {facts['samples']:,} samples, fingerprint {facts['fingerprint']}"]
    for name, side in facts["splits"].items():
        text = f"{name}: {side['n']:,} samples, of them copies within the side {side['exact_duplicates']:,}"
        if side["conflicting_groups"]:
            text += f" (pictures with several labels: {side['conflicting_groups']:,})"
        told.append(f"  {text}{_imbalance(side)}")
    told += ["Copies across sides (in brackets: near copies too):", *_across(facts["across"])]
    told += _pictures(facts)
    told += ["Wrong labels:", *(f"  {text}" for text in estimates(facts))]
    told += _groups(facts)
    return [*told, "Left out:", *(f"  {text}" for text in facts["left_out"])] if facts["left_out"] else told


def _imbalance(side: Mapping[str, Any]) -> str:
    if not side["classes"]:
        return ""
    return f"; classes {side['imbalance']:.1f} : 1" if side["imbalance"] else "; a class is empty"


def _across(across: Mapping[str, int]) -> list[str]:
    told = []
    for mine, other in ACROSS:
        near = across.get(f"{mine}_with_any_copy_in_{other}")
        text = f"  samples of {mine} that also stand in {other}: {across[f'{mine}_with_copy_in_{other}']:,}"
        told.append(text if near is None else f"{text} ({near:,})")
    return told


def _pictures(facts: Mapping[str, Any]) -> list[str]:
    near, odd = facts.get("near_duplicates"), facts.get("outliers")
    if near is None or not odd or "mean" not in odd:
        return []
    differ = "" if near["contradictory_pairs"] is None else f", {near['contradictory_pairs']:,} with different labels"
    return [
        f"Near-duplicates: {near['pairs']:,} pairs ({near['flipped_pairs']:,} mirrored){differ}",
        f"Outliers: {odd['dark']:,} dark and {odd['bright']:,} bright by box plot, {odd['very_dark_or_bright']:,} with "
        f"a mean below 20 or above 235, {odd['constant']:,} constant, {odd['near_constant']:,} near-constant, "
        f"{odd['unreadable']:,} unreadable",
    ]


def _groups(facts: Mapping[str, Any]) -> list[str]:
    return [
        f"{name.capitalize()}s: {each['shared_by_test_and_train']:,} stand in test and in train, with "
        f"{each['test_in_groups_of_train']:,} test samples"
        for name, each in facts["groups"].items()
    ]
