"""What can go wrong with MLflow, as one clear message each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ferbench.errors import FerbenchError, TrackingError
from ferbench.tracking.target import Target

_CAUSES = (
    (
        r"out-of-date database schema|Can't locate revision",
        "{where} was written by another version of MLflow than the one installed here. Install the newer of the two "
        "(`pip install -U mlflow`), or bring an older database up to date with `mlflow db upgrade`; or move the "
        "database away: `ferbench track` makes it anew from the results.",
    ),
    (
        r"(code|status)\W+401\b|UNAUTHENTICATED",
        "{where} does not know you (401). Set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
        "MLFLOW_TRACKING_TOKEN.",
    ),
    (
        r"(code|status)\W+403\b|PERMISSION_DENIED",
        "{where} refuses you (403). Ask whoever runs it for the right to write.",
    ),
    (
        r"[Tt]imed? ?out|ReadTimeout|ConnectTimeout",
        "{where} does not answer in time. Is it running? MLFLOW_HTTP_REQUEST_TIMEOUT sets the seconds to wait.",
    ),
    (
        r"Connection refused|Failed to establish|NameResolution|RemoteDisconnected|Connection aborted|"
        r"ConnectionError|Connection reset|Max retries exceeded|too many 5\d\d",
        "{where} cannot be reached ({why}). Is it running, and is MLFLOW_TRACKING_URI right?",
    ),
    (r"maintenance mode", "MLflow no longer keeps runs in plain folders ({where}): name a database or a server."),
    (r"database is locked", "{where} is locked by another program. Try again when that has ended."),
    (
        r"file is not a database|database disk image is malformed",
        "{where} is damaged or no SQLite database. Move it away: `ferbench track` makes it anew from the results.",
    ),
    (r"unable to open database file|readonly database", "{where} cannot be written. Mend its permissions."),
    (r"database or disk is full|No space left", "The disk is full: {where} could not be written."),
)


@contextmanager
def explained(target: Target) -> Iterator[None]:
    """Turn whatever MLflow raises into TrackingError with the mend; ferbench's own faults pass."""
    try:
        yield
    except FerbenchError:
        raise
    except Exception as error:  # MLflow lets through what its HTTP and database libraries raise
        raise TrackingError(explain(error, target)) from error


def explain(error: BaseException, target: Target) -> str:
    """One message for an error and those that led to it."""
    chain: BaseException | None = error
    texts: list[str] = []
    while chain is not None and len(texts) < 10:
        texts.append(f"{type(chain).__name__}: {chain}")
        chain = chain.__cause__ or chain.__context__
    where = ("The MLflow server " if target.is_server else "The tracking database ") + target.shown
    for pattern, message in _CAUSES:
        found = next((match for text in texts if (match := re.search(pattern, text))), None)
        if found:
            return message.format(where=where, why=found[0])
    return f"{where} failed: {re.sub(r'//[^/@ ]*@', '//', ' '.join(texts[0].split()))[:400]}"
