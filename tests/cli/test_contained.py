"""Plugins that misbehave: `doctor` names each, runs contain it, and no other result changes by a bit."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ferbench.errors import StoreError
from ferbench.plugins import discovery, isolation
from ferbench.running import api, checkup
from ferbench.running.api import RunResult
from ferbench.running.checkup import Finding, examine
from ferbench.running.launch import make_launcher
from ferbench.store.store import CellFolder
from tests.cli.conftest import Command
from tests.conftest import IMPORTS
from tests.contract import Borrowed, Contract

METRIC = """
def compute(scored):
    WHEN_COMPUTED
    return 0.5

@hookimpl
def ferbench_metrics():
    WHEN_ASKED
    yield Metric("a-NAME", compute=compute)
"""


@dataclass(frozen=True)
class Bad:
    """A plugin's source, and what is said of it by `doctor` (and by a run, where it is set aside).

    ``works``: its metric is in the results although it misbehaves.
    """

    source: str
    words: str
    works: bool = False


def meddling(code: str, words: str, *, computed: str = "pass", asked: str = "pass") -> Bad:
    """A plugin that works, and does something else when it is imported, asked for its metric, or computes it."""
    return Bad(code + METRIC.replace("WHEN_COMPUTED", computed).replace("WHEN_ASKED", asked), words, works=True)


SCRIBBLE = """
import pathlib
def scribble():
    import pandas
    cells = pathlib.Path(pathlib.Path(__file__).with_name("store.txt").read_text(), "cells")
    for file in cells.glob("*/predictions.parquet"):
        table = pandas.read_parquet(file)
        scores = [name for name in table if name.startswith("p_")]
        table[scores] = table[scores[::-1]].to_numpy()
        table.to_parquet(file)
    if cells.exists():
        (cells / "not-a-cell").write_text("mine")
scribble()
"""

PLUGINS = {
    "sleeps": meddling("import os, time\ntime.sleep(float(os.environ['FERBENCH_TEST_SLEEP']))", "longer than 8 s"),
    "prints": meddling(
        "print('{not json}')",
        "it prints when it is loaded: {not json}",
        computed="print('x')",
        asked="__import__('os').write(1, b'{}')",
    ),
    "quits": Bad("import sys\nsys.exit(3)", "ended the program (SystemExit: 3)"),
    "forks": Bad("import os\nos.fork()", "importing it forked the process"),
    "lacks": Bad("import no_such_package", "No module named 'no_such_package'"),
    "unparsable": Bad("def (", "SyntaxError"),
    "shadows": Bad(
        "@hookimpl\ndef ferbench_models():\n    yield Model('small-cnn', build='x:y')",
        "the model name 'small-cnn' is taken by the plugin 'builtin'",
    ),
    "nothing": Bad("@hookimpl\ndef ferbench_models():\n    return None", "ferbench_models returned None"),
    "twice": Bad(
        "@hookimpl\ndef ferbench_metrics():\n    yield Metric('m', compute=len)\n    yield Metric('m', compute=len)",
        "ferbench_metrics yielded two metrics named 'm'",
    ),
    "mutates": meddling(
        "import ferbench.identity, ferbench.nouns.losses\n"
        "from ferbench import Recipe\n"
        "ferbench.identity.ENGINE_VERSION = 99\n"
        "ferbench.nouns.losses.LABEL_KINDS.clear()\n"
        "Recipe.with_epochs = lambda self, epochs: self.model_copy(update={'epochs': 1})\n",
        "it changes ferbench.nouns.losses.LABEL_KINDS, ferbench.nouns.recipe.Recipe.with_epochs when",
        computed="scored.scores[:] = 0",
    ),
    "reseeds": meddling(
        "import os, random, sys\n"
        "def reseed():\n"
        "    random.seed(1)\n"
        "    os.environ['CUBLAS_WORKSPACE_CONFIG'] = ':16:8'\n"
        "    if 'torch' in sys.modules:\n"  # as in cells; where nobody has imported it, it takes seconds
        "        import numpy, torch\n"
        "        numpy.random.seed(1); torch.manual_seed(1); torch.set_default_dtype(torch.float64)\n"
        "reseed()",
        "it changes the environment variable CUBLAS_WORKSPACE_CONFIG, Python's random state when",
        computed="reseed()",
        asked="reseed()",
    ),
    "scribbles": meddling(SCRIBBLE, "", computed="scribble()"),
    "leaks": meddling(
        "KEPT = [b'x' * 2_000_000]",
        "its hooks leak: ",
        computed="KEPT.append(b'x' * 50_000_000)",
        asked="KEPT.append(b'x' * 2_000_000)",
    ),
}
NAMED_BY_ITS_TRACES = ("scribbles",)
"""Alone it does nothing: `doctor` names the files that it changed."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder from which this process and those that it starts import."""
    folder = tmp_path_factory.mktemp("site")
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", str(folder))
        patch.setenv("FERBENCH_TEST_SLEEP", "1")
        yield folder
    for name in set(sys.modules) - before:
        if str(folder) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture(scope="module")
def launcher(contract: Contract, site: Path) -> Iterator[Borrowed]:
    """One that knows where these plugins lie."""
    own = make_launcher()
    yield Borrowed(own)
    own.close()


def install(site: Path, name: str) -> list[Path]:
    """Install one of the plugins; return what to remove afterwards."""
    module, info = site / f"bad_{name}.py", site / f"bad_{name}-1.0.dist-info"
    module.write_text(IMPORTS + PLUGINS[name].source.replace("a-NAME", f"a-{name}"), encoding="utf-8")
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bad-{name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[ferbench]\n{name} = bad_{name}\n", encoding="utf-8")
    return [module, info / "METADATA", info / "entry_points.txt", info]


def remove(paths: list[Path]) -> None:
    for path in paths:
        path.rmdir() if path.is_dir() else path.unlink()


@pytest.fixture
def beside(site: Path, name: str) -> Iterator[None]:
    """The plugin ``name`` is installed."""
    paths = install(site, name)
    yield
    sys.modules.pop(f"bad_{name}", None)
    remove(paths)


@pytest.fixture(scope="module")
def findings(contract: Contract, site: Path) -> dict[str, Finding]:
    """What `doctor` finds where all of them are installed, by subject."""
    paths = [path for name in PLUGINS for path in install(site, name)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkup, "PLUGIN_SECONDS", 8.0)
        patch.setattr(checkup, "make_launcher", contract.launcher)
        patch.setattr(isolation, "plugin_names", lambda: ["builtin", *PLUGINS])
        patch.setenv("FERBENCH_TEST_SLEEP", "30")
        (site / "store.txt").write_text(str(site / "no-results"), encoding="utf-8")
        found = {finding.what: finding for finding in examine(site / "no-results")}
    remove(paths)
    return found


@pytest.fixture(scope="module")
def alone(contract: Contract, launcher: Borrowed, site: Path, tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """A run with none of them."""
    return run(contract, launcher, site, tmp_path_factory.mktemp("alone") / "out")


def run(contract: Contract, launcher: Borrowed, site: Path, out: Path) -> RunResult:
    """A short run of one network."""
    (site / "store.txt").write_text(str(out), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "make_launcher", lambda: launcher)
        return contract.run(out, models=["tiny"], seeds=1, epochs=3)


def assert_same(one: CellFolder, other: CellFolder, metric: str = "") -> None:
    """Two cells are one and the same to the last bit, whatever ``metric`` says."""
    assert one.id == other.id
    for file in ("predictions.parquet", "best.safetensors", "last.safetensors"):
        assert (one.path / file).read_bytes() == (other.path / file).read_bytes()
    for side, values in one.metrics().items():
        theirs = other.metrics()[side]
        assert side == "faults" or values == (
            {key: value for key, value in theirs.items() if key != metric} if isinstance(theirs, dict) else theirs
        )


def test_there_are_thirteen() -> None:
    assert len(PLUGINS) == 13


@pytest.mark.parametrize("name", [name for name in PLUGINS if name not in NAMED_BY_ITS_TRACES])
def test_doctor_names_it_with_cause_and_mend(findings: dict[str, Finding], name: str) -> None:
    found, bad = findings[f"plugin {name}"], PLUGINS[name]
    assert bad.words in found.detail
    assert found.state == ("warn" if bad.works and name != "sleeps" else "fail")
    assert f"FERBENCH_DISABLE_PLUGINS={name} leaves it out" in found.mend
    assert findings["plugin builtin"].state == "ok"


@pytest.mark.parametrize("name", PLUGINS)
@pytest.mark.usefixtures("beside")
def test_a_run_contains_it_and_no_bit_changes(
    contract: Contract,
    launcher: Borrowed,
    alone: RunResult,
    site: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    together = run(contract, launcher, site, tmp_path / "out")

    told, bad = capsys.readouterr(), PLUGINS[name]
    first, second = contract.cells(alone)[0], contract.cells(together)[0]
    assert together.done == alone.done
    assert told.out == ""
    if bad.works:
        assert f"a-{name}" in json.dumps(json.loads((second.path / "metrics.json").read_text())), "it was not loaded"
    else:
        assert f"Plugin {name} is set aside: " in told.err and bad.words in told.err
    if name == "mutates":
        assert "a-mutates raised ValueError: assignment destination is read-only" in str(second.metrics()["faults"])
    if name == "scribbles":
        with pytest.raises(StoreError, match="was changed after the cell finished"):
            second.predictions()
        assert second.damaged() == [second.path / "predictions.parquet"]
        (failure,) = together.leaderboard.failures
        assert failure.cell == second.id and "is not what the cell wrote" in failure.cause
    else:
        assert_same(first, second, f"a-{name}")


def test_what_was_written_into_the_store_is_found_and_mended(
    contract: Contract,
    launcher: Borrowed,
    alone: RunResult,
    site: Path,
    tmp_path: Path,
    ferbench: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkup, "make_launcher", contract.launcher)
    monkeypatch.setattr(isolation, "plugin_names", lambda: ["builtin"])
    out = tmp_path / "out"
    before = contract.cells(run(contract, launcher, site, out))[0]
    paths = install(site, "scribbles")
    ferbench("list", "plugins")
    sys.modules.pop("bad_scribbles")
    remove(paths)

    found = {finding["what"]: finding for finding in ferbench("doctor", "--json", "--out", out).json}
    assert found[f"cell {before.id}"]["state"] == "fail"
    assert "predictions.parquet cannot be read, or was changed" in found[f"cell {before.id}"]["detail"]
    assert "not-a-cell" in found["strange files"]["detail"]

    again = run(contract, launcher, site, out)
    assert not again.leaderboard.failures
    assert_same(contract.cells(alone)[0], contract.cells(again)[0])


@pytest.mark.parametrize("name", ["sleeps"])
@pytest.mark.usefixtures("beside", "quick_doctor")
def test_one_that_keeps_all_waiting_is_named_at_once(
    ferbench: Command, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(discovery, "SLOW_SECONDS", 0.2)
    with caplog.at_level(logging.WARNING):
        assert ferbench("list", "metrics").code == 0
    assert "The plugin 'sleeps' still loads after 0.2 s" in caplog.text
    assert "FERBENCH_DISABLE_PLUGINS=sleeps leaves it out" in caplog.text

    monkeypatch.setattr(checkup, "SLOW_SECONDS", 0.5)
    monkeypatch.setattr(isolation, "plugin_names", lambda: ["sleeps"])
    (found,) = [row for row in ferbench("doctor", "--json").json if row["what"] == "plugin sleeps"]
    assert found["state"] == "warn" and "imported in 1." in found["detail"]
    assert found["mend"] == "Every command waits for it; FERBENCH_DISABLE_PLUGINS=sleeps leaves it out."

    sys.modules.pop("bad_sleeps")
    monkeypatch.setenv("FERBENCH_DISABLE_PLUGINS", "mlflow,sleeps")
    caplog.clear()
    assert ferbench("list", "metrics").code == 0
    assert "sleeps" not in caplog.text
