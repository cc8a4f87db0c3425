"""Where tracking goes, and what is said where that cannot be."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ferbench import TrackingError
from ferbench.tracking import target
from ferbench.tracking.replay import Replayed
from ferbench.tracking.target import file_system_of, target_for

Replaying = Callable[..., Replayed]


def test_a_database_lies_beside_the_results(tmp_path: Path) -> None:
    found = target_for(tmp_path)
    assert (found.uri, found.artifacts) == (f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "mlflow-artifacts")


def test_the_environment_names_a_server_and_no_password_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@mlflow.example.org")
    found = target_for(tmp_path)
    assert (found.shown, found.artifacts) == ("https://mlflow.example.org", None)


def test_sqlite_on_a_network_folder_is_refused_with_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "file_system_of", lambda folder: "nfs4")
    with pytest.raises(TrackingError, match=r"network folder \(nfs4\).*MLFLOW_TRACKING_URI"):
        target_for(tmp_path)


def test_the_innermost_mount_tells_the_file_system(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    share = tmp_path / "a share"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nhost:/x {str(share).replace(' ', chr(92) + '040')} nfs4 rw 0 0\n")
    assert file_system_of(share / "runs", mounts) == "nfs4"
    assert file_system_of(tmp_path / "runs", mounts) == "ext4"


@contextmanager
def answering(code: int) -> Iterator[str]:
    """A server that answers everything with one status; the address."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("code", "words"), [(401, "does not know you"), (403, "refuses you")])
def test_a_server_that_refuses_is_named(
    replay: Replaying, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    with answering(code) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(TrackingError, match=f"{address} {words}"):
            replay()


def test_a_server_that_is_not_there_is_named(replay: Replaying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(TrackingError, match="cannot be reached"):
        replay()


def test_a_database_of_another_mlflow_is_named(replay: Replaying, out: Path) -> None:
    with sqlite3.connect(out / "mlflow.db") as database:
        database.execute("update alembic_version set version_num = 'ffffffffffff'")
    with pytest.raises(TrackingError, match="another version of MLflow"):
        replay()


def test_a_file_that_is_no_database_is_named(replay: Replaying, out: Path) -> None:
    (out / "mlflow.db").write_bytes(b"no database at all " * 100)
    with pytest.raises(TrackingError, match="damaged or no SQLite database"):
        replay()


def test_a_missing_mlflow_says_what_to_install(replay: Replaying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "installed", lambda: False)
    with pytest.raises(TrackingError, match=r"pip install 'ferbench\[mlflow\]'"):
        replay()
