"""Optimizers, and the groups of parameters that they treat differently."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from ferbench.errors import Problem, SettingsError, did_you_mean
from ferbench.nouns.optimizers import SGD, Adam, AdamW, Optimizer, ParameterGroup, RAdam, TimmOptimizer

Named = Iterable[tuple[str, nn.Parameter]]


def make_optimizer(settings: Optimizer, named: Named, others: Iterable[nn.Parameter] = ()) -> torch.optim.Optimizer:
    """Return the optimizer of these settings over what learns.

    ``named``: all parameters of a network by name; frozen ones are left out. ``others``: parameters of an objective,
    which no pattern names; they have the optimizer's own values. Every group of the result says under ``lr_factor``
    by what its learning rate is multiplied. Raises SettingsError for a pattern that matches nothing, and for an
    optimizer of timm that is not there or does not take its options.
    """
    groups = grouped(settings, list(named), list(others))
    own = {"name", "decay_norm_and_bias", "groups", "clip_value", "clip_norm", "sam"}
    values = settings.model_dump(exclude=own)
    if isinstance(settings, SGD):
        return torch.optim.SGD(groups, **values)
    if isinstance(settings, Adam):
        return torch.optim.Adam(groups, **values)
    if isinstance(settings, AdamW):
        return torch.optim.AdamW(groups, **values)
    if isinstance(settings, RAdam):
        decoupled = values.pop("decoupled")
        return torch.optim.RAdam(groups, **values, decoupled_weight_decay=decoupled)
    return _of_timm(settings, groups)


def grouped(
    settings: Optimizer, named: Sequence[tuple[str, nn.Parameter]], others: Sequence[nn.Parameter]
) -> list[dict[str, Any]]:
    """Parameter groups as torch takes them: those without a group of their own first, empty ones left out."""
    _check_patterns(settings.groups, [name for name, _ in named])
    rest = ParameterGroup(patterns=("*",))
    wanted = (rest, *settings.groups)
    decayed: list[list[nn.Parameter]] = [[] for _ in wanted]
    plain: list[list[nn.Parameter]] = [[] for _ in wanted]
    for name, parameter in named:
        if parameter.requires_grad:
            number = _group_of(name, settings.groups)
            spared = parameter.ndim < 2 and not settings.decay_norm_and_bias
            (plain if spared else decayed)[number].append(parameter)
    decayed[0] += others
    result = []
    for group, with_decay, without in zip(wanted, decayed, plain, strict=True):
        decay = settings.weight_decay if group.weight_decay is None else group.weight_decay
        for parameters, amount in ((with_decay, decay), (without, 0.0)):
            if parameters:
                values = {"lr": settings.lr * group.lr_factor, "weight_decay": amount, "lr_factor": group.lr_factor}
                result.append({"params": parameters, **values})
    return result


def _group_of(name: str, groups: Sequence[ParameterGroup]) -> int:
    """The number of the first group that matches, from 1; 0 for none."""
    for number, group in enumerate(groups, start=1):
        if any(fnmatchcase(name, pattern) for pattern in group.patterns):
            return number
    return 0


def _check_patterns(groups: Sequence[ParameterGroup], names: Sequence[str]) -> None:
    problems = []
    for number, group in enumerate(groups):
        for pattern in group.patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                known = ", ".join([*names[:3], *names[-3:]] if len(names) > 6 else names)
                guess = did_you_mean(pattern, names)
                message = f"{pattern!r} matches no parameter of the network (such as {known}).{guess}"
                problems.append(Problem(f"recipe.optimizer.groups.{number}.patterns", message))
    if problems:
        raise SettingsError(problems)


def _of_timm(settings: TimmOptimizer, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    place = "recipe.optimizer.algorithm"
    try:
        timm: Any = importlib.import_module("timm.optim")
    except ImportError:
        mend = (
            f"{settings.algorithm!r} comes from timm 1.0 or newer, which is not installed: pip install ferbench[timm]"
        )
        raise SettingsError([Problem(place, mend)]) from None
    known = timm.list_optimizers()
    if settings.algorithm not in known:
        guess = did_you_mean(settings.algorithm, known) or f" It has {', '.join(known)}."
        raise SettingsError([Problem(place, f"timm has no optimizer {settings.algorithm!r}.{guess}")])
    if timm.get_optimizer_info(settings.algorithm).second_order:
        message = f"{settings.algorithm} needs second derivatives, which the engine does not compute"
        raise SettingsError([Problem(place, message)])
    make = timm.get_optimizer_class(settings.algorithm)
    try:
        optimizer = make(groups, lr=settings.lr, weight_decay=settings.weight_decay, **settings.options)
    except (TypeError, ValueError, ImportError, RuntimeError, AssertionError) as error:
        raise SettingsError([Problem("recipe.optimizer", f"timm's {settings.algorithm} refuses: {error}")]) from None
    assert isinstance(optimizer, torch.optim.Optimizer)
    return optimizer
