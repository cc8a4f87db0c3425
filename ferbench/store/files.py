"""Atomic files: whoever reads one sees the old content or the new, never a part."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ferbench.errors import StoreError

FULL_BYTES = 2**20
"""A disk with less than this is taken for full when a file could not be written."""


@contextmanager
def disk_faults(path: Path) -> Iterator[None]:
    """Turn faults of the disk (full, read-only, no permission, gone) into StoreError with the mend."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreError(
                f"The disk is full: {path} could not be written. Free some space (`ferbench gc --out …` frees weights "
                "that nothing needs) and run the same command again; everything finished so far is kept."
            ) from error
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise StoreError(f"{path} cannot be made: there is a file in its way. Choose another place.") from error
        why = error.strerror or str(error)
        raise StoreError(f"{path} cannot be written: {why}. Choose another place, or mend its permissions.") from error


def write_with(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then put it in place. Raises StoreError."""
    with disk_faults(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            _guarded(write, temporary)
            with temporary.open("rb") as written:
                os.fsync(written.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def _guarded(write: Callable[[Path], object], path: Path) -> None:
    """Call ``write``, and see through libraries that hide a full disk behind errors of their own."""
    try:
        write(path)
    except OSError:
        raise
    except Exception as error:
        if "No space left" in str(error) or shutil.disk_usage(path.parent).free < FULL_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically. What is no Unicode (bytes of a file's name) is written as an escape."""
    content = text.encode("utf-8", errors="backslashreplace")
    write_with(path, lambda temporary: temporary.write_bytes(content))


def write_json(path: Path, value: Any) -> None:
    """Write plain data as JSON, atomically. Not-a-number is refused: write null."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read JSON. Raises StoreError when the file is damaged, FileNotFoundError when it is not there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # not only what is no JSON: numbers too long, lists too deep
        raise StoreError(f"{path} is damaged ({error}). Remove it, and run again.") from None


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises StoreError when the file is damaged, FileNotFoundError when it is not there."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise StoreError(f"{path} is damaged (it holds no object). Remove it, and run again.")
    return value


def file_digest(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal. Raises StoreError when it cannot be read."""
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}.") from error


def is_parquet(path: Path) -> bool:
    """Whether a file is there and ends as a Parquet file does; one that was cut off does not."""
    try:
        with path.open("rb") as handle:
            handle.seek(-4, os.SEEK_END)
            return handle.read() == b"PAR1"
    except OSError:
        return False


def remove_tree(path: Path) -> None:
    """Remove a folder if it is there."""
    with disk_faults(path):
        shutil.rmtree(path, ignore_errors=False) if path.exists() else None
