"""Plugins that misbehave: `doctor` names those that break, a run goes on without them, and no result changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ferbench.running import api, checkup
from ferbench.running.launch import make_launcher
from tests.cli.conftest import Command
from tests.contract import Contract

Install = Callable[..., Path]

METRIC = """
@hookimpl
def ferbench_metrics():
    yield Metric("metric-of-{name}", compute=lambda scored: 1.0)
"""

BREAKING = {
    "sleeps": ("import time; time.sleep(30)", "importing it took longer than 3 s"),
    "quits": ("import sys; sys.exit(3)", "ended the program (SystemExit: 3)"),
    "dies": ("import os; os._exit(4)", "importing it ended the process (exit code 4)"),
    "forks": ("import os; os.fork()", "importing it forked the process"),
    "lacks": ("import no_such_package", "No module named 'no_such_package'"),
    "unparsable": ("def (", "SyntaxError"),
    "shadows": (
        "@hookimpl\ndef ferbench_models():\n    yield Model('small-cnn', build='x:y')",
        "the model name 'small-cnn' is taken by the plugin 'builtin'",
    ),
    "nothing": ("@hookimpl\ndef ferbench_models():\n    return None", "ferbench_models returned None"),
    "twice": (
        "@hookimpl\ndef ferbench_metrics():\n    yield Metric('m', compute=len)\n    yield Metric('m', compute=len)",
        "ferbench_metrics yielded two metrics named 'm'",
    ),
}

MEDDLING = {
    "prints": "print('{not json}')",
    "reseeds": "import random, numpy, torch\nrandom.seed(1); numpy.random.seed(1); torch.manual_seed(1)",
    "draws": "import numpy, torch\nnumpy.random.rand(7); torch.rand(7)",
    "casts": "import torch\ntorch.set_default_dtype(torch.float64)",
    "mutates": "from ferbench import Recipe\nRecipe.model_fields['epochs'].default = 1",
    "scribbles": "import os, pathlib\npathlib.Path(os.environ['FERBENCH_TEST_STORE'], 'cells').mkdir(parents=True)\n"
    "pathlib.Path(os.environ['FERBENCH_TEST_STORE'], 'cells', 'not-a-cell').write_text('mine')",
}


@pytest.mark.usefixtures("quick_doctor")
def test_doctor_names_each_plugin_that_breaks(
    ferbench: Command, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, (source, _) in BREAKING.items():
        install(name, source)
    monkeypatch.setattr(checkup, "PLUGIN_SECONDS", 3.0)
    monkeypatch.setattr("ferbench.plugins.isolation.plugin_names", lambda: ["builtin", *BREAKING])

    told = ferbench("doctor", "--json", "--out", tmp_path / "out")

    found = {finding["what"]: finding for finding in told.json}
    assert told.code == 1
    assert found["plugin builtin"]["state"] == "ok"
    for name, (_, words) in BREAKING.items():
        if name != "shadows":  # alone it shadows nothing; see below
            assert found[f"plugin {name}"]["state"] == "fail"
            assert words in found[f"plugin {name}"]["detail"]


def test_a_plugin_that_forks_or_shadows_is_set_aside(ferbench: Command, install: Install) -> None:
    for name in ("forks", "shadows"):
        install(name, BREAKING[name][0])
    listed = {row["name"]: row for row in ferbench("list", "plugins", "--json").json}
    for name in ("forks", "shadows"):
        assert listed[name]["state"] == "broken"
        assert BREAKING[name][1] in listed[name]["cause"]
    assert listed["builtin"]["state"] == "ok"


def test_results_are_the_same_bit_by_bit_whatever_else_is_installed(
    contract: Contract, install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    alone = contract.run(tmp_path / "alone", models=["tiny"], seeds=1)
    monkeypatch.setenv("FERBENCH_TEST_STORE", str(tmp_path / "beside"))
    skipped = ("sleeps", "dies")  # they delay or end what imports them; doctor says so
    for name, (source, _) in BREAKING.items():
        if name not in skipped:
            install(name, source)
    for name, source in MEDDLING.items():
        install(name, source + METRIC.format(name=name))

    monkeypatch.setattr(api, "make_launcher", make_launcher)  # one that knows where these plugins lie
    default = torch.get_default_dtype()
    try:
        beside = contract.run(tmp_path / "beside", models=["tiny"], seeds=1)
    finally:
        torch.set_default_dtype(default)

    assert [len(result.done) for result in (alone, beside)] == [1, 1]
    first, second = contract.cells(alone)[0], contract.cells(beside)[0]
    assert first.id == second.id
    for file in ("predictions.parquet", "best.safetensors", "last.safetensors"):
        assert (first.path / file).read_bytes() == (second.path / file).read_bytes()
    assert (tmp_path / "beside" / "cells" / "not-a-cell").read_text(encoding="utf-8") == "mine"
