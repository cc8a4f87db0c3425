"""File names that every file system takes, for ids and classes that may be anything."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

LONGEST = 80
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def safe_names(names: Iterable[str]) -> list[str]:
    """Return a file name for each of ``names``, all different, also where upper and lower case are the same.

    Letters and digits of ASCII and ``. _ + -`` are kept, but for a dot or dash at the beginning and a dot at the end. A
    name that had to be changed ends with digits of its SHA-256, so that the same name always gives the same file.

    >>> safe_names(["fer-00012", "../../etc/passwd", "CON"])
    ['fer-00012', 'etc-passwd-3754d6cb', 'x-CON-a3dbc4b6']
    """
    used: set[str] = set()
    safe = []
    for name in names:
        digest = hashlib.sha256(name.encode("utf-8", errors="surrogatepass")).hexdigest()
        plain = re.sub(r"[^A-Za-z0-9._+-]", "-", name).lstrip(".-")[:LONGEST].rstrip(".") or "x"
        if _RESERVED.fullmatch(plain):
            plain = f"x-{plain}"
        if plain != name:
            plain = f"{plain}-{digest[:8]}"
        while plain.lower() in used:
            plain = f"{plain[:LONGEST]}-{digest[:16]}" if not plain.endswith(digest[:16]) else f"{plain}-again"
        used.add(plain.lower())
        safe.append(plain)
    return safe
