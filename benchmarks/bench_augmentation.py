"""Augmentation of colours and learnt policies beside torchvision's; one thread, batches of 128, 48 pixels.

    python -m pytest benchmarks/bench_augmentation.py -o addopts= --benchmark-only -s

torchvision changes one picture after the other, as each needs random parameters of its own. Both take turns; a ratio
is the median over the turns of each turn's ratio.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from ferbench import (
    AutoAugment,
    AutoContrast,
    ColorJitter,
    Equalize,
    GaussianBlur,
    Posterize,
    RandAugment,
    Sharpness,
    Solarize,
)
from ferbench.nouns.augmentation import Augmentation
from ferbench.training.augment import apply, draw

BATCH, SIDE = 128, 48
TURNS = 15
GOAL = 3.0

PEERS: tuple[tuple[Augmentation, Callable[[torch.Tensor], torch.Tensor]], ...] = (
    (ColorJitter(brightness=0.4, contrast=0.4), v2.ColorJitter(0.4, 0.4)),
    (ColorJitter(brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1), v2.ColorJitter(0.4, 0.4, 0.4, 0.1)),
    (Solarize(p=1.0), v2.RandomSolarize(128, p=1.0)),
    (Posterize(p=1.0), v2.RandomPosterize(4, p=1.0)),
    (Equalize(p=1.0), v2.RandomEqualize(p=1.0)),
    (AutoContrast(p=1.0), v2.RandomAutocontrast(p=1.0)),
    (Sharpness(p=1.0), v2.RandomAdjustSharpness(2.0, p=1.0)),
    (GaussianBlur(kernel=3, p=1.0), v2.GaussianBlur(3)),
    (GaussianBlur(kernel=11, p=1.0), v2.GaussianBlur(11)),
    (RandAugment(), v2.RandAugment(fill=0)),
    (AutoAugment(), v2.AutoAugment(fill=0)),
)


def compare(benchmark: Any, ours: Callable[[], object], theirs: Callable[[], object]) -> float:
    """Let both take turns; record and print the median ratio, and return it."""
    seconds: dict[str, list[float]] = {"ferbench": [], "torchvision": []}
    for turn in range(TURNS + 2):
        for (name, times), run in zip({"ferbench": 10, "torchvision": 1}.items(), (ours, theirs), strict=True):
            started = time.perf_counter()
            for _ in range(times):
                run()
            if turn >= 2:
                seconds[name].append((time.perf_counter() - started) / times)
    ratio: float = statistics.median(their / own for own, their in zip(*seconds.values(), strict=True))
    shown = {name: round(1000 * statistics.median(values), 2) for name, values in seconds.items()}
    benchmark.extra_info.update(ratio=ratio, milliseconds=shown)
    print(f"\n{benchmark.name}: {ratio:.1f}× torchvision; ms a batch {shown}")
    benchmark.pedantic(ours, rounds=5, warmup_rounds=1)
    return ratio


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("op", "peer"), PEERS, ids=[op.name for op, _ in PEERS])
def test_one_operation(
    benchmark: Any, op: Augmentation, peer: Callable[[torch.Tensor], torch.Tensor], channels: int
) -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.integers(0, 256, (BATCH, channels, SIDE, SIDE), np.uint8))
    ratio = compare(
        benchmark,
        lambda: apply(op, x, draw(op, BATCH, SIDE, SIDE, rng)),
        lambda: torch.stack([peer(picture) for picture in x]),
    )
    assert ratio >= GOAL
