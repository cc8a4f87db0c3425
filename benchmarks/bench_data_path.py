"""The data path beside that of most FER repositories, and its share of an epoch; one thread, batches of 128.

    FERBENCH_TEST_DATA=… python -m pytest benchmarks/bench_data_path.py -o addopts= --benchmark-only -s

Contenders take turns within one run, so that other load on the machine meets all of them. Times are medians over the
turns; a ratio is the median over the turns of each turn's ratio to the fastest peer of that turn. Each operation of
augmentation by itself is compared with a peer of one process; the table of them is printed at the end.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import transforms as T

from benchmarks.peers import (
    BATCH,
    CLASSES,
    HEAVY,
    LIGHT,
    CutOut,
    PlainCNN,
    StackedCrops,
    faces,
    folder_loader,
    one_by_one,
    write_folder,
)
from ferbench import (
    Affine,
    AutoAugment,
    AutoContrast,
    ColorJitter,
    Cutout,
    Equalize,
    GaussianBlur,
    HorizontalFlip,
    Input,
    MultiCrop,
    PadCrop,
    Perspective,
    Posterize,
    RandAugment,
    RandomCrop,
    RandomErasing,
    ResizedCrop,
    Sharpness,
    Solarize,
    TenCrop,
    VerticalFlip,
)
from ferbench.nouns.augmentation import Augmentation
from ferbench.nouns.emotions import LabelKind
from ferbench.nouns.split import Batch, View
from ferbench.training.feed import Feed, open_feed
from ferbench.training.memory import keep_freed_memory
from ferbench.training.precision import numerics_for
from ferbench.training.prepare import Preparer
from ferbench.training.views import expand_views

COUNT = 20 * BATCH
FEW = 4 * BATCH
TURNS = 9
CPU = torch.device("cpu")
SETTINGS = Input(normalise="signed")
OURS_LIGHT: tuple[Augmentation, ...] = (PadCrop(padding=4), HorizontalFlip())
OURS_HEAVY: tuple[Augmentation, ...] = (
    Affine(degrees=15, translate=0.1, scale=(0.9, 1.1)),
    RandomCrop(size=40),
    HorizontalFlip(),
    RandomErasing(),
)

TURN = T.RandomAffine(15, (0.1, 0.1), (0.9, 1.1), (-5, 5, -5, 5), T.InterpolationMode.BILINEAR)
TURNED = Affine(degrees=15, translate=0.1, scale=(0.9, 1.1), shear=(5, 5))

OPERATIONS: dict[str, tuple[Augmentation, Any]] = {
    "pad-crop": (PadCrop(), one_by_one(T.RandomCrop(48, 4))),
    "pad-crop, edge": (PadCrop(border="edge"), one_by_one(T.RandomCrop(48, 4, padding_mode="edge"))),
    "pad-crop, reflect": (PadCrop(border="reflect"), one_by_one(T.RandomCrop(48, 4, padding_mode="reflect"))),
    "pad-crop, symmetric": (PadCrop(border="symmetric"), one_by_one(T.RandomCrop(48, 4, padding_mode="symmetric"))),
    "random-crop": (RandomCrop(size=40), one_by_one(T.RandomCrop(40))),
    "resized-crop": (ResizedCrop(size=48), one_by_one(T.RandomResizedCrop(48))),
    "resized-crop, nearest": (
        ResizedCrop(size=48, interpolation="nearest"),
        one_by_one(T.RandomResizedCrop(48, interpolation=T.InterpolationMode.NEAREST)),
    ),
    "multi-crop, 5": (MultiCrop(size=40, count=5), StackedCrops(5)),
    "multi-crop, 10": (MultiCrop(size=40), StackedCrops()),
    "horizontal-flip": (HorizontalFlip(), one_by_one(T.RandomHorizontalFlip())),
    "vertical-flip": (VerticalFlip(), one_by_one(T.RandomVerticalFlip())),
    "affine": (TURNED, one_by_one(TURN)),
    # PIL warps with a constant border alone.
    "affine, edge": (TURNED.model_copy(update={"border": "edge"}), one_by_one(TURN)),
    "affine, reflect": (TURNED.model_copy(update={"border": "reflect"}), one_by_one(TURN)),
    "affine, symmetric": (TURNED.model_copy(update={"border": "symmetric"}), one_by_one(TURN)),
    "perspective": (Perspective(p=1.0), one_by_one(T.RandomPerspective(p=1.0))),
    "random-erasing": (RandomErasing(), one_by_one(after=T.RandomErasing())),
    "random-erasing, noise": (RandomErasing(value="random"), one_by_one(after=T.RandomErasing(value="random"))),
    "cutout": (Cutout(size=16), one_by_one(after=CutOut(16))),
    "color-jitter": (ColorJitter(brightness=0.4, contrast=0.4), one_by_one(T.ColorJitter(0.4, 0.4))),
    "solarize": (Solarize(p=1.0), one_by_one(T.RandomSolarize(128, 1.0))),
    "posterize": (Posterize(p=1.0), one_by_one(T.RandomPosterize(4, 1.0))),
    "equalize": (Equalize(p=1.0), one_by_one(T.RandomEqualize(1.0))),
    "auto-contrast": (AutoContrast(p=1.0), one_by_one(T.RandomAutocontrast(1.0))),
    "sharpness": (Sharpness(p=1.0), one_by_one(T.RandomAdjustSharpness(2.0, 1.0))),
    "gaussian-blur": (GaussianBlur(p=1.0), one_by_one(T.GaussianBlur(3))),
    "rand-augment": (RandAugment(), one_by_one(T.RandAugment())),
    "auto-augment": (AutoAugment(), one_by_one(T.AutoAugment())),
}
"""Each operation, and the same of the peers."""

OPERATION_GOAL = 3


@dataclass(frozen=True)
class Faces:
    """A split in memory."""

    values: np.ndarray
    classes: tuple[str, ...] = tuple("abcdefg")
    label_kind: LabelKind = "hard"
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def ids(self) -> np.ndarray:
        """Numbers."""
        return np.arange(len(self)).astype(str)

    @property
    def hashes(self) -> np.ndarray:
        """All pictures differ."""
        return np.arange(len(self)).astype(np.uint64)

    @property
    def targets(self) -> np.ndarray:
        """Classes in turn."""
        return np.arange(len(self)) % CLASSES

    @property
    def arrays(self) -> Mapping[str, np.ndarray]:
        """The pictures."""
        return {"image": self.values}

    def take(self, indices: np.ndarray) -> Faces:
        """Some of them."""
        return Faces(self.values[indices])

    def batch(self, indices: np.ndarray, view: View, rng: np.random.Generator) -> Batch:
        """Some of them, as a batch."""
        return Batch({"image": self.values[indices]}, self.targets[indices])


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    torch.set_num_threads(1)
    keep_freed_memory()
    return faces(COUNT)


@pytest.fixture(scope="module")
def feed(pictures: np.ndarray) -> Feed:
    return open_feed(Faces(pictures), SETTINGS, CPU, 0)


@pytest.fixture(scope="module")
def folder(pictures: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(pictures, tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="module")
def few(pictures: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> tuple[Feed, Path]:
    """Fewer pictures, as many operations are measured: our feed of them, and the peers' folder."""
    folder = write_folder(pictures[:FEW], tmp_path_factory.mktemp("few"))
    return open_feed(Faces(pictures[:FEW]), SETTINGS, CPU, 0), folder


def epoch(feed: Feed, rng: np.random.Generator) -> Iterator[Batch]:
    return feed.batches(np.split(rng.permutation(len(feed)), len(feed) // BATCH), View(training=True), (0,))


def train_path(feed: Feed, augmentation: tuple[Augmentation, ...]) -> Callable[[], None]:
    preparer, rng = Preparer(SETTINGS), np.random.default_rng(0)

    def run() -> None:
        for batch in epoch(feed, rng):
            preparer.train(batch, augmentation, rng)

    return run


def ten_crop_path(feed: Feed) -> Callable[[], None]:
    preparer, rng = Preparer(SETTINGS), np.random.default_rng(0)

    def run() -> None:
        for batch in epoch(feed, rng):
            expand_views(preparer.test(batch).inputs["image"], TenCrop(size=40))

    return run


def peer_path(folder: Path, transform: Callable[[Any], Any], workers: int) -> Callable[[], None]:
    loader = folder_loader(folder, transform, workers)

    def run() -> None:
        for _ in loader:
            pass

    return run


def compare(
    benchmark: Any,
    ours: Callable[[], None],
    folder: Path,
    transform: Callable[[Any], Any],
    goal: float,
    workers: tuple[int, ...] = (0, 2),
    count: int = COUNT,
) -> None:
    """Let ours and the peers take turns; record and print the ratio to the fastest peer, and hold it to the goal."""
    contenders = {"ferbench": ours, **{f"{n} workers": peer_path(folder, transform, n) for n in workers}}
    for run in contenders.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(TURNS):
        for name, run in contenders.items():
            # One epoch of ours takes milliseconds: several of them meet as much of the other load as one of a peer's.
            times = 5 if name == "ferbench" else 1
            started = time.perf_counter()
            for _ in range(times):
                run()
            seconds[name].append((time.perf_counter() - started) / times)
    ours_seconds, *peers = seconds.values()
    ratio = statistics.median(min(each) / own for own, *each in zip(ours_seconds, *peers, strict=True))
    speeds = {name: round(count / statistics.median(values)) for name, values in seconds.items()}
    benchmark.extra_info.update(ratio=ratio, goal=goal, images_per_second=speeds)
    print(f"\n{benchmark.name}: {ratio:.1f}× the fastest peer (goal {goal:g}×); images/s {speeds}")
    benchmark.pedantic(ours, rounds=5, warmup_rounds=1)
    assert ratio >= goal


def test_crop_and_flip(benchmark: Any, feed: Feed, folder: Path) -> None:
    compare(benchmark, train_path(feed, OURS_LIGHT), folder, LIGHT, 25)


def test_affine_crop_and_erasing(benchmark: Any, feed: Feed, folder: Path) -> None:
    compare(benchmark, train_path(feed, OURS_HEAVY), folder, HEAVY, 6)


def test_ten_crop(benchmark: Any, feed: Feed, folder: Path) -> None:
    compare(benchmark, ten_crop_path(feed), folder, StackedCrops(), 15)


@pytest.fixture(scope="module")
def table() -> Iterator[list[str]]:
    rows = ["| operation | ratio | ferbench, pictures/s | peer, pictures/s |", "|---|--:|--:|--:|"]
    yield rows
    print("\n\n" + "\n".join(rows))


@pytest.mark.parametrize("name", list(OPERATIONS))
def test_operation(benchmark: Any, few: tuple[Feed, Path], table: list[str], name: str) -> None:
    (operation, transform), (feed, folder) = OPERATIONS[name], few
    try:
        compare(benchmark, train_path(feed, (operation,)), folder, transform, OPERATION_GOAL, workers=(0,), count=FEW)
    finally:
        measured = benchmark.extra_info
        if measured:
            speeds = " | ".join(f"{speed:,}" for speed in measured["images_per_second"].values())
            table.append(f"| {name} | {measured['ratio']:.1f}× | {speeds} |")


@pytest.mark.parametrize(("width", "goal"), [(8, 0.05), (32, 0.015)])
def test_share_of_an_epoch(benchmark: Any, feed: Feed, width: int, goal: float) -> None:
    numerics = numerics_for(CPU, "auto")
    net = PlainCNN(width).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, nesterov=True)
    preparer, rng = Preparer(SETTINGS), np.random.default_rng(0)
    shares: list[float] = []

    def run() -> None:
        in_data, started = 0.0, time.perf_counter()
        batches = epoch(feed, rng)
        for _ in range(COUNT // BATCH):
            before = time.perf_counter()
            batch = preparer.train(next(batches), OURS_LIGHT, rng)
            in_data += time.perf_counter() - before
            optimizer.zero_grad()
            with numerics.autocast():
                loss = nn.functional.cross_entropy(net(batch.inputs["image"]), batch.target)
            loss.backward()
            optimizer.step()
        shares.append(in_data / (time.perf_counter() - started))

    benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    share = statistics.median(shares[1:])
    benchmark.extra_info.update(share=share, goal=goal)
    print(f"\n{benchmark.name}: {share:.2%} of an epoch (goal {goal:.1%}); {numerics.precision}, width {width}")
    assert share <= goal
