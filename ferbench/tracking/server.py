"""MLflow's pages on this machine: the leanest server that shows them, for as long as somebody looks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ferbench.errors import TrackingError
from ferbench.tracking.pages import APP, has_start_page
from ferbench.tracking.target import Target

HOST = "127.0.0.1"
START_SECONDS = 120.0
STOP_SECONDS = 5.0
ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_LOGGING_LEVEL": "ERROR"}
PORTS = 20


def free_port(wanted: int) -> int:
    """The wanted port, or the next one that is free."""
    for port in range(wanted, min(wanted + PORTS, 65536)):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((HOST, port))
            except OSError:
                continue
            return port
    raise TrackingError(f"The ports {wanted} to {wanted + PORTS - 1} are all taken; choose another with --port.")


@contextmanager
def served(target: Target, port: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Serve a database; yields address and process once it answers, and leaves no process behind.

    Raises TrackingError with the server's last words when it does not start.
    """
    address = f"http://{HOST}:{port}"
    lifeline, lifeline_in = os.pipe()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ferbench.tracking.server", str(lifeline), *_command(target, port)],
            pass_fds=(lifeline,),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **ENVIRONMENT},
            cwd=Path(tempfile.gettempdir()),
            start_new_session=True,
        )
        os.close(lifeline)
        try:
            if not _answers(address, process):
                log.seek(0)
                last = log.read().decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
                raise TrackingError(f"MLflow's server did not start: {last[0]}")
            yield address, process
        finally:
            _stop(process)
            os.close(lifeline_in)


def _command(target: Target, port: int) -> list[str]:
    command = ["server", "--backend-store-uri", target.uri, "--host", HOST, "--port", str(port), "--workers", "1"]
    if target.artifacts is not None:
        command += ["--artifacts-destination", target.artifacts.as_uri(), "--serve-artifacts"]
    return [*command, "--app-name", APP] if has_start_page() else command


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server's whole process group, in peace if it goes quickly."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            break
    process.wait()


def main() -> None:
    """Be ``mlflow ARGUMENTS`` in a process group that is killed when the pipe to its parent closes."""
    lifeline = int(sys.argv[1])

    def wait() -> None:
        while os.read(lifeline, 1):
            pass
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=wait, name="ferbench-lifeline", daemon=True).start()
    sys.exit(subprocess.call([sys.executable, "-P", "-m", "mlflow", *sys.argv[2:]]))


if __name__ == "__main__":
    main()
