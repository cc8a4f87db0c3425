"""A control experiment that leaks by design: classes are oversampled before the data are divided."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from ferbench import DataError, Dataset, Family, Parsed, ProtocolRule, ReadContext, Suite, hookimpl
from ferbench_leaky_control.dividing import oversample_then_split, split_then_oversample

plugin_api = 1

PREFIX = "oversampled-first"
LEAKY, HONEST = "oversample-then-split", "split-then-oversample"

PROTOCOLS = (
    ProtocolRule(
        LEAKY,
        oversample_then_split,
        "A fifth of all samples at random as test, copies included: what the model saw it is tested on",
        allow_leak=True,
        mark="CONTROL EXPERIMENT: leaks by design (oversampled before the division); no result of any method",
    ),
    ProtocolRule(
        HONEST,
        split_then_oversample,
        "Each picture with all its copies on one side; copies are trained on alone, val and test have none",
        mark="control experiment: the honest twin of oversample-then-split",
    ),
)


def make(name: str, find: Callable[[str], Dataset]) -> Dataset:
    """The data set ``name`` with each class brought to the size of the largest by random copies."""
    base = find(name)
    if base.task != "single-label" or base.decode is not None:
        kind = f"its task is {base.task}" if base.task != "single-label" else "it streams from files"
        raise DataError(f"{PREFIX}:{name} cannot be made: it needs one label for each picture in memory, and {kind}.")

    def read(path: Path | None, context: ReadContext) -> Parsed:
        from ferbench_leaky_control.oversampling import oversampled

        return oversampled(context.registered(name))

    return replace(
        base,
        name=f"{PREFIX}:{name}",
        description=f"Control experiment: {name}, every class filled up with copies before it is divided",
        protocols=PROTOCOLS,
        read=read,
        bases=(base,),
        embedded=True,
        version="1",
        tags=frozenset({"control"}),
    )


@hookimpl
def ferbench_datasets() -> Iterator[Family]:
    """Yield the family of oversampled data sets."""
    yield Family(
        PREFIX,
        make,
        "Control experiment that leaks by design: a data set oversampled before it is divided",
        examples=("demo", "fer2013"),
        derives=True,
    )


@hookimpl
def ferbench_suites() -> Iterator[Suite]:
    """Yield the experiment on FER2013, and on the demo, for which nothing has to be registered."""
    for name, dataset, seeds in (("leaky-control", "fer2013", (0, 1, 2)), ("leaky-control-demo", "demo", (0,))):
        yield Suite(
            name=name,
            description=f"Control experiment on {dataset}: oversampling before the division, beside its honest twin",
            datasets=tuple(f"{PREFIX}:{dataset}@{protocol}" for protocol in (LEAKY, HONEST)),
            models=("small-cnn", "knn", "majority"),
            seeds=seeds,
            epochs=12,
            set={
                "knn:model.options.neighbours": 1,
                # Memorising, which the leak rewards, is what augmentation and smoothing are there to prevent.
                "small-cnn:recipe.augmentation": [],
                "small-cnn:recipe.loss.label_smoothing": 0.0,
            },
        )
