"""Large networks as their small settings make them, so that a check of them ends within its time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ferbench.checking.made_up import spec_of
from ferbench.checking.report import GFLOPS, Outcome, Subject
from ferbench.checking.trial import build, raw_size, seen_size
from ferbench.nouns.model import Model
from ferbench.running.plan import small_settings
from ferbench.training.counting import flops

Look = Callable[[Subject[Model]], Outcome]


def as_small(look: Look) -> Look:
    """The same check, which looks at a network above the effort's limit as its ``small`` settings make it."""

    def looks(subject: Subject[Model]) -> Outcome:
        if not is_large(subject):
            return look(subject)
        outcome = look(replace(subject, item=made_small(subject.item)))
        return replace(outcome, detail=f"{outcome.detail}; with its small settings")

    return looks


def is_large(subject: Subject[Model]) -> bool:
    """Whether a network is above the effort's limit, and has small settings."""
    model = subject.item
    if not model.small:
        return False
    cost = flops(build(model, spec_of(model)), spec_of(model))
    return cost is not None and cost > GFLOPS[subject.effort] * 1e9


def made_small(model: Model) -> Model:
    """A model under its small settings, its reference being the picture that these give it."""
    recipe, options, _ = small_settings(model)
    size = seen_size(recipe, raw_size(recipe, model.reference.size))
    old, new = (model.reference.size,) * 2, (size,) * 2
    inputs = {
        name: (*shape[:-2], *new) if tuple(shape[-2:]) == old else tuple(shape)
        for name, shape in model.reference.inputs.items()
    }
    return replace(model, recipe=recipe, options=options, reference=replace(model.reference, size=size, inputs=inputs))
