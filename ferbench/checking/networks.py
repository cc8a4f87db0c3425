"""Checks of networks that need no training: they build, give scores, and give the same ones in any company."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ferbench.checking.made_up import SAMPLES_ARE, spec_of
from ferbench.checking.report import Outcome, Subject, failed, first_fault, passed
from ferbench.checking.small import affordable
from ferbench.checking.trial import (
    NUMERICS,
    build,
    plain,
    preparer_of,
    raw_size,
    samples_for,
    seen_size,
)
from ferbench.nouns.model import Model, NetSpec
from ferbench.nouns.split import Batch, View
from ferbench.plugins.quarantine import described
from ferbench.training.counting import parameters
from ferbench.training.feed import open_feed
from ferbench.training.loop import weights_of
from ferbench.training.losses import call_network

CLASS_COUNTS = (2, 8)
COMPANY = 8
"""Samples in the batch whose parts are compared with the whole."""

RTOL, ATOL = 1e-4, 1e-5
"""Allowed difference: a share of each score, and one of the largest (sums of other batches round differently)."""


def specs_of(model: Model) -> dict[str, NetSpec]:
    """What a network must build for, by what is special about it."""
    reference = spec_of(model)
    specs = {"its reference": reference}
    specs |= {f"{count} classes": spec_of(model, classes=count) for count in CLASS_COUNTS if count != reference.classes}
    if model.recipe.input.channels is None and model.modality != "eeg":
        specs |= {
            f"{count} channels": spec_of(model, channels=count) for count in (1, 3) if count != spec_of(model).channels
        }
    seen = seen_size(model.recipe, raw_size(model.recipe, reference.size))
    if seen != reference.size:
        specs[f"the {seen} pixels that its recipe gives it"] = spec_of(model, size=seen)
    return specs


def builds(subject: Subject[Model]) -> Outcome:
    """It is a module with parameters for each specification, and gives finite scores [samples, classes]."""
    faults = []
    model = subject.item
    specs, modest = specs_of(model), affordable(subject).item
    others = {} if modest is model else specs_of(modest)  # at full size once is enough
    others.pop("its reference", None)
    count = 0
    for what, spec in specs.items():
        try:
            chosen, spec = (modest, others[what]) if what in others else (model, spec)
            net = build(chosen, spec)
            count = count or parameters(net)
            fault = _fault_of(net, chosen, spec)
        except Exception as error:
            fault = described(error)
        if fault:
            faults.append(f"for {what}: {fault}")
    return first_fault(faults, good=f"{', '.join(specs)}; {count:,} parameters")


def _fault_of(net: nn.Module, model: Model, spec: NetSpec) -> str:
    net.eval()
    with torch.inference_mode():
        scores = call_network(net, Reading(model, spec).batch(np.arange(3)))
    if tuple(scores.shape) != (3, spec.classes):
        given = f"3 {SAMPLES_ARE[model.modality]} and {spec.classes} classes"
        return f"scores of shape {list(scores.shape)} for {given}, not [3, {spec.classes}]"
    if not torch.isfinite(scores).all():
        return "scores that are not finite"
    return "" if any(True for _ in net.parameters()) else "it has no parameters; an estimator fits it better"


class Reading:
    """Made-up samples, read and prepared as a network is given them."""

    def __init__(self, model: Model, spec: NetSpec, seed: int = 0) -> None:
        self.settings = plain(model.recipe, lr=1e-3, epochs=1).input
        self.feed = open_feed(samples_for(model, spec, COMPANY, seed), self.settings, NUMERICS.device, 0)
        self.preparer = preparer_of(model, model.recipe, samples_for(model, spec, COMPANY))

    def batch(self, rows: np.ndarray) -> Batch:
        """Those samples as one batch; clips are filled up to the longest among them."""
        (raw,) = self.feed.batches([rows], View(frames=self.settings.test_frames), (0,))
        return self.preparer.test(raw)


def company(subject: Subject[Model]) -> Outcome:
    """In evaluation mode a sample's scores do not depend on the others in its batch, nor on its place.

    A clip alone has no frames that fill it up; in a batch it has as many as the longest one asks for.
    """
    model, spec = subject.item, spec_of(subject.item)
    net, reading = _used(model, spec), Reading(model, spec)
    whole = _scores(net, reading, np.arange(COMPANY))
    tolerance = RTOL * whole.abs() + ATOL * whole.abs().max()
    ways = {
        "alone": [np.array([index]) for index in range(COMPANY)],
        "in threes": [np.arange(COMPANY)[start : start + 3] for start in range(0, COMPANY, 3)],
        "in reverse order": [np.arange(COMPANY)[::-1].copy()],
    }
    faults = []
    for way, parts in ways.items():
        scores = torch.empty_like(whole)
        for part in parts:
            scores[torch.from_numpy(part)] = _scores(net, reading, part)
        difference = (scores - whole).abs()
        if not bool((difference <= tolerance).all()):
            faults.append(f"{way}, scores differ by up to {float(difference.max()):.2g}")
    again = _scores(net, reading, np.arange(COMPANY))
    if not torch.equal(again, whole):
        faults.append("the same batch twice gives different scores: something is still drawn at random")
    mend = "Of clips, leave out the frames that the mask says are none." if model.modality == "video" else ""
    return first_fault(faults, mend, f"alone, in threes and in reverse order, to {RTOL:g}")


def _used(model: Model, spec: NetSpec) -> nn.Module:
    """A network whose running statistics have moved, in evaluation mode."""
    net = build(model, spec)
    net.train()
    with torch.no_grad():
        for seed in (1, 2):
            call_network(net, Reading(model, spec, seed).batch(np.arange(COMPANY)))
    return net.eval()


def _scores(net: nn.Module, reading: Reading, rows: np.ndarray) -> torch.Tensor:
    with torch.inference_mode():
        return call_network(net, reading.batch(rows)).clone()


def saved(subject: Subject[Model]) -> Outcome:
    """Weights written to a file and read into a network built from another seed give the same scores, bit by bit."""
    model, spec = subject.item, spec_of(subject.item)
    net, reading = _used(model, spec), Reading(model, spec)
    before = _scores(net, reading, np.arange(COMPANY))
    with tempfile.TemporaryDirectory(prefix="ferbench-check-") as folder:
        path = Path(folder) / "weights.safetensors"
        save_file(weights_of(net), path)
        other = build(model, spec, seed=1)
        try:
            other.load_state_dict(load_file(path))
        except RuntimeError as error:
            return failed(f"its weights do not fit into a second one: {' '.join(str(error).split())[:300]}")
    after = _scores(other.eval(), reading, np.arange(COMPANY))
    if not torch.equal(before, after):
        return failed(
            f"scores differ by up to {float((before - after).abs().max()):.2g} after saving and loading",
            "Something that it computes with is neither a parameter nor a buffer: use register_buffer.",
        )
    return passed("bit by bit")
