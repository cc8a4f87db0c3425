"""Checks of networks that train them for a moment: every parameter learns, sixteen samples are learnt, twice alike."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from fnmatch import fnmatchcase

import numpy as np
import torch
from torch import nn

from ferbench.checking.made_up import SAMPLES_ARE, spec_of
from ferbench.checking.report import GFLOPS, Outcome, Subject, failed, first_fault, passed
from ferbench.checking.small import operations
from ferbench.checking.trial import (
    NUMERICS,
    EnoughError,
    Onlooker,
    build,
    job_of,
    objective_of,
    plain,
    raw_size,
    run,
    samples_for,
    seen_size,
    short,
)
from ferbench.data.places import data_root
from ferbench.identity import digest
from ferbench.nouns.model import Model, NetSpec
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.views import SingleView
from ferbench.store.files import write_json
from ferbench.training.counting import parameters
from ferbench.training.inference import score_samples
from ferbench.training.job import Job

COUNT = 16
WANTED = 0.95
RATES = (1e-3, 1e-4, 1e-2)
"""Tried in this order; 1e-3 is Adam's own."""
LARGE = 1_000_000
"""Parameters from which a network without batch normalisation learns sooner at a tenth of that."""
STEPS_AT_ONCE, LOOKS = 4, 60
"""Steps between two looks, and how often is looked at a rate before another is tried."""

PACE = 0.1
"""Momentum of PyTorch's batch normalisation."""

SECONDS = 150.0
"""Of computing, after which learning is given up; a machine that has other work as well takes longer."""

GRADIENT_STEPS = 4


def gradients(subject: Subject[Model]) -> Outcome:
    """Every parameter that is not frozen gets a gradient that is finite and not zero, within a few steps."""
    model, spec, size = subject.item, spec_of(subject.item), _size(subject)
    spec = spec_of(model, size=size)
    net, objective = build(model, spec), objective_of(model, spec)
    frozen = _frozen(model.recipe, net)
    learning = {name: value for name, value in net.named_parameters() if value.requires_grad and name not in frozen}
    if isinstance(objective, nn.Module):
        learning |= {f"objective.{name}": value for name, value in objective.named_parameters() if value.requires_grad}
    reached: set[str] = set()
    broken: set[str] = set()

    def look() -> None:
        for name, parameter in learning.items():
            if parameter.grad is None:
                continue
            if not bool(torch.isfinite(parameter.grad).all()):
                broken.add(name)
            elif bool(parameter.grad.any()):
                reached.add(name)
        if len(reached) == len(learning):
            raise EnoughError

    recipe = plain(model.recipe, RATES[0], GRADIENT_STEPS)
    run(net, job_of(subject, recipe, spec, samples_for(model, spec, COUNT), Onlooker(look), objective))
    faults = [f"{name} gets a gradient that is not finite" for name in sorted(broken)]
    faults += [f"{name} never gets a gradient" for name in learning if name not in reached]
    mend = "Use it in forward, remove it, or freeze it: requires_grad_(False), or a stage's `trainable`."
    count = sum(value.numel() for value in learning.values())
    held = f", {len(frozen)} tensors frozen" if frozen else ""
    return first_fault(faults, mend, f"{len(learning)} tensors, {count:,} numbers{held}")


def _frozen(recipe: Recipe, net: nn.Module) -> set[str]:
    """Parameters that no stage of a recipe trains."""
    patterns = [pattern for stage in recipe.planned_stages() for pattern in stage.trainable]
    return {name for name, _ in net.named_parameters() if not any(fnmatchcase(name, pattern) for pattern in patterns)}


def learns(subject: Subject[Model]) -> Outcome:
    """Sixteen samples are learnt by heart, with its own objective, Adam, and neither augmentation nor dropout.

    The running statistics of its normalisations follow within some twenty steps, as they would in a longer training.
    """
    model, size = subject.item, _size(subject)
    spec, called = spec_of(model, size=size), SAMPLES_ARE[subject.item.modality]
    started, best, tried = _computed(), 0.0, []
    for lr in _likeliest_first(build(model, spec)):
        share, steps = _memorised(subject, spec, lr, started + SECONDS)
        best = max(best, share)
        tried.append(f"{steps} steps at {lr:g}")
        if share > WANTED:
            unit = "samples a channel" if model.modality == "eeg" else "pixels"
            smaller = "" if size == model.reference.size else f", on {size} {unit}"
            return passed(f"{share:.0%} of {COUNT} {called} after {steps} steps at {lr:g}{smaller}")
        if _computed() - started > SECONDS:
            break
    what = "of the variance" if spec.task == "regression" else "right"
    return failed(
        f"{best:.0%} {what} on its own {COUNT} training {called} at best ({', '.join(tried)})",
        "Look for a wrong loss, a softmax before it, a missing gradient, or an activation that dies.",
    )


def _likeliest_first(net: nn.Module) -> list[float]:
    """The rates at which a network may learn; a plain VGG-13 takes 56 steps at 1e-4, and 204 at 1e-3."""
    eased = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in net.modules())
    likeliest = RATES[0] if eased or parameters(net) < LARGE else RATES[1]
    return sorted(RATES, key=lambda rate: rate != likeliest)


def _memorised(subject: Subject[Model], spec: NetSpec, lr: float, until: float) -> tuple[float, int]:
    """Train until the samples are known; return the share that is right and the steps that it took."""
    model = subject.item
    net, objective = build(model, spec), objective_of(model, spec)
    without_dropout(net)
    with_prompt_statistics(net)
    split = samples_for(model, spec, COUNT)
    shares: list[float] = []

    def look() -> None:
        shares.append(_right(net, job, np.asarray(split.targets)))
        if shares[-1] > WANTED or _computed() > until:
            raise EnoughError

    onlooker = Onlooker(after_epoch=look)
    job = job_of(subject, plain(model.recipe, lr, LOOKS), spec, split, onlooker, objective, STEPS_AT_ONCE)
    run(net, job)
    return max(shares), STEPS_AT_ONCE * len(shares)


def _computed() -> float:
    """Seconds that this process has computed on all its threads at once."""
    return time.process_time() / torch.get_num_threads()


def without_dropout(net: nn.Module) -> None:
    """Switch dropout off, which is there to keep a network from learning samples by heart."""
    for module in net.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0


def with_prompt_statistics(net: nn.Module) -> None:
    """Let running statistics follow at PyTorch's pace where a network has a slower one.

    At Keras's pace, a hundredth a step, scores in evaluation mode lag behind what was learnt by hundreds of steps. A
    pace of 0, statistics that never follow, is a fault of the network, and stays.
    """
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.momentum:
            module.momentum = max(module.momentum, PACE)


def _right(net: nn.Module, job: Job, targets: np.ndarray) -> float:
    """The share of labels that are right, or of the variance that is explained."""
    feed = next(iter(job.parts.values())).feed
    scores = score_samples(net, feed, job.preparer, job.recipe, NUMERICS, job.task, job.size)
    if job.task == "regression":
        return float(1 - np.mean((scores - targets) ** 2) / targets.var())
    if job.task == "multi-label":
        return float(np.mean((scores > 0.5) == (targets > 0.5)))
    truth = targets if targets.ndim == 1 else targets.argmax(axis=1)
    return float(np.mean(scores.argmax(axis=1) == truth))


def repeats(subject: Subject[Model]) -> Outcome:
    """Two short trainings with its own recipe, from one seed, end with the same weights, bit by bit."""
    model = subject.item
    recipe = short(model.recipe)
    size = _size(subject)
    if size != model.reference.size:
        recipe = _shrunk(recipe, size)
    raw = raw_size(recipe, size)
    spec = spec_of(model, size=seen_size(recipe, raw))
    split = samples_for(model, spec_of(model, size=raw), COUNT)

    def once() -> dict[str, torch.Tensor]:
        net, objective = build(model, spec), objective_of(model, spec)
        done = run(net, job_of(subject, recipe, spec, split, Onlooker(), objective))
        assert done is not None
        return dict(done["weights"])

    first, second = once(), once()
    faults = [f"{name} differs" for name, value in first.items() if not torch.equal(value, second[name])]
    mend = "Draw from torch's generator or from context.rng only, and keep no state outside of the network."
    return first_fault(faults, mend, f"{len(first)} tensors after {recipe.total_epochs} epochs of its recipe")


def _shrunk(recipe: Recipe, size: int) -> Recipe:
    """A recipe for smaller pictures; operations and views of a fixed size are left out."""
    kept = tuple(op for op in recipe.augmentation if not hasattr(op, "size"))
    stages = tuple(
        stage
        if stage.augmentation is None
        else stage.model_copy(
            update={"augmentation": tuple(op for op in stage.augmentation if not hasattr(op, "size"))}
        )
        for stage in recipe.stages
    )
    settings = recipe.input.model_copy(update={"size": size})
    views = SingleView() if hasattr(recipe.tta, "size") else recipe.tta
    return recipe.model_copy(update={"input": settings, "augmentation": kept, "stages": stages, "tta": views})


def _size(subject: Subject[Model]) -> int:
    """The side of the pictures for a trial: the reference's, or smaller where the network is large and takes it."""
    return subject.once("size", lambda: _affordable_size(subject.item, GFLOPS[subject.effort] * 1e9))


def _affordable_size(model: Model, limit: float) -> int:
    whole = spec_of(model)
    cost = operations(model, whole)
    if cost is None or cost <= limit:
        return whole.size
    accepted = whole.size
    for part in (3 / 4, 1 / 2, 3 / 8, 1 / 4):
        size = int(whole.size * part)
        try:
            cost = operations(model, spec_of(model, size=size))
        except Exception:
            continue  # a network that takes no pictures of this size
        accepted = size
        if cost is not None and cost <= limit:
            break
    return accepted


def kept(check: str, look: Callable[[Subject[Model]], Outcome]) -> Callable[[Subject[Model]], Outcome]:
    """The same check, whose good outcome is kept for as long as the plugin's source stays what it is.

    Only of networks above what ``normal`` effort trains at full size; files have no hash that outlives them.
    """

    def looks(subject: Subject[Model]) -> Outcome:
        model = subject.item
        cost = operations(model, spec_of(model))
        if cost is None or cost <= GFLOPS["normal"] * 1e9:
            return look(subject)
        key = {"check": check, "source": subject.info.source_hash, "model": model.full_name, "effort": subject.effort}
        path = data_root() / "checks" / f"{digest({**key, 'torch': torch.__version__})}.json"
        if path.is_file():
            return passed(f"{json.loads(path.read_text(encoding='utf-8'))} (kept from an earlier check of this source)")
        outcome = look(subject)
        if outcome.state == "pass":
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, outcome.detail)
        return outcome

    return looks
