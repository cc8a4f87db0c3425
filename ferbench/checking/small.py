"""Large networks under their small settings, where a rule runs a network more often than its size allows."""

from __future__ import annotations

from dataclasses import replace

import torch

from ferbench.checking.made_up import spec_of
from ferbench.checking.report import GFLOPS, Subject
from ferbench.checking.trial import build, raw_size, seen_size
from ferbench.nouns.model import Model, NetSpec
from ferbench.running.small import under_small_settings
from ferbench.training.counting import flops


def affordable(subject: Subject[Model]) -> Subject[Model]:
    """The same subject, or its model under its small settings where one picture costs more than the effort allows.

    Models without small settings, or with shapes of their own in their reference, stay as they are.
    """
    model = subject.item
    if model.build is None or not model.small or model.reference.inputs or not _is_large(subject):
        return subject
    recipe, options, _ = under_small_settings(model, small=True)
    size = seen_size(recipe, raw_size(recipe, recipe.input.size or model.reference.size))
    reference = replace(model.reference, size=size)
    return replace(subject, item=replace(model, recipe=recipe, options=options, reference=reference))


def _is_large(subject: Subject[Model]) -> bool:
    try:
        cost = operations(subject.item, spec_of(subject.item))
    except Exception:
        return False  # the rule itself says what is wrong
    return cost is not None and cost > GFLOPS[subject.effort] * 1e9


def operations(model: Model, spec: NetSpec) -> int | None:
    """Floating-point operations for one picture, counted without numbers where the network can be built so."""
    try:
        with torch.device("meta"):
            return flops(build(model, spec), spec)
    except Exception:
        return flops(build(model, spec), spec)
