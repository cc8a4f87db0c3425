"""Terms that a recipe adds to the loss, whichever objective it comes from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from itertools import chain, count
from typing import Protocol

import torch
from torch import nn
from torch.nn import functional as F

from ferbench.errors import Problem, SettingsError, TrainingError, did_you_mean
from ferbench.nouns.losses import L2, Centre
from ferbench.nouns.losses import Term as TermSettings
from ferbench.nouns.model import Objective, StepContext, StepResult
from ferbench.nouns.split import Batch
from ferbench.training.labels import main_class
from ferbench.training.stateful import State, stateful

Values = dict[str, torch.Tensor]


class Term(Protocol):
    """Something added to the loss. ``head``: the layer whose input it is given as ``features``, where it needs any."""

    @property
    def head(self) -> nn.Linear | None:
        """The layer."""

    def __call__(self, features: torch.Tensor | None, batch: Batch) -> tuple[torch.Tensor, Values]:
        """The weighted term (scalar, float32), and what to log of it (detached scalars)."""

    def state_dict(self) -> State:
        """What it keeps from step to step."""

    def load_state_dict(self, state: State) -> None:
        """Go on from a kept state."""


def make_terms(
    settings: Sequence[TermSettings], net: nn.Module, classes: int, device: torch.device
) -> tuple[Term, ...]:
    """The terms of a training; they keep what they have learnt from stage to stage.

    Raises SettingsError where a pattern names no parameter, TrainingError where the network has no layer that
    features could be taken from.
    """
    terms: list[Term] = []
    for position, each in enumerate(settings):
        if isinstance(each, Centre):
            terms.append(CentreTerm(each, last_linear(net, classes), device))
        else:
            terms.append(NormTerm(each, matching(net, each.patterns, f"recipe.terms.{position}.patterns")))
    return tuple(terms)


def with_terms(objective: Objective, terms: tuple[Term, ...]) -> Objective:
    """The objective with the terms added to its loss."""
    return WithTerms(objective, terms) if terms else objective


def last_linear(net: nn.Module, classes: int, who: str = "the term centre") -> nn.Linear:
    """The network's last linear layer with an output for each class. Raises TrainingError where there is none."""
    found = [module for module in net.modules() if isinstance(module, nn.Linear) and module.out_features == classes]
    if not found:
        raise TrainingError(
            f"{who[0].upper()}{who[1:]} takes what the last linear layer is given, but {type(net).__name__} has no "
            f"torch.nn.Linear with {classes} outputs. Let it end with one, or do without {who}."
        )
    return found[-1]


def matching(net: nn.Module, patterns: tuple[str, ...], place: str) -> list[nn.Parameter]:
    """Parameters whose names match a pattern. Raises SettingsError for a pattern that matches none."""
    known = dict(net.named_parameters())
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            hint = did_you_mean(pattern, known)
            raise SettingsError([Problem(place, f"{pattern!r} matches no parameter.{hint} Known: {', '.join(known)}.")])
    return [value for name, value in known.items() if any(fnmatchcase(name, pattern) for pattern in patterns)]


class WithTerms:
    """An objective and its terms as one objective. Further terms of one name are logged with a number behind it."""

    def __init__(self, inner: Objective, terms: tuple[Term, ...]) -> None:
        self.inner, self.terms = inner, terms

    def __call__(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        given: dict[nn.Module, torch.Tensor] = {}

        def remember(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            given[module] = inputs[0]

        heads = {term.head for term in self.terms if term.head is not None}
        hooks = [head.register_forward_pre_hook(remember) for head in heads]
        try:
            result = self.inner(net, batch, context)
        finally:
            for hook in hooks:
                hook.remove()
        loss, logs = result.loss, dict(result.logs)
        with torch.autocast(loss.device.type, enabled=False):
            for term in self.terms:
                features = None if term.head is None else checked(given.get(term.head), len(batch.target))
                value, told = term(features, batch)
                loss = loss + value
                logs |= {unused(name, logs): number for name, number in told.items()}
        return StepResult(loss, result.scores, logs)

    def parameters(self) -> list[nn.Parameter]:
        """What the objective itself learns."""
        return list(getattr(self.inner, "parameters", list)())

    def state_dict(self) -> State:
        """The objective's state and the terms'."""
        owner = stateful(self.inner)
        return {
            "inner": None if owner is None else owner.state_dict(),
            "terms": [term.state_dict() for term in self.terms],
        }

    def load_state_dict(self, state: State) -> None:
        """Go on from a kept state."""
        if (owner := stateful(self.inner)) is not None:
            owner.load_state_dict(state["inner"])
        for term, kept in zip(self.terms, state["terms"], strict=True):
            term.load_state_dict(kept)


def unused(name: str, taken: Collection[str]) -> str:
    """The name, with a number behind it where it is taken."""
    return next(each for each in chain([name], (f"{name}_{i}" for i in count(2))) if each not in taken)


def checked(features: torch.Tensor | None, samples: int) -> torch.Tensor:
    """Features in float32. Raises TrainingError unless the layer was given one row [d] for each sample."""
    if features is None:
        raise TrainingError("The term centre found no features: the network never called its last linear layer.")
    if features.ndim != 2 or len(features) != samples:
        raise TrainingError(
            f"The term centre needs features [{samples}, d] of the batch's samples; the network's last linear layer "
            f"is given {list(features.shape)}."
        )
    return features.float()


class CentreTerm:
    """The centre loss, and the island loss where the settings say so (:class:`ferbench.Centre`).

    Centres move once each time it is called: after every part of a batch that is worked off in parts.
    """

    def __init__(self, settings: Centre, head: nn.Linear, device: torch.device) -> None:
        self.settings, self.head = settings, head
        self.centres = torch.zeros(head.out_features, head.in_features, device=device)

    def __call__(self, features: torch.Tensor | None, batch: Batch) -> tuple[torch.Tensor, Values]:
        assert features is not None
        labels = main_class(batch.target)
        weights = torch.ones(len(labels), device=features.device) if batch.weight is None else batch.weight
        apart = features - self.centres[labels]
        centre = (apart.square().sum(dim=1) * weights).mean() / 2
        members = F.one_hot(labels, len(self.centres)).float() * weights[:, None]
        shift = -(members.T @ apart.detach()) / (1 + members.sum(dim=0))[:, None]
        logs, total = {"centre": centre.detach()}, centre
        if self.settings.island:
            island, gradient = islands(self.centres)
            shift = shift + self.settings.island / max(len(self.centres) - 1, 1) * gradient
            total, logs["island"] = total + self.settings.island * island, island
        self.centres = self.centres - self.settings.alpha * shift
        return self.settings.weight * total, logs

    def state_dict(self) -> State:
        """The centres, [k, d]."""
        return {"centres": self.centres}

    def load_state_dict(self, state: State) -> None:
        """Take the centres over."""
        self.centres = state["centres"].to(self.centres.device)


def islands(centres: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The island loss of centres [k, d], and for each the gradient of its pairs [k, d]; those at 0 are left out.

    Cai et al. 2018: Σ over pairs, in both orders, of c·c' / (|c| |c'|) + 1; the gradient of one order.
    """
    norms = centres.norm(dim=1, keepdim=True)
    there = norms > 0
    unit = torch.where(there, centres / norms, 0.0)
    pairs = (there & there.T).float().fill_diagonal_(0)
    cosines = (unit @ unit.T) * pairs
    gradient = torch.where(there, (pairs @ unit - cosines.sum(dim=1, keepdim=True) * unit) / norms, 0.0)
    return (cosines + pairs).sum(), gradient


class NormTerm:
    """A norm of some parameters (:class:`ferbench.L2`)."""

    head = None

    def __init__(self, settings: L2, parameters: list[nn.Parameter]) -> None:
        self.settings, self.parameters = settings, parameters

    def __call__(self, features: torch.Tensor | None, batch: Batch) -> tuple[torch.Tensor, Values]:
        norm = torch.stack([torch.linalg.vector_norm(value.float()) for value in self.parameters])
        total = norm.square().sum() if self.settings.squared else torch.linalg.vector_norm(norm)
        return self.settings.weight * total, {"l2": total.detach()}

    def state_dict(self) -> State:
        """Nothing."""
        return {}

    def load_state_dict(self, state: State) -> None:
        """Nothing to take over."""
