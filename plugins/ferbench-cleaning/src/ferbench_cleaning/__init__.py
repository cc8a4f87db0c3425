"""Samplers that clean the training side: copies, contradictions, outliers, wrong labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ferbench import Paper, Sampler, hookimpl
from ferbench_cleaning.options import Ferplus, Learning, Outliers, Ties

plugin_api = 1

TAGS = frozenset({"cleaning", "fer2013-samplers"})

CONFIDENT = Paper(
    title="Confident Learning: Estimating Uncertainty in Dataset Labels",
    authors="Curtis G. Northcutt, Lu Jiang, Isaac L. Chuang",
    year=2021,
    venue="JAIR",
    url="https://arxiv.org/abs/1911.00068",
)

VOTES = Paper(
    title="Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution",
    authors="Emad Barsoum, Cha Zhang, Cristian Canton Ferrer, Zhengyou Zhang",
    year=2016,
    venue="ICMI",
    url="https://arxiv.org/abs/1608.01041",
)


@hookimpl
def ferbench_samplers() -> Iterator[Sampler]:
    """Yield the samplers; each tells in the cell what it left out or relabelled, and why."""
    yield _sampler("drop-duplicates", "duplicates:drop_duplicates", "One of identical pictures with the same label")
    yield _sampler(
        "drop-conflicting",
        "duplicates:drop_conflicting",
        "Leaves out identical pictures whose labels contradict each other",
    )
    yield _sampler(
        "resolve-conflicting",
        "duplicates:resolve_conflicting",
        "Gives identical pictures the label that most of them have; where as many say otherwise, they are left out",
        options=Ties(),
    )
    yield _sampler(
        "drop-outliers",
        "outliers:drop_outliers",
        "Leaves out pictures of unusual brightness, constant ones, and by FER+'s votes those that show no face",
        options=Outliers(),
        reads="ferbench_cleaning.options:votes_if_there",
    )
    yield _sampler(
        "confident-learning",
        "learning:confident_learning",
        "Leaves out samples whose labels a model that has not seen them confidently contradicts (cleanlab)",
        options=Learning(),
        requires="ferbench_cleaning.options:judge",
        paper=CONFIDENT,
    )
    yield _sampler(
        "relabel-ferplus",
        "relabelling:relabel_ferplus",
        "Gives pictures of FER2013 the label on which most of FER+'s ten votes agree",
        options=Ferplus(),
        reads="ferbench_cleaning.options:votes",
        paper=VOTES,
    )


def _sampler(name: str, function: str, description: str, **more: Any) -> Sampler:
    return Sampler(name, f"ferbench_cleaning.{function}", description, tags=TAGS, **more)
