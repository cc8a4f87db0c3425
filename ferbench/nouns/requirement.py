"""What a model or sampler requires of others: their cells are trained first, on the same fold and seed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ferbench.errors import PluginError
from ferbench.nouns.reference import resolve
from ferbench.nouns.settings import Options

if TYPE_CHECKING:
    from ferbench.nouns.model import Model
    from ferbench.nouns.sampler import Sampler


@dataclass(frozen=True)
class Requirement:
    """A required model, where its name alone does not say everything.

    ``options`` and ``recipe`` replace some of the model's own, by dotted key (``{"optimizer.lr": 0.01}``).
    ``out_of_fold`` (2 or more): it is trained that many times more, each time without one part of the training side
    (groups and identical pixels stay together), so that every training sample has scores of a network that has not
    seen it: ``RequiredCell.scores("out-of-fold")``. ``gives``: what an estimator finds under the role's name among its
    inputs, float32 [n, d], when it fits and whenever it predicts: ``scores`` (probabilities; out-of-fold where it fits
    on train) or ``features`` (what the network's last linear layer is given).
    """

    model: str
    options: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    out_of_fold: int = 0
    gives: Literal["", "scores", "features"] = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain data: the model, and what differs from a bare name."""
        given = {name: value for name, value in vars(self).items() if value}
        return {name: dict(value) if isinstance(value, Mapping) else value for name, value in given.items()}


Requires = Mapping[str, "str | Requirement"] | Callable[..., Mapping[str, "str | Requirement"]] | str
"""Requirements by role, or a function of the options (or ``"package.module:name"``) that returns them."""


def requirements_of(item: Model | Sampler, options: Options) -> dict[str, Requirement]:
    """What a model or sampler with these options requires, by role. Raises PluginError for anything else."""
    name = getattr(item, "full_name", item.name)
    requires = resolve(item.requires)
    found = requires(options) if callable(requires) else requires
    if not isinstance(found, Mapping):
        raise PluginError(f"{name}: requires gave {type(found).__name__}; it must give models by role.")
    result = {}
    for role, wanted in found.items():
        if not isinstance(role, str) or not re.fullmatch(r"[a-z][a-z0-9_-]*", role):
            raise PluginError(f"{name}: requires names the role {role!r}; use lower case letters, digits, - and _.")
        if not isinstance(wanted, str | Requirement):
            raise PluginError(f"{name}: requires gives {wanted!r:.60} as {role}; give a name or a Requirement.")
        needed = Requirement(wanted) if isinstance(wanted, str) else wanted
        if needed.out_of_fold == 1 or needed.out_of_fold < 0:
            raise PluginError(f"{name}: {role} is required out of {needed.out_of_fold} folds; at least 2 are needed.")
        result[role] = needed
    return result


def check_given(model: Model, requires: Mapping[str, Requirement]) -> None:
    """Raise PluginError where an estimator would be given what it must not have, or a network inputs."""
    for role, needed in requires.items():
        if not needed.gives:
            continue
        if model.estimator is None:
            raise PluginError(
                f"{model.full_name}: {role} gives {needed.gives}, which estimators take; a network's objective asks "
                f"context.required[{role!r}] for them."
            )
        if needed.gives == "scores" and model.fits == "train" and not needed.out_of_fold:
            raise PluginError(
                f"{model.full_name}: {role} gives scores of the samples on which it was trained. Require them "
                "out_of_fold, or let the model fit on val (fits='val')."
            )
