"""One writer at a time: a live run and ``ferbench track`` may work on the same folder of results."""

from __future__ import annotations

import fcntl
from pathlib import Path
from types import TracebackType
from typing import TextIO
from uuid import uuid4

from ferbench.store.files import disk_faults, read_object, write_json


class Lock:
    """Held inside ``with``, which gives whether somebody else has written since this lock was held last."""

    def __init__(self, out: Path) -> None:
        self.path = out / ".tracking.lock"
        self.count = -1
        self._file: TextIO | None = None

    def __enter__(self) -> bool:
        with disk_faults(self.path):
            self._file = self.path.open("a+", encoding="utf-8")
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._file.seek(0)
            text = self._file.read()
        before, self.count = self.count, int(text) if text.isdigit() else 0
        return before != self.count

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file is not None
        self.count += 1
        with disk_faults(self.path), self._file:
            self._file.truncate(0)
            self._file.write(str(self.count))


def store_id(out: Path) -> str:
    """What tells this folder of results from others on one server; it stays when the folder is moved or copied."""
    path = out / "tracking.json"
    if not path.exists():
        write_json(path, {"store": uuid4().hex[:12]})
    return str(read_object(path)["store"])
