"""Which networks timm has, without importing it: that takes seconds and brings torch, and plans only need names."""

from __future__ import annotations

import re
from functools import cache
from importlib import metadata

REGISTERED = re.compile(r"^@register_model\ndef (\w+)\(", re.MULTILINE)
"""How timm puts a network on its list."""


@cache
def known_names() -> frozenset[str]:
    """Names of all networks that the installed timm lists."""
    files = metadata.files("timm") or ()
    models = [file for file in files if file.suffix == ".py" and file.parts[:2] == ("timm", "models")]
    return frozenset(name for file in models for name in REGISTERED.findall(file.read_text(encoding="utf-8")))
