"""Leases: a cell that is being trained belongs to one process, also when several runs share a folder.

No clock is compared with another: a holder on this machine is judged by its process, one elsewhere by whether its
heartbeat still counts while we watch.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from ferbench.errors import StoreError
from ferbench.store.files import disk_faults, write_text

HEARTBEAT_SECONDS = 5.0
SILENT_SECONDS = 60.0
"""A holder on another machine whose heartbeat stands still for so long is taken for dead."""


class LeaseHeldError(StoreError):
    """Another process, alive, is training this cell."""


def this_host() -> str:
    """A name of the place where process ids mean what they mean here: host, boot and namespace of processes."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text()[:8])
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]"))
    return "/".join(parts)


def process_start(pid: int) -> str:
    """A mark of the process that has this pid now: its start time in the kernel's ticks, empty if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _alive(pid: int, start: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not start or process_start(pid) in ("", start)


def read_holder(path: Path) -> dict[str, object] | None:
    """Who holds the lease at ``path``: host, pid, start and beat; None when it is free or damaged."""
    try:
        holder = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return holder if isinstance(holder, dict) else None


def is_live(path: Path, watch_seconds: float = 0.0) -> bool:
    """Whether a living process holds the lease.

    A holder on another machine is watched for ``watch_seconds``; as long as that has not shown it silent, it lives.
    """
    holder = read_holder(path)
    if holder is None:
        return False
    if holder.get("host") == this_host():
        return _alive(int(str(holder.get("pid", 0))), str(holder.get("start", "")))
    deadline = time.monotonic() + watch_seconds
    while watch_seconds and time.monotonic() < deadline:
        time.sleep(min(1.0, watch_seconds))
        now = read_holder(path)
        if now is None:
            return False
        if now.get("beat") != holder.get("beat"):
            return True
    return not watch_seconds


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with disk_faults(path), path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


class Lease:
    """Holds ``folder/lease.json`` while inside ``with``. Raises LeaseHeldError when somebody else does.

    ``lost`` is called (from a thread) when another process took the lease over, as it may from one that was suspended
    for long: this one must not write any more.
    """

    def __init__(self, folder: Path, lost: Callable[[], None] | None = None) -> None:
        self.path, self._lost = folder / "lease.json", lost
        self._beat = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Lease:
        with _exclusive(self.path.with_name("lease.lock")):
            holder = read_holder(self.path)
            if holder is not None and is_live(self.path, watch_seconds=SILENT_SECONDS):
                raise LeaseHeldError(
                    f"{self.path.parent.name} is being trained by process {holder.get('pid')} on {holder.get('host')}."
                )
            self._write()
        self._thread = threading.Thread(target=self._keep, name="ferbench-lease", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()
        if self._is_ours():
            self.path.unlink(missing_ok=True)

    def _write(self) -> None:
        self._beat += 1
        pid = os.getpid()
        holder = {"host": this_host(), "pid": pid, "start": process_start(pid), "beat": self._beat}
        write_text(self.path, json.dumps(holder))

    def _is_ours(self) -> bool:
        holder = read_holder(self.path)
        return holder is None or (holder.get("host"), holder.get("pid")) == (this_host(), os.getpid())

    def _keep(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            if self._lost and not self._is_ours():
                self._lost()
                return
            try:
                self._write()
            except (OSError, StoreError):
                continue  # a full disk must not end a training; the next beat may pass
