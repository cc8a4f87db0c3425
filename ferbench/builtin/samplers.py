"""The sampler that changes nothing."""

from __future__ import annotations

from collections.abc import Iterator

from ferbench.nouns.sampler import Sample, SampleContext, Sampler
from ferbench.nouns.split import Split


def as_it_is(train: Split, context: SampleContext) -> Sample:
    """Every training sample once an epoch, with its own label and equal weight."""
    return Sample()


def samplers() -> Iterator[Sampler]:
    """Yield the samplers of the core."""
    yield Sampler(
        name="plain",
        sample=as_it_is,
        description="Every training sample once an epoch, unweighted, with its own label.",
        tags=frozenset({"core", "demo", "fer2013"}),
    )
