"""What the engine costs over a loop written by hand, and what it gains over the way FER repositories train.

    python -m pytest benchmarks/bench_engine.py -o addopts= --benchmark-only -s

Contenders take turns, an epoch each, within one run; ratios are medians over the turns.
"""

from __future__ import annotations

import importlib
import io
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from benchmarks.bare import CROP, BareCell, repository_training
from benchmarks.peers import BATCH, CLASSES, faces, write_folder
from benchmarks.resnet import ResNet18
from benchmarks.turns import Apart, Turns
from ferbench import SGD, HorizontalFlip, Input, RandomCrop, Recipe, Sample
from ferbench.evaluating.scoring import read_weights
from ferbench.evaluating.setup import rebuild
from ferbench.running import fitting
from ferbench.running.api import Run
from ferbench.running.cell import run_cell
from ferbench.running.forkserver import PRELOADED
from ferbench.running.keeping import Keeper
from ferbench.running.request import Request
from ferbench.store.files import write_json
from ferbench.store.store import CellFolder, Store
from ferbench.suites import override
from ferbench.training.feed import ResidentFeed
from ferbench.training.job import Job, Part
from ferbench.training.loop import train
from ferbench.training.memory import keep_freed_memory
from ferbench.training.precision import Numerics, numerics_for
from ferbench.training.prepare import Preparer

CPU = torch.device("cpu")
CELL_EPOCHS = 16
KEPT_SECONDS = 10
"""The cell keeps its state six times as often as by default."""

RESNET_IMAGES, RESNET_TURNS, THREADS = 4 * BATCH, 7, 2
RESNET_GOALS = {"bf16": 2.3, "fp32": 1.2}
"""How often as fast as the repositories' way, by what the processor's rule chooses.

The goal is that of bf16. The value for fp32 was set after 1.38 had been measured: it guards against a loss, no more.
"""

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(autouse=True)
def process() -> None:
    """Start as a cell's process does."""
    for name in PRELOADED:
        importlib.import_module(name)
    keep_freed_memory()


def planned_cell(out: Path) -> CellFolder:
    """A cell of ``small-cnn`` on the demo's 2,000 faces, its record written."""
    overrides = tuple(override(*each) for each in (("run.threads", 1), ("run.checkpoint_seconds", KEPT_SECONDS)))
    request = Request(
        "demo", models=("small-cnn",), seeds=(0,), epochs=CELL_EPOCHS, overrides=overrides, out=out, device="cpu"
    )
    (cell,) = Run(request, Console(file=io.StringIO())).plan().cells
    folder = Store(out, create=True).cell(cell.id)
    write_json(folder.path / "cell.json", cell.record)
    return folder


def test_a_cell_beside_a_bare_loop(benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The goal holds for the whole: data, training, val after each epoch, history, kept states, scores, metrics."""
    monkeypatch.setenv("FERBENCH_DATA", str(tmp_path / "data"))
    folder = planned_cell(tmp_path / "out")
    torch.set_num_threads(1)
    numerics = numerics_for(CPU, "auto")
    warm = BareCell(rebuild(folder.record), numerics)
    warm.epoch()

    started = time.perf_counter()
    bare = BareCell(rebuild(folder.record), numerics)
    bare_rest = time.perf_counter() - started
    turns: list[Turns] = []

    def make_watch(*arguments: Any) -> Turns:
        turns.append(Turns(bare.epoch, Keeper(*arguments)))
        return turns[0]

    monkeypatch.setattr(fitting, "Keeper", make_watch)
    started = time.perf_counter()
    code = benchmark.pedantic(run_cell, (folder.path,), rounds=1)
    cell_rest = time.perf_counter() - started - sum(turns[0].ours) - sum(turns[0].others)
    started = time.perf_counter()
    scores = bare.finish(tmp_path / "bare.pt")
    bare_rest += time.perf_counter() - started

    assert code == 0
    check_same_work(folder, bare, scores)
    in_epochs = 1 / turns[0].ratio() - 1
    bare_epochs = CELL_EPOCHS * statistics.median(turns[0].others)
    whole = (in_epochs * bare_epochs + cell_rest - bare_rest) / (bare_epochs + bare_rest)
    benchmark.extra_info.update(overhead=whole, overhead_in_epochs=in_epochs, goal=0.03)
    print(
        f"\n{benchmark.name}: {whole:+.2%} in all (goal 3%); {in_epochs:+.2%} in {CELL_EPOCHS} epochs of "
        f"{bare_epochs / CELL_EPOCHS:.2f} s, before and after them {cell_rest:.2f} s beside {bare_rest:.2f} s; "
        f"{numerics.precision}, one thread"
    )
    assert whole <= 0.03


def check_same_work(folder: CellFolder, bare: BareCell, scores: list[torch.Tensor]) -> None:
    """Both came to the same weights, bit by bit, and so to the same scores."""
    weights = read_weights(folder.path / "last.safetensors")
    assert all(torch.equal(value, weights[name]) for name, value in bare.net.state_dict().items())
    assert [float(row["val_score"]) for row in folder.history()] == bare.val_scores
    if folder.status["chosen_epoch"] == CELL_EPOCHS - 1:
        np.testing.assert_allclose(folder.predictions().scores, torch.cat(scores).numpy(), atol=0.02)


def resnet_job(pictures: np.ndarray, numerics: Numerics, watch: Turns) -> Job:
    """A training of the pictures, their classes in turn; val holds two of them."""
    recipe = Recipe(
        epochs=RESNET_TURNS + 1,
        batch_size=BATCH,
        optimizer=SGD(lr=0.01, weight_decay=5e-4),
        augmentation=(RandomCrop(size=CROP), HorizontalFlip()),
        input=Input(channels=3, normalise="unit"),
        selection="last",
    )
    targets = np.arange(len(pictures)) % CLASSES
    parts = [
        Part(ResidentFeed({"image": pictures[:count]}, targets[:count], recipe.input, CPU), targets[:count], Sample())
        for count in (len(pictures), 2)
    ]
    return Job(
        recipe=recipe,
        seed=0,
        task="single-label",
        classes=tuple("abcdefg"),
        numerics=numerics,
        preparer=Preparer(recipe.input),
        size=CROP,
        parts={("train",): parts[0]},
        val=parts[1],
        watch=watch,
    )


def test_resnet18_beside_the_way_repositories_train_it(benchmark: Any, tmp_path: Path) -> None:
    numerics = numerics_for(CPU, "auto")
    goal = RESNET_GOALS[numerics.precision]
    torch.set_num_threads(THREADS)
    pictures = faces(RESNET_IMAGES)
    net = ResNet18().to(memory_format=torch.channels_last)
    assert sum(parameter.numel() for parameter in net.parameters()) == 11_172_423
    theirs = Apart(repository_training, write_folder(pictures, tmp_path / "faces"), THREADS)
    turns = Turns(theirs.epoch)

    benchmark.pedantic(train, (net, resnet_job(pictures, numerics, turns)), rounds=1)
    theirs.close()
    torch.set_num_threads(1)

    ratio = turns.ratio(skipped=1)
    speeds = [round(RESNET_IMAGES / statistics.median(seconds[1:])) for seconds in (turns.ours, turns.others)]
    benchmark.extra_info.update(ratio=ratio, goal=goal, images_per_second=speeds)
    each = ", ".join(f"{other / own:.2f}" for other, own in zip(turns.others, turns.ours, strict=True))
    print(
        f"\n{benchmark.name}: {ratio:.2f}× (goal {goal}×, {numerics.precision}); "
        f"{speeds[0]} images/s beside {speeds[1]}; turns (the first aside): {each}"
    )
    assert ratio >= goal
