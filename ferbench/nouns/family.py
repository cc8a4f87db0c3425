"""Objects made on demand from a name: ``timm:convnext_atto``, ``folder:PATH``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pluggy

hookimpl = pluggy.HookimplMarker("ferbench")
"""Marks a plugin's function as an implementation of the hook of the same name."""

PLUGIN_API = 1
"""Version of the contract. A plugin may state the one it was written for as module attribute ``plugin_api``."""


@dataclass(frozen=True)
class Family:
    """All objects whose name begins with ``prefix:``; ``make(argument)`` returns the one with that argument.

    ``make`` raises :class:`ferbench.UnknownNameError` for an argument that it does not know. ``examples`` are
    arguments that are shown in lists. Where ``derives``, it is called with a second argument, a function that returns
    any installed object of the same kind by its name.
    """

    prefix: str
    make: Callable[..., Any]
    description: str = ""
    examples: tuple[str, ...] = ()
    derives: bool = False
