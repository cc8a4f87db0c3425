"""Bad input gets one clear message and the right exit code, and nothing is lost.

Archives and CSV files are tried in ``tests/data`` and with the plugins that read them; kills, Ctrl-C and two runs on
one folder in ``tests/running/test_kills.py``; methods that fail in ``tests/running/test_failures.py``.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ferbench.store.store import Store
from tests.cli.conftest import Command, Finished, Outcome
from tests.contract import PLUGIN, Contract

Run = Callable[..., Outcome]


@pytest.fixture
def run(ferbench: Command, contract: Contract) -> Run:
    """``run(out, …)`` runs the suite ``contract``."""

    def call(out: Path, *arguments: object) -> Outcome:
        fixed = ["--plugin", PLUGIN, "--set", "run.threads=1", "--set", "run.probe=false"]
        return ferbench("run", "--suite", "contract", "--out", out, *fixed, *arguments)

    return call


def assert_refused(outcome: Outcome, *words: str) -> None:
    """Exit code 2, one message with these words, nothing on stdout."""
    assert outcome.code == 2
    for part in words:
        assert part in outcome.err
    assert "Traceback" not in outcome.err
    assert outcome.out == ""


def test_a_data_set_that_is_not_here_says_how_to_get_it(run: Run, tmp_path: Path, data_root: Path) -> None:
    refused = run(tmp_path / "out", "-d", "fer2013")
    assert_refused(refused, "'fer2013' is not on this machine", "Licence:", "ferbench data add fer2013 PATH")
    assert "To try ferbench without any download: ferbench run --suite demo" in refused.err
    assert not (tmp_path / "out").exists()


EMPTY_CLASS = """
from ferbench import Dataset, Parsed, ProtocolRule, Samples, given_split, hookimpl

def read(path, context):
    import numpy as np
    labels = np.arange(60) % 2
    origin = np.array(["train", "train", "val", "val", "test", "test"] * 10)
    ids = np.array([f"i{i}" for i in range(60)])
    return Parsed(Samples(ids, labels, origin), {"image": np.zeros((60, 8, 8), np.uint8)})

@hookimpl
def ferbench_datasets():
    rule = ProtocolRule("official", given_split("train", "val", "test"))
    yield Dataset("lacking", "no disgust", ("anger", "fear", "disgust"), (rule,), read, embedded=True)
"""


def test_a_class_without_samples_is_named(run: Run, tmp_path: Path, data_root: Path) -> None:
    plugin = tmp_path / "lacking.py"
    plugin.write_text(EMPTY_CLASS)
    refused = run(tmp_path / "out", "--plugin", plugin, "-d", "lacking", "-m", "tiny")
    assert_refused(refused, "lacking@official", "train has no sample of disgust")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-d", "sqares"], "There is no data set 'sqares'. Did you mean 'squares'"),
        (["-d", "squares@offical"], "squares has no protocol 'offical'. Did you mean 'official'"),
        (["-m", "tinny"], "There is no model 'tinny'. Did you mean 'tiny'"),
        (["-m", "tiny@wid"], "'tiny@wide'"),
        (["-m", "tag:contrakt"], "No model has the tag 'contrakt'"),
        (["-s", "halv"], "There is no sampler 'halv'. Did you mean 'halve'"),
        (["--set", "recipe.optimizer.lrr=1"], "recipe.optimizer.lrr: matches nothing in this run. Did you mean"),
        (["--set", "tiny:model.options.widht=1"], "Did you mean 'model.options.width'"),
        (
            ["--set", "tinny:model.options.width=1"],
            "matches nothing in this run: no model or sampler is called 'tinny'. Did you mean 'tiny'",
        ),
        (["--set", "recipe.optimizer.lr=fast"], "tiny: recipe.optimizer.lr: Input should be a valid number"),
        (["--set", "recipe.stages=3"], "tiny: recipe.stages: Input should be a list"),
        (["--set", "lr=0.1"], "lr: there is no such setting; keys begin with recipe.*"),
        (["--set", "recipe.optimizer.lr"], "write it as KEY=VALUE"),
        (["--set", "run.threds=1"], "Did you mean 'threads'"),
        (["--epochs", "-3", "--limit", "0", "--jobs", "-1"], "--epochs: -3 is too few; give 1 or more"),
        (
            ["--epochs", "-3", "--limit", "0", "--jobs", "-1"],
            "--limit: 0 is neither a number of samples nor a share (0.1)",
        ),
        (["--epochs", "-3", "--limit", "0", "--jobs", "-1"], "--jobs: -1 is too few; give 1 or more"),
        (["--seeds", "-1"], "--seeds: '-1': seeds are 0 or more"),
        (["--seeds", "one"], "--seeds: 'one' is neither a number nor a list"),
        (["--device", "gpu"], "--device: 'gpu' is no device; use auto, cpu, cuda or cuda:1"),
        (["--device", "cuda:99"], "--device: 'cuda:99' is not there: this machine shows"),
        (["--set", "run.timeout_minutes=-1"], "run.timeout_minutes: Input should be greater than 0"),
        (["--plugin", "nowhere.py"], "nowhere.py is not there"),
    ],
)
def test_what_cannot_be_meant_is_named_before_anything_is_written(
    run: Run, tmp_path: Path, arguments: list[str], words: str
) -> None:
    assert_refused(run(tmp_path / "out", *arguments), words)
    assert not (tmp_path / "out").exists()


def test_a_key_that_a_model_does_not_take_is_not_suggested_for_it(run: Run, tmp_path: Path) -> None:
    refused = run(tmp_path / "out", "-m", "nearest", "--set", "recipe.optimizer.lr=1")
    assert_refused(refused, "recipe.optimizer.lr: matches nothing in this run.")
    assert "'recipe.optimizer" not in refused.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('name = "x', "not valid TOML"),
        ('name = "x"\nmodels = ["tiny"]\ndataset = ["squares"]', "dataset: unknown key. Did you mean 'datasets'"),
        ('name = "x"\nmodels = ["tiny"]\ndataset = ["squares"]', "datasets: Field required"),
        (
            'name = "x"\nmodels = ["tiny"]\ndatasets = ["squares"]\nepochs = -1',
            "epochs: Input should be greater than 0",
        ),
        ('name = "x"\nmodels = ["tiny"]\ndatasets = ["squares"]\nseeds = []', "seeds"),
        ('name = "x"\nmodels = ["tiny"]\ndatasets = ["squares"]\nmetrics = ["acc"]', "There is no metric 'acc'"),
        (
            'name = "x"\nmodels = ["tiny"]\ndatasets = ["squares"]\n[set]\n"recipe.lr" = 1',
            "recipe.lr: matches nothing in this run. Did you mean",
        ),
        (
            'name = "x"\nmodels = ["nearest"]\ndatasets = ["clips"]',
            "nothing fits together, so there is nothing to run",
        ),
    ],
)
def test_mistakes_in_a_suite_are_named(ferbench: Command, tmp_path: Path, text: str, words: str) -> None:
    suite = tmp_path / "own.toml"
    suite.write_text(text)
    assert_refused(ferbench("run", "--suite", suite, "--plugin", PLUGIN, "--out", tmp_path / "out"), words)
    assert not (tmp_path / "out").exists()


def test_a_suite_that_is_not_there_or_no_text_is_named(ferbench: Command, tmp_path: Path) -> None:
    assert_refused(ferbench("run", "--suite", "dmeo"), "There is no suite 'dmeo'. Did you mean 'demo'")
    assert_refused(ferbench("run", "--suite", "nowhere.toml"), "nowhere.toml: No such file or directory")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    assert_refused(ferbench("run", "--suite", tmp_path / "binary.toml"), "it is not UTF-8 text")


def test_a_device_that_is_not_there_costs_no_results(run: Run, finished: Finished) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.out.rglob("*")}
    assert_refused(run(finished.out, "--fresh", "--device", "cuda:99"), "'cuda:99' is not there")
    assert {path: path.stat().st_mtime_ns for path in finished.out.rglob("*")} == before


def test_a_folder_that_cannot_be_made_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert_refused(run(tmp_path / "file" / "out", "-m", "nearest"), "there is a file in its way")
    assert_refused(run(tmp_path / "file", "-m", "nearest"), "there is a file in its way")
    assert_refused(run(Path("/proc/out"), "-m", "nearest"), "/proc/out cannot be written")


def test_a_folder_of_another_schema_is_left_alone(run: Run, ferbench: Command, finished: Finished) -> None:
    (finished.out / "store.json").write_text('{"schema": 99}')
    before = sorted(finished.out.rglob("*"))
    for command in (
        run(finished.out, "-m", "nearest"),
        run(finished.out, "-m", "nearest", "--fresh"),
        run(finished.out, "-m", "nearest", "--dry-run"),
        ferbench("leaderboard", "--out", finished.out),
        ferbench("gc", "--out", finished.out, "--delete"),
        ferbench("evaluate", "--out", finished.out),
    ):
        assert_refused(command, "was written with schema 99, this ferbench reads schema 1", "another --out")
    assert sorted(finished.out.rglob("*")) == before


@pytest.mark.parametrize("content", ["", "[]", '{"schema": '])
def test_a_damaged_marker_is_named_with_its_mend(run: Run, finished: Finished, content: str) -> None:
    marker = finished.out / "store.json"
    marker.write_text(content)
    assert_refused(run(finished.out, "-m", "nearest"), f"{marker} is damaged", "Remove it, and run again")
    marker.unlink()
    assert "1 already done" in run(finished.out, "-m", "nearest").err


OBSERVER = """
import shutil
import tarfile
from ferbench import hookimpl

@hookimpl
def ferbench_cell_finished(event):
    shutil.rmtree(event.out)
"""


def test_a_folder_that_is_deleted_during_a_run_is_named(run: Run, tmp_path: Path) -> None:
    plugin = tmp_path / "vandal.py"
    plugin.write_text(OBSERVER)
    refused = run(tmp_path / "out", "--plugin", plugin, "-m", "nearest", "-m", "tiny", "--seeds", "1")
    assert refused.code == 2
    assert f"There are no results in {tmp_path / 'out'}" in refused.err
    assert run(tmp_path / "out", "-m", "nearest").code == 0


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ("cell.json", 0),
        ("environment.json", 0),
        ("history.csv", 0),
        ("best.safetensors", 0),
        ("status.json", 1),
        ("metrics.json", 1),
        ("predictions.parquet", 1),
    ],
)
def test_a_file_of_a_cell_that_was_cut_off_is_made_anew(run: Run, finished: Finished, name: str, again: int) -> None:
    before = finished.cell("tiny").predictions().scores
    path = finished.cell("tiny").path / name
    path.write_bytes(path.read_bytes()[:-20])
    done = run(finished.out, "-m", "tiny", "--seeds", "1", "--device", "cpu")
    assert done.code == 0
    assert f"1 cell, {1 - again} already done" in done.err
    told = f"{name} was damaged and is removed" in done.err
    assert told is (name not in ("history.csv", "best.safetensors")), "those two are read by nobody here"
    assert finished.cell("tiny").predictions().scores.tolist() == before.tolist()
    assert not finished.cell("tiny").damaged()


def test_what_is_missing_of_a_finished_cell_is_made_anew(run: Run, finished: Finished) -> None:
    for name in ("cell.json", "metrics.json"):
        path = finished.cell("tiny").path / name
        path.unlink()
        assert run(finished.out, "-m", "tiny", "--seeds", "1", "--device", "cpu").code == 0
        assert path.exists()


def test_a_damaged_data_set_table_is_made_anew(run: Run, ferbench: Command, finished: Finished) -> None:
    table = next((finished.out / "datasets").iterdir())
    table.write_bytes(table.read_bytes()[:100])
    assert_refused(ferbench("leaderboard", "--out", finished.out), f"{table} is damaged", "Remove it, and run")
    assert run(finished.out, "-m", "tiny", "--seeds", "1").code == 0
    assert ferbench("leaderboard", "--out", finished.out).code == 0


def test_a_damaged_record_of_a_run_hides_that_run_alone(run: Run, ferbench: Command, finished: Finished) -> None:
    record = finished.out / "runs" / f"{finished.run_id}.json"
    record.write_text(record.read_text()[:50])
    (finished.out / "runs" / "notes.json").write_text("{}")
    assert_refused(ferbench("leaderboard", "--out", finished.out), f"{record} is damaged")
    assert run(finished.out, "-m", "tiny", "--seeds", "1").code == 0
    assert [row["model"] for row in ferbench("leaderboard", "--out", finished.out, "--json").json["rows"]] == ["tiny"]


def unfinished(finished: Finished, state: bytes) -> Path:
    """Turn the finished network into one that was killed, with this kept state; return its log."""
    cell = finished.cell("tiny")
    for name in ("predictions.parquet", "metrics.json", "status.json"):
        (cell.path / name).unlink()
    cell.resume.mkdir()
    (cell.resume / "state.pt").write_bytes(state)
    return cell.path / "log.txt"


@pytest.mark.parametrize("state", [b"", b"nonsense", b"PK\x03\x04 cut off"])
def test_a_damaged_kept_state_makes_the_training_start_anew(run: Run, finished: Finished, state: bytes) -> None:
    before = finished.cell("tiny").predictions().scores
    log = unfinished(finished, state)
    done = run(finished.out, "-m", "tiny", "--seeds", "1", "--device", "cpu")
    assert done.code == 0
    assert "The kept state is damaged" in log.read_text()
    assert finished.cell("tiny").predictions().scores.tolist() == before.tolist()


def test_a_kept_state_that_holds_code_is_not_run(run: Run, finished: Finished, tmp_path: Path) -> None:
    import torch

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(tmp_path / "hacked"),)

    torch.save({"progress": Hostile()}, tmp_path / "state.pt")
    log = unfinished(finished, (tmp_path / "state.pt").read_bytes())
    assert run(finished.out, "-m", "tiny", "--seeds", "1", "--device", "cpu").code == 0
    assert "The kept state is damaged" in log.read_text()
    assert not (tmp_path / "hacked").exists()


def test_results_survive_everything_above(run: Run, finished: Finished) -> None:
    """A copy of the folder, and the original gone: nothing in it says where it lay."""
    moved = finished.out.with_name("moved")
    shutil.move(finished.out, moved)
    assert "3 cells, 3 already done" in run(moved, "-m", "tiny", "-m", "nearest", "--seeds", "2").err
    assert len(list(Store(moved).cells)) == 7


def test_names_of_a_strangers_files_cannot_command_the_terminal(ferbench: Command, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "results.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("\x1b[2J.zip"))
    outcome = ferbench("merge", tmp_path / "results.tar.gz", "--out", tmp_path / "out")
    assert_refused(outcome, "\\x1b[2J.zip is refused: an archive is no file of a pack.")
    assert "\x1b[2J" not in outcome.err
