"""Functions named as ``"package.module:name"``, imported on first use so that plugin modules stay light."""

from __future__ import annotations

import importlib
from typing import Any

from ferbench.errors import PluginError


def resolve(reference: Any) -> Any:
    """Return the object that ``"package.module:name"`` names; anything but a string is returned as it is.

    Raises PluginError when the module cannot be imported or has no such name.
    """
    if not isinstance(reference, str):
        return reference
    module_name, _, attribute = reference.partition(":")
    if not attribute:
        raise PluginError(f"{reference!r} names no function; write it as 'package.module:name'.")
    try:
        value: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError) as error:
        raise PluginError(f"{reference!r} cannot be loaded: {error}") from error
    return value
