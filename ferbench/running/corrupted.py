"""Whether a suite bears the corrupted files of a data set."""

from __future__ import annotations

from ferbench.data.stored import Loaded
from ferbench.errors import DataError

_SHOWN = 3


def check_corrupted(loaded: Loaded, allowed: int | float) -> None:
    """Raise DataError when more files were corrupted than a suite allows: a number, or a share of all files."""
    found = len(loaded.corrupted)
    every = found + len(loaded.samples.ids)
    if found <= (allowed if isinstance(allowed, int) else allowed * every):
        return
    name = loaded.dataset.name
    bound = "none" if not allowed else f"{allowed:,}" if isinstance(allowed, int) else f"{allowed:.3%} of them"
    more = f"; and {found - _SHOWN:,} more" if found > _SHOWN else ""
    again = f"ferbench data add {name}" + ("" if loaded.dataset.place else " PATH")
    raise DataError(
        f"{found:,} of the {every:,} files of {name} are corrupted, and the suite allows {bound}: "
        f"{'; '.join(loaded.corrupted[:_SHOWN])}{more}. `ferbench data status --json` lists them all. Get these files "
        f"again and add the copy once more ({again}); or write allow_corrupted = {found} into the suite, which leaves "
        "them out and says so at every row."
    )
