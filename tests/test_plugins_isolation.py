"""Plugins that would stop, crash or hang the program are contained when they are checked."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ferbench.plugins import check_in_subprocess, discover

Install = Callable[..., Path]

GOOD = """
@hookimpl
def ferbench_metrics():
    yield Metric("good-metric", compute=lambda scored: 1.0)
"""


def test_each_plugin_is_checked_in_a_process_of_its_own(install: Install, tmp_path: Path) -> None:
    install("good", GOOD)
    install("quits", "import os; os._exit(0)")
    install("crashes", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    install("raises", "import not_there_at_all")

    results = {check.name: check for check in check_in_subprocess(["good", "quits", "crashes", "raises", "absent"], 60)}

    assert results["good"].ok
    assert results["good"].cause == ""
    assert results["quits"].cause == "importing it ended the process (exit code 0)"
    assert results["crashes"].cause == "importing it crashed the process (Segmentation fault)"
    assert "No module named 'not_there_at_all'" in results["raises"].cause
    assert "not installed here: absent" in results["absent"].cause
    assert not any(results[name].ok for name in ("quits", "crashes", "raises", "absent"))


@pytest.mark.parametrize("endless", ["while True: pass", "import time; time.sleep(600)"])
def test_an_endless_import_is_stopped(install: Install, endless: str) -> None:
    install("endless", endless)
    (check,) = check_in_subprocess(["endless"], 1.5)
    assert check.cause == "importing it took longer than 1.5 s"


def test_what_an_import_starts_is_stopped_with_it(install: Install, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    install("starter", f"import subprocess; subprocess.Popen('sleep 600 > {pipe}', shell=True)\n" + GOOD)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    (check,) = check_in_subprocess(["starter"], 60)

    # The pipe ends when the last process that holds it does; while one lives, reading from it raises BlockingIOError.
    assert check.ok
    assert _read_to_the_end(reader) == b""


def _read_to_the_end(reader: int) -> bytes:
    for _ in range(200):
        try:
            return os.read(reader, 1)
        except BlockingIOError:
            time.sleep(0.05)
    raise AssertionError("a process that the import started goes on")


def test_all_installed_plugins_are_checked_by_default(install: Install) -> None:
    install("good", GOOD)
    names = [check.name for check in check_in_subprocess(seconds=60)]
    assert names == sorted(names)
    assert {"good", "builtin"} <= set(names)


MEDDLING = """
import os, signal, tempfile
import ferbench.errors
os.environ["FERBENCH_TEST_NEW"] = "1"
os.environ["FERBENCH_TEST_OLD"] = "new"
os.chdir(tempfile.gettempdir())
signal.signal(signal.SIGINT, signal.SIG_IGN)
ferbench.errors.did_you_mean = print
"""


def test_what_a_plugin_changes_in_the_process_is_put_back_and_told(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ferbench.errors

    monkeypatch.setenv("FERBENCH_TEST_OLD", "old")
    before = (Path.cwd(), dict(os.environ), signal.getsignal(signal.SIGINT), ferbench.errors.did_you_mean)
    install("meddling", MEDDLING + GOOD)

    installed = discover(only=["meddling"])

    after = (Path.cwd(), dict(os.environ), signal.getsignal(signal.SIGINT), ferbench.errors.did_you_mean)
    assert after == before
    (info,) = installed.plugins
    assert info.state == "ok"
    assert set(info.changed) == {
        "the environment variable FERBENCH_TEST_NEW",
        "the environment variable FERBENCH_TEST_OLD",
        "the current folder",
        "what SIGINT does",
        "ferbench.errors.did_you_mean",
    }


def test_a_well_behaved_plugin_changes_nothing() -> None:
    assert {info.name: info.changed for info in discover().plugins if info.changed} == {}
