"""A parsed data set on disk: raw .npy files to be memory-mapped, and a meta.json that says what they are.

``<root>/meta.json`` names the folder beside it (``<root>/<fingerprint>/``) that holds the arrays. Folder and meta.json
appear by renaming, so that two processes may write at once and a reader sees a whole data set or none.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ferbench.errors import DataError

if TYPE_CHECKING:
    import numpy as np

SCHEMA = 1
_STALE_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Meta:
    """What is known of a registered data set without opening its arrays.

    ``protocols``: those that the copy offers, empty for all. ``arrays``: file name and size in bytes by role (``ids``,
    ``input image``, ``group subject``, …). ``root``: folder of a streamed set's files, empty otherwise. ``source``:
    path, size and SHA-256 of the download, that of the code which read it, and the fingerprint of each data set on
    which it was built. ``corrupted``: the files that cannot be read, "file: why".
    """

    dataset: str
    version: str
    fingerprint: str
    samples: int
    protocols: tuple[str, ...]
    partial: str
    notes: tuple[str, ...]
    source: Mapping[str, str | int]
    root: str = ""
    arrays: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    corrupted: tuple[str, ...] = ()
    schema: int = SCHEMA


def read_meta(root: Path) -> Meta | None:
    """Return what is registered in ``root``, or None. Raises DataError when it is damaged or from another schema."""
    try:
        plain = json.loads((root / "meta.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"{root / 'meta.json'} is damaged ({error})") from None
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
        raise DataError(f"{root} was written by another version of ferbench")
    try:
        for name in ("protocols", "notes"):
            plain[name] = tuple(plain[name])
        plain["corrupted"] = tuple(plain.get("corrupted", ()))
        plain["arrays"] = {role: (str(file), int(size)) for role, (file, size) in plain["arrays"].items()}
        return Meta(**plain)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise DataError(f"{root / 'meta.json'} is damaged ({error})") from None


def check(root: Path, meta: Meta) -> None:
    """Raise DataError when a file of the cache is missing or has changed its size."""
    for file, size in meta.arrays.values():
        path = root / meta.fingerprint / file
        found = path.stat().st_size if path.is_file() else -1
        if found != size:
            raise DataError(f"{path} is {'missing' if found < 0 else f'damaged: {found:,} bytes instead of {size:,}'}")


def read_arrays(root: Path, meta: Meta) -> dict[str, np.ndarray]:
    """Return every array by role, memory-mapped; writing to one changes this process's copy alone.

    Raises DataError when one is missing or damaged.
    """
    import numpy as np

    check(root, meta)
    arrays = {}
    for role, (file, _) in meta.arrays.items():
        path = root / meta.fingerprint / file
        try:
            arrays[role] = np.load(path, mmap_mode="c", allow_pickle=False).view(np.ndarray)
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is damaged ({error})") from None
    return arrays


def write(root: Path, meta: Meta, arrays: Mapping[str, np.ndarray]) -> Meta:
    """Write a data set and make it the one that ``root`` holds. Raises DataError when the disk refuses."""
    import numpy as np

    with disk_faults(root):
        root.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=root))
        try:
            files = {}
            for number, (role, values) in enumerate(arrays.items()):
                path = fresh / f"{number}-{role.split()[0]}.npy"
                np.save(path, values, allow_pickle=False)
                # Not flushed to the platter, which costs a second: a file that a crash cut short has another size.
                files[role] = (path.name, path.stat().st_size)
            meta = replace(meta, arrays=files)
            fresh.chmod(0o755)  # a lab shares its data
            _put(fresh, root, meta)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        handle, name = tempfile.mkstemp(prefix=".new-", dir=root)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(json.dumps(asdict(meta), indent=1, ensure_ascii=False) + "\n")
        Path(name).chmod(0o644)
        before = _registered_before(root)
        Path(name).replace(root / "meta.json")
        _sweep(root, before, meta.fingerprint)
    return meta


def _put(fresh: Path, root: Path, meta: Meta) -> None:
    """Rename a written folder to its final name, unless an intact one is there already."""
    final = root / meta.fingerprint
    for _ in range(10):
        try:
            fresh.rename(final)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        try:
            check(root, meta)
            return
        except DataError:
            shutil.rmtree(final, ignore_errors=True)
    raise DataError(f"{final} cannot be replaced: another process keeps writing it. Try again when it has ended")


def _sweep(root: Path, before: str, now: str) -> None:
    """Remove the copy that was registered before, and what killed processes left behind."""
    if before and before != now:
        shutil.rmtree(root / before, ignore_errors=True)
    for path in root.glob(".new-*"):
        if time.time() - path.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _registered_before(root: Path) -> str:
    try:
        meta = read_meta(root)
    except DataError:
        return ""
    return meta.fingerprint if meta else ""


@contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Hold a folder alone among processes that ask for it so; others wait. For what is read, changed and written."""
    with disk_faults(root):
        root.mkdir(parents=True, exist_ok=True)
        handle = os.open(root / ".lock", os.O_WRONLY | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


@contextmanager
def disk_faults(root: Path) -> Iterator[None]:
    """Turn faults of the disk (full, read-only, no permission) into DataError with the mend."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DataError(f"The disk is full: {root} could not be written. Free some space and try again.") from None
        mend = "Mend its permissions, or name another folder with the variable FERBENCH_DATA."
        raise DataError(f"{root} cannot be written ({error.strerror or error}). {mend}") from None
