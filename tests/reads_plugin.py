"""A data set, votes about most of its samples, and samplers that read them or reach for what they must not have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ferbench import (
    Dataset,
    MissingDataError,
    Parsed,
    ProtocolRule,
    ReadContext,
    Reads,
    Removed,
    Requirement,
    Sample,
    SampleContext,
    Sampler,
    Samples,
    Split,
    Suite,
    given_split,
    hookimpl,
)

COUNT = 60
CLASSES = ("anger", "fear", "neutral")
VOTED = 50
"""The votes are about so many samples, of all sides."""


def pictures() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (COUNT, 8, 8), dtype=np.uint8)


def samples() -> Samples:
    index = np.arange(COUNT)
    side = np.array(["train", "val", "train", "test"])[index % 4]
    ids = np.array([f"face-{i:02d}" for i in index])
    return Samples(ids, index % 3, side, columns={"source": np.array([f"page {i}" for i in index])})


def read(path: Path | None, context: ReadContext) -> Parsed:
    return Parsed(samples(), {"image": pictures()})


def read_votes(path: Path | None, context: ReadContext) -> Parsed:
    """Votes by the version in VOTES; ``other`` tells them of other pictures."""
    version, whole = os.environ.get("VOTES", "1"), samples()
    assert whole.origin is not None
    kept = np.arange(COUNT)[::-1][:VOTED]
    votes = np.full((VOTED, 3), len(version)) + kept[:, None]
    altered = Samples(whole.ids[kept], whole.targets[kept], whole.origin[kept], columns={"votes": votes})
    return Parsed(altered, {"image": pictures()[kept] + np.uint8(version == "other")})


def voted(train: Split, context: SampleContext) -> Sample:
    """Leave out what nobody voted on."""
    known = context.facts("votes", "votes").known
    return Sample(indices=np.flatnonzero(known), removed=(Removed(tuple(train.ids[~known].tolist()), "no votes"),))


def voted_if_there(train: Split, context: SampleContext) -> Sample:
    try:
        return voted(train, context)
    except MissingDataError:
        return Sample()


@hookimpl
def ferbench_samplers() -> Iterator[Sampler]:
    tags = frozenset({"reading"})
    yield Sampler("voted", voted, reads=(Reads("votes"),), tags=tags)
    yield Sampler("voted-if-there", voted_if_there, reads=(Reads("votes", optional=True),), tags=tags)
    yield Sampler("uninstalled", voted, reads=(Reads("vots"),), tags=tags)
    yield Sampler("undeclared", voted)
    yield Sampler("judged", voted, requires={"judge": Requirement("majority", out_of_fold=2)})


@hookimpl
def ferbench_datasets() -> Iterator[Dataset]:
    protocols = (ProtocolRule("official", given_split("train", "val", "test")),)
    yield Dataset("faces", "Sixty squares", CLASSES, protocols, read, embedded=True)
    version, there = os.environ.get("VOTES", "1"), "VOTES" in os.environ
    facts: dict[str, Any] = {"embedded": there, "version": version, "how_to_get": "Ask us"}
    yield Dataset("votes", "Votes", CLASSES, protocols, read_votes, **facts)


@hookimpl
def ferbench_suites() -> Iterator[Suite]:
    yield Suite(name="reads", datasets=("faces",), models=("majority",), samplers=("tag:reading", "plain"), seeds=(0,))
