"""What ferbench is compared with: the data path of most FER repositories, and plain networks of known size.

The path is torchvision's ``ImageFolder`` over JPEG files, its transforms on PIL pictures one by one, and a
``DataLoader``. Files are opened as grey pictures, without the detour over colour that most of them take.
"""

from __future__ import annotations

import csv
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms as T
from torchvision.datasets import ImageFolder

BATCH = 128
SIDE = 48
CLASSES = 7
MEAN_STD = ((0.5,), (0.5,))

LIGHT = T.Compose([T.RandomCrop(SIDE, padding=4), T.RandomHorizontalFlip(), T.ToTensor(), T.Normalize(*MEAN_STD)])
"""Pad-crop and flip."""

HEAVY = T.Compose(
    [
        T.RandomAffine(15, translate=(0.1, 0.1), scale=(0.9, 1.1), interpolation=T.InterpolationMode.BILINEAR),
        T.RandomCrop(40),
        T.RandomHorizontalFlip(),
        T.ToTensor(),
        T.Normalize(*MEAN_STD),
        T.RandomErasing(),
    ]
)
"""Affine, crop, flip and random erasing."""


class StackedCrops:
    """The five or ten crops of a picture as one tensor [count, 1, 40, 40]."""

    def __init__(self, count: int = 10) -> None:
        self.crops = T.FiveCrop(40) if count == 5 else T.TenCrop(40)
        self.each = T.Compose([T.ToTensor(), T.Normalize(*MEAN_STD)])

    def __call__(self, picture: Image.Image) -> torch.Tensor:
        """Crop and normalise."""
        return torch.stack([self.each(crop) for crop in self.crops(picture)])


class CutOut:
    """A square of a normalised picture [1, h, w] set to zero, as DeVries and Taylor's code does it."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, picture: torch.Tensor) -> torch.Tensor:
        """Cut out."""
        height, width = picture.shape[1:]
        mask = np.ones((height, width), np.float32)
        y, x, half = np.random.randint(height), np.random.randint(width), self.size // 2
        mask[max(y - half, 0) : min(y + half, height), max(x - half, 0) : min(x + half, width)] = 0
        return picture * torch.from_numpy(mask).expand_as(picture)


def one_by_one(*before: Callable[[Any], Any], after: Callable[[Any], Any] | None = None) -> Any:
    """Operations on a PIL picture, then normalisation, then perhaps an operation on the tensor."""
    return T.Compose([*before, T.ToTensor(), T.Normalize(*MEAN_STD), *([after] if after else [])])


def faces(count: int) -> np.ndarray:
    """Pictures uint8 [count, 48, 48]: the first of FER2013 where FERBENCH_TEST_DATA has it, else smooth noise."""
    archive = Path(os.environ.get("FERBENCH_TEST_DATA", "")) / "fer2013" / "fer2013.tar.gz"
    if archive.is_file():
        with tarfile.open(archive, "r:gz") as tar:
            table = next(tar.extractfile(member) for member in tar if member.name.endswith("fer2013.csv"))
            assert table is not None
            rows = csv.DictReader(io.TextIOWrapper(table, "ascii"))
            pixels = [np.array(row["pixels"].split(), np.uint8) for _, row in zip(range(count), rows, strict=False)]
        return np.stack(pixels).reshape(count, SIDE, SIDE)
    coarse = torch.rand(count, 1, 12, 12, generator=torch.Generator().manual_seed(0)) * 255
    return nn.functional.interpolate(coarse, (SIDE, SIDE), mode="bicubic").clamp_(0, 255).byte()[:, 0].numpy()


def write_folder(pictures: np.ndarray, folder: Path) -> Path:
    """Write pictures as JPEG files into one folder a class, in turn."""
    for number in range(CLASSES):
        (folder / str(number)).mkdir(parents=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / str(number % CLASSES) / f"{number:06d}.jpg", quality=95)
    return folder


def open_grey(path: str) -> Image.Image:
    """Decode a file, as grey."""
    with Image.open(path) as picture:
        return picture.convert("L")


def folder_loader(
    folder: Path, transform: Callable[[Any], Any], workers: int, opened: Callable[[str], Any] = open_grey
) -> DataLoader[Any]:
    """The peers' loader; its processes stay, so that their start is not counted."""
    return DataLoader(
        ImageFolder(str(folder), transform, loader=opened),
        batch_size=BATCH,
        shuffle=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )


class PlainCNN(nn.Module):
    """Eight 3 × 3 convolutions of ``width`` × (1, 1, 2, 2, 4, 4, 8, 8) channels, pooled after each second one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(*_layers(width))
        self.head = nn.Linear(8 * width, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits [n, 7] of pictures [n, 1, h, w]."""
        logits: torch.Tensor = self.head(self.features(x).mean(dim=(2, 3)))
        return logits


def _layers(width: int) -> Iterator[nn.Module]:
    before = 1
    for number, factor in enumerate((1, 1, 2, 2, 4, 4, 8, 8)):
        yield nn.Conv2d(before, factor * width, 3, padding=1, bias=False)
        yield nn.BatchNorm2d(factor * width)
        yield nn.ReLU(inplace=True)
        before = factor * width
        if number in (1, 3, 5):
            yield nn.MaxPool2d(2)
