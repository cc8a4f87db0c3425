"""Starting processes: from the fork server on Linux, as fresh interpreters elsewhere."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ferbench.errors import PluginError
from ferbench.running.forkserver import kill_group

LOGGED = {"PYTHONIOENCODING": "utf-8:backslashreplace"}
"""Whatever the locale, a process may print any text into its log."""

LOST = -signal.SIGKILL
"""Exit code given to processes whose server died."""


class Launcher(Protocol):
    """Starts tasks as processes and tells how they ended."""

    def start(self, key: str, task: str, argument: str, environment: Mapping[str, str], log: Path) -> None:
        """Start a task; its output goes to ``log``."""

    def ended(self, wait_seconds: float) -> dict[str, int]:
        """Exit codes of tasks that ended since the last call; negative: killed by that signal."""

    def signal(self, key: str, number: signal.Signals) -> None:
        """Send a signal to a task's whole process group."""

    def close(self) -> None:
        """Kill what still runs, and end."""


def make_launcher() -> Launcher:
    """The launcher of this platform."""
    return ForkServer() if sys.platform == "linux" else Spawner()


class ForkServer:
    """Client of :mod:`ferbench.running.forkserver`; a server that died is replaced."""

    def __init__(self) -> None:
        self.pids: dict[str, int] = {}
        self.lost: dict[str, int] = {}
        self.running: set[str] = set()
        self._open()

    def _open(self) -> None:
        ours, theirs = socket.socketpair()
        lifeline, self.lifeline_in = os.pipe()
        command = [sys.executable, "-m", "ferbench.running.forkserver", str(theirs.fileno()), str(lifeline)]
        self.process = subprocess.Popen(
            command, pass_fds=(theirs.fileno(), lifeline), env={**os.environ, **LOGGED}, start_new_session=True
        )
        theirs.close()
        os.close(lifeline)
        self.connection, self.buffer, self.heard = ours, b"", False

    def start(self, key: str, task: str, argument: str, environment: Mapping[str, str], log: Path) -> None:
        """See :class:`Launcher`."""
        request = {
            "key": key,
            "task": task,
            "argument": argument,
            "environment": dict(environment),
            "log": str(log.absolute()),
        }
        self.running.add(key)
        try:
            self.connection.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            self._replace()

    def ended(self, wait_seconds: float) -> dict[str, int]:
        """See :class:`Launcher`."""
        ended, self.lost = self.lost, {}
        if not ended and select.select([self.connection], [], [], wait_seconds)[0]:
            try:
                received = self.connection.recv(65536)
            except OSError:
                received = b""
            if not received:
                self._replace()
                ended, self.lost = self.lost, {}
            self.buffer += received
            *lines, self.buffer = self.buffer.split(b"\n")
            for line in lines:
                self.heard = True
                message = json.loads(line)
                if "pid" in message:
                    self.pids[message["key"]] = message["pid"]
                else:
                    self.running.discard(message["key"])
                    self.pids.pop(message["key"], None)
                    ended[message["key"]] = message["status"]
        return ended

    def signal(self, key: str, number: signal.Signals) -> None:
        """See :class:`Launcher`."""
        if key in self.pids:
            kill_group(self.pids[key], number)

    def close(self) -> None:
        """See :class:`Launcher`."""
        os.close(self.lifeline_in)
        self.connection.close()
        for pid in self.pids.values():
            kill_group(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def _replace(self) -> None:
        """The server died: its children count as killed, and a new one takes its place.

        Raises PluginError when it never answered: it cannot start, so another would not either.
        """
        if not self.heard:
            raise PluginError(
                "The process that starts cells ended before it could start one; its message stands above. "
                "`python -c 'import torch'` shows whether PyTorch works here."
            )
        self.lost |= dict.fromkeys(self.running, int(LOST))
        self.running.clear()
        self.close()
        self.pids.clear()
        self._open()


@dataclass
class Spawner:
    """Starts each task in a fresh interpreter."""

    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    lifelines: dict[str, int] = field(default_factory=dict)

    def start(self, key: str, task: str, argument: str, environment: Mapping[str, str], log: Path) -> None:
        """See :class:`Launcher`."""
        lifeline, lifeline_in = os.pipe()
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as handle:
            self.processes[key] = subprocess.Popen(
                [sys.executable, "-m", "ferbench.running.spawned", task, argument, str(lifeline)],
                pass_fds=(lifeline,),
                env={**os.environ, **LOGGED, **environment},
                stdout=handle,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        os.close(lifeline)
        self.lifelines[key] = lifeline_in

    def ended(self, wait_seconds: float) -> dict[str, int]:
        """See :class:`Launcher`."""
        codes = {key: process.poll() for key, process in self.processes.items()}
        ended = {key: code for key, code in codes.items() if code is not None}
        for key in ended:
            kill_group(self.processes.pop(key).pid, signal.SIGKILL)
            os.close(self.lifelines.pop(key))
        if not ended:
            select.select([], [], [], wait_seconds)
        return ended

    def signal(self, key: str, number: signal.Signals) -> None:
        """See :class:`Launcher`."""
        if key in self.processes:
            kill_group(self.processes[key].pid, number)

    def close(self) -> None:
        """See :class:`Launcher`."""
        for key, process in self.processes.items():
            kill_group(process.pid, signal.SIGKILL)
            process.wait()
            os.close(self.lifelines[key])
        self.processes, self.lifelines = {}, {}
