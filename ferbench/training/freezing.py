"""Which parts of a network learn in a stage."""

from __future__ import annotations

from fnmatch import fnmatchcase

from torch import nn

from ferbench.errors import Problem, SettingsError


def select_trainable(net: nn.Module, patterns: tuple[str, ...], learnable: frozenset[str]) -> None:
    """Let the parameters learn whose names match a pattern, and freeze the others.

    What the network froze by itself (names not in ``learnable``) stays frozen. Raises SettingsError when
    nothing learns.
    """
    for name, parameter in net.named_parameters():
        matched = name in learnable and any(fnmatchcase(name, pattern) for pattern in patterns)
        parameter.requires_grad_(matched)
    if not any(parameter.requires_grad for parameter in net.parameters()):
        known = ", ".join(sorted(learnable)[:6]) or "none"
        raise SettingsError([Problem("recipe.stages.trainable", f"{patterns} matches no parameter (such as {known})")])


def train_mode(net: nn.Module) -> None:
    """Training mode, but for modules whose own parameters are all frozen: their running statistics stay too."""
    net.train()
    for module in net.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()
