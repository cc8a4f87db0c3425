"""MLflow's own application with one page more: it sets what a first visit would ask, and goes on to the runs."""

from __future__ import annotations

import importlib.util
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

APP, START = "ferbench", "/ferbench"
PAGE = """<!doctype html><title>ferbench</title><script>
for (const [key, value] of Object.entries({
  "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": true, "mlflow.workflowType_v1": "machine_learning"
})) localStorage.getItem(key) ?? localStorage.setItem(key, JSON.stringify(value));
location.replace("/" + location.hash);
</script>
"""
"""The names are MLflow's own and undocumented: one that it no longer knows does nothing."""


def has_start_page() -> bool:
    """Whether the installed MLflow can serve it: older ones are no FastAPI applications. MLflow is not imported."""
    found = importlib.util.find_spec("mlflow")
    folders = found.submodule_search_locations or () if found else ()
    known = entry_points(group="mlflow.app", name=APP)
    return bool(known) and any(Path(folder, "server", "fastapi_app.py").exists() for folder in folders)


def create_app() -> FastAPI:
    """MLflow's application, as ``mlflow server --app-name ferbench`` runs it."""
    from fastapi.responses import HTMLResponse
    from mlflow.server.fastapi_app import app
    from starlette.routing import Route

    served: FastAPI = app
    served.router.routes.insert(0, Route(START, lambda request: HTMLResponse(PAGE)))
    return served
