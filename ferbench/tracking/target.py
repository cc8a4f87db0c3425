"""Where tracking goes: a server that the environment names, or a database beside the results."""

from __future__ import annotations

import importlib.util
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ferbench.errors import TrackingError

NETWORK_FILE_SYSTEMS = frozenset(
    (
        *(
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "smbfs",
            "afs",
            "ceph",
            "lustre",
            "gpfs",
            "beegfs",
            "glusterfs",
            "ocfs2",
            "9p",
        ),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.gcsfuse", "fuse.rclone", "fuse.juicefs"),
    )
)
DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""MLflow's own settings, where the user sets none: no telemetry, and a server that hangs costs seconds, not minutes."""
INSTALL = "MLflow is not installed: `pip install 'ferbench[mlflow]'`, or `uv sync` in a checkout, brings it."


@dataclass(frozen=True)
class Target:
    """``uri`` as MLflow takes it.

    ``artifacts`` is the local folder of artifacts, None where a server keeps them. Beside a database it is found
    relative to that, so that a folder of results may be moved.
    """

    uri: str
    artifacts: Path | None

    @property
    def shown(self) -> str:
        """The address for people: without a password, and the path of a database file."""
        path = sqlite_path(self.uri)
        return str(path) if path else re.sub(r"//[^/@]*@", "//", self.uri)

    @property
    def is_server(self) -> bool:
        """Whether it is a server, which keeps its own files and shows its own pages."""
        return self.uri.startswith(("http://", "https://"))


def installed() -> bool:
    """Whether MLflow is installed. It is not imported."""
    return importlib.util.find_spec("mlflow") is not None


def require_mlflow() -> None:
    """Set MLflow up for a program that is no experiment of its own. Raises TrackingError where it is missing."""
    if not installed():
        raise TrackingError(INSTALL)
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)


def target_for(out: Path) -> Target:
    """The target of a folder of results. Raises TrackingError for a SQLite database on a network folder."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "").strip() or f"sqlite:///{out.absolute() / 'mlflow.db'}"
    path = sqlite_path(uri)
    if path is None:
        return Target(uri, None)
    kind = file_system_of(path.parent)
    if kind in NETWORK_FILE_SYSTEMS:
        raise TrackingError(
            f"{path} would lie on a network folder ({kind}), where SQLite loses data. Set MLFLOW_TRACKING_URI to a "
            "server (https://…) or to a database on a local disk (sqlite:////home/me/mlflow.db), or use an --out there."
        )
    return Target(uri, path.parent / "mlflow-artifacts")


def sqlite_path(uri: str) -> Path | None:
    """The file of a SQLite database; None for anything else."""
    scheme, found, path = uri.partition(":///")
    return Path(path.partition("?")[0]).absolute() if found and scheme.partition("+")[0] == "sqlite" else None


def file_system_of(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The kind of file system on which a folder lies or would lie; empty where the system does not tell."""
    if not mounts.exists():
        return ""
    place, kinds = folder.resolve(), {}
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, point, kind, *_ = line.split(" ")
        kinds[Path(re.sub(r"\\(\d{3})", lambda code: chr(int(code[1], 8)), point))] = kind
    return next((kinds[parent] for parent in (place, *place.parents) if parent in kinds), "")
