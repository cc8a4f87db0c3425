"""Trainings written by hand, to which the engine is compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from torchvision import transforms as T
from torchvision.datasets.folder import default_loader

from benchmarks.peers import folder_loader
from benchmarks.resnet import ResNet18
from ferbench.evaluating.scoring import build_network, make_preparer
from ferbench.evaluating.setup import Setup
from ferbench.nouns.split import View
from ferbench.training.feed import Feed, open_feed
from ferbench.training.precision import Numerics

TEST_BATCH = 256
CROP = 44


class BareCell:
    """The training of a ``small-cnn`` cell as a script would do it, with ferbench's data path and nothing else of it.

    Network, samples, their order, augmentation and learning rates are those of the cell, so that both must come to the
    same weights, bit by bit. No history, no best weights, no files but the last weights.
    """

    def __init__(self, setup: Setup, numerics: Numerics) -> None:
        recipe, self.seed = setup.recipe, int(setup.record["seed"])
        self.numerics, self.recipe, self.epochs = numerics, recipe, recipe.epochs
        self.net, _ = build_network(setup, numerics.device)
        self.preparer = make_preparer(setup)
        splits = setup.splits
        self.train, self.val, self.test = (
            open_feed(split, recipe.input, numerics.device, 0) for split in (splits.train, splits.val, splits.test)
        )
        self.val_targets = torch.from_numpy(np.asarray(splits.val.targets))
        self.optimizer = torch.optim.SGD(self.net.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
        self.done = 0
        self.val_scores: list[float] = []

    def epoch(self) -> None:
        """Train an epoch, and judge it on val."""
        rng = np.random.default_rng((self.seed, 1, self.done))
        augmenting = np.random.default_rng((self.seed, 3, self.done))
        order, size = rng.permutation(len(self.train)), self.recipe.batch_size
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        self.net.train()
        for step, raw in enumerate(self.train.batches(batches, View(training=True), (0,))):
            batch = self.preparer.train(raw, self.recipe.augmentation, augmenting)
            for group in self.optimizer.param_groups:
                group["lr"] = self._rate((self.done * len(batches) + step) / (self.epochs * len(batches)))
            self.optimizer.zero_grad()
            with self.numerics.autocast():
                scores = self.net(batch.inputs["image"])
                losses = F.cross_entropy(scores.float(), batch.target, label_smoothing=0.05, reduction="none")
                loss = losses.mean()
            loss.backward()
            self.optimizer.step()
        right = self.scores(self.val).argmax(dim=1) == self.val_targets
        self.val_scores.append(float(right.double().mean()))
        self.done += 1

    def finish(self, path: Path) -> list[torch.Tensor]:
        """Save the weights; return the scores of val and test, each sample and its mirror image seen."""
        torch.save(self.net.state_dict(), path)
        return [self.scores(feed, mirrored=True) for feed in (self.val, self.test)]

    def scores(self, feed: Feed, mirrored: bool = False) -> torch.Tensor:
        """Probabilities [n, k]."""
        size = TEST_BATCH // 2 if mirrored else TEST_BATCH
        rows = np.arange(len(feed))
        batches = [rows[start : start + size] for start in range(0, len(feed), size)]
        self.net.eval()
        parts = []
        with torch.inference_mode(), self.numerics.autocast():
            for raw in feed.batches(batches, View(), (0,)):
                x = self.preparer.test(raw).inputs["image"]
                seen = torch.cat([x, x.flip(3)]) if mirrored else x
                views = self.net(seen).float().softmax(1).view(2 if mirrored else 1, len(x), -1)
                parts.append(views.mean(0))
        return torch.cat(parts)

    def _rate(self, progress: float) -> float:
        if progress < 0.25:
            return 0.1 * (0.05 + 0.95 * progress / 0.25)
        return 0.1 * (1 - progress) / 0.75


def repository_training(folder: Path, threads: int) -> Callable[[], None]:
    """An epoch of ResNet18 as FER repositories train it.

    ``ImageFolder``, colour, torchvision's transforms on PIL pictures, one loader process, float32, the layout that
    tensors have, and no setting of the process but ``threads``.
    """
    torch.set_num_threads(threads)
    transform = T.Compose([T.RandomCrop(CROP), T.RandomHorizontalFlip(), T.ToTensor()])
    loader = folder_loader(folder, transform, 1, default_loader)
    net = ResNet18()
    optimizer = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, weight_decay=5e-4)

    def epoch() -> None:
        net.train()
        for x, target in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), target)
            loss.backward()
            optimizer.step()

    return epoch
