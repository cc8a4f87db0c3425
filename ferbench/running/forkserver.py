"""A server that forks cell processes, so that each starts in a moment although torch takes seconds to import.

It has imported torch but never run a tensor operation nor touched CUDA: a child of one that had would hang as soon as
it uses several threads. It speaks lines of JSON over a socket: ``{"key", "task", "argument", "environment", "log"}``
in; ``{"key", "pid"}`` and ``{"key", "status"}`` out. When the socket closes, it kills every child and ends.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ferbench.running.cell_codes import CRASHED

PRELOADED = (
    "pandas",
    "pyarrow.parquet",
    "numpy.ma",
    "torch._dynamo",
    "ferbench.running.cell",
    "ferbench.running.probe",
)
"""What every cell would else import by itself, for seconds: optimizers need torch._dynamo, pyarrow needs pandas."""

Tasks = Mapping[str, Callable[[str], int]]


def main() -> None:
    """Serve on the file descriptors that the parent named: socket, and the pipe that ends with the parent."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    lifeline = int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in PRELOADED:
        importlib.import_module(name)
    from ferbench.running.tasks import TASKS

    Server(connection, lifeline, TASKS).serve()


class Server:
    """Forks on request and reports the end of each child."""

    def __init__(self, connection: socket.socket, lifeline: int, tasks: Tasks) -> None:
        self.connection, self.lifeline, self.tasks = connection, lifeline, tasks
        self.children: dict[int, str] = {}
        self.buffer = b""

    def serve(self) -> None:
        """Work until the parent closes the socket."""
        wake, wake_in = os.pipe()
        os.set_blocking(wake_in, False)
        signal.set_wakeup_fd(wake_in)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            ready, _, _ = select.select([self.connection.fileno(), wake], [], [])
            if wake in ready:
                os.read(wake, 4096)
            self._reap()
            if self.connection.fileno() in ready:
                received = self.connection.recv(65536)
                if not received:
                    break
                self.buffer += received
                *lines, self.buffer = self.buffer.split(b"\n")
                for line in lines:
                    self._start(json.loads(line))
        for pid in self.children:
            kill_group(pid, signal.SIGKILL)

    def _start(self, request: dict[str, Any]) -> None:
        pid = os.fork()
        if pid == 0:
            self._become(request)
        self.children[pid] = request["key"]
        self._say({"key": request["key"], "pid": pid})

    def _become(self, request: dict[str, Any]) -> None:
        """Turn this fork into the process of a task; never returns."""
        code = CRASHED
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.setsid()
            self.connection.close()
            redirect(Path(request["log"]))
            os.environ.update(request["environment"])
            watch_parent(self.lifeline)
            code = self.tasks[request["task"]](request["argument"])
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _reap(self) -> None:
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if pid in self.children:
                self._say({"key": self.children.pop(pid), "status": os.waitstatus_to_exitcode(status)})
                kill_group(pid, signal.SIGKILL)  # loader workers that a killed cell left behind

    def _say(self, message: dict[str, Any]) -> None:
        try:
            self.connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            pass  # the parent is gone; the closed socket ends the loop


def watch_parent(lifeline: int) -> None:
    """Kill this process's whole group when the parent dies, whatever this process is doing."""

    def wait() -> None:
        while os.read(lifeline, 1):
            pass
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=wait, name="ferbench-lifeline", daemon=True).start()


def redirect(log: Path) -> None:
    """Send this process's output to the end of ``log``."""
    log.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def kill_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to the process group that ``pid`` leads, if it still exists."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


if __name__ == "__main__":
    main()
