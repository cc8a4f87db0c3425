"""Splits that stream from disk: loader processes read whole batches ahead of the training."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ferbench.errors import DataError, FerbenchError, TrainingError
from ferbench.nouns.recipe import Input
from ferbench.nouns.split import Batch, Split, View
from ferbench.training.pictures import Shapes, pictures, shapes_of, target_tensor

BATCHES_AHEAD = 2
"""Batches that each loader process reads ahead."""

PARENT_SECONDS = 0.5
"""Seconds between two looks of a loader process at whether its parent still lives."""

Order = tuple[np.ndarray, View, tuple[int, ...]]
"""What a loader process is told: indices of a batch, the view, and the seed of its generator."""

Read = dict[str, Any] | DataError
"""What it returns: the fields of a :class:`Batch` as tensors, or what is wrong with the data."""


class StreamedFeed:
    """A split that is read batch by batch, by ``workers`` processes (0: by this one).

    Every batch has a random generator of its own, so that it does not depend on the number of processes. They live
    until the feed is closed, and die with the process that opened it.
    """

    def __init__(self, split: Split, settings: Input, device: torch.device, workers: int) -> None:
        self.split, self.settings, self.device = split, settings, device
        self.workers = workers
        self.orders: list[Order] = []
        self.calls = 0
        self.iterator: Iterator[Read] | None = None
        self.loader: DataLoader[Read] | None = DataLoader(
            Reader(split, settings),
            batch_size=None,
            sampler=self.orders,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=BATCHES_AHEAD if workers else None,
            worker_init_fn=die_with_parent,
            pin_memory=device.type == "cuda",
            # The loader draws a seed for its processes; it must not take it from the training's generator.
            generator=torch.Generator(),
        )

    def __len__(self) -> int:
        return len(self.split)

    def batches(self, index_batches: Sequence[np.ndarray], view: View, seed: tuple[int, ...]) -> Iterator[Batch]:
        """See :class:`ferbench.training.feed.Feed`. Only the batches of the latest call can be had."""
        self.calls += 1
        call = self.calls
        self.orders[:] = [(indices, view, (*seed, step)) for step, indices in enumerate(index_batches)]
        if self.loader is None:
            raise TrainingError("This feed has been closed.")
        with _signals_kept():
            self.iterator = iter(self.loader)
        for _ in range(len(self.orders)):
            read = self._next(call)
            inputs = {name: self._moved(value) for name, value in read["inputs"].items()}
            yield Batch(inputs, self._moved(read["target"]), self._moved(read["mask"]))

    def shapes(self) -> Shapes:
        """See :class:`ferbench.training.feed.Feed`. Reads the first sample."""
        view = View(frames=self.settings.test_frames)
        read = Reader(self.split, self.settings)[(np.zeros(1, np.int64), view, (0,))]
        if isinstance(read, DataError):
            raise read
        return shapes_of(read["inputs"])

    def close(self) -> None:
        """See :class:`ferbench.training.feed.Feed`."""
        self.loader = self.iterator = None

    def _next(self, call: int) -> dict[str, Any]:
        if self.iterator is None or call != self.calls:
            raise TrainingError("This feed was closed, or asked for other batches, while its batches were being read.")
        try:
            read = next(self.iterator)
        except (RuntimeError, OSError, EOFError) as error:
            if not (self.workers and _tells_of_death(error)):
                raise
            self.close()
            raise TrainingError(
                f"A loader process died ({error}), perhaps for lack of memory. Fewer of them need less: "
                "--set run.workers=1; with 0 the training itself reads the samples."
            ) from None
        if isinstance(read, DataError):
            raise read
        return read

    def _moved(self, value: torch.Tensor | None) -> torch.Tensor | None:
        return None if value is None else value.to(self.device, non_blocking=True)


def _tells_of_death(error: Exception) -> bool:
    """Whether reading failed because a loader process is gone, and not by an error that it reports ("Caught …")."""
    text = str(error)
    if isinstance(error, RuntimeError):
        return text.startswith("DataLoader worker")
    # Its tensors lie in memory that it hands out itself; a process that dies just then cuts the connection.
    return not text.startswith("Caught") or "in pin memory thread" in text


class Reader(Dataset[Read]):
    """Reads batches of a split: ``reader[order]``."""

    def __init__(self, split: Split, settings: Input) -> None:
        self.split, self.settings = split, settings

    def __getitem__(self, order: Order) -> Read:
        indices, view, seed = order
        try:
            batch = self.split.batch(indices, view, np.random.default_rng(seed))
        except FerbenchError as error:
            # Raised in a loader process it would arrive with a traceback before its message.
            return error if isinstance(error, DataError) else DataError(str(error))
        tensors = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in batch.inputs.items()}
        return {
            "inputs": {name: pictures(value, self.settings) for name, value in tensors.items()},
            "target": target_tensor(batch.target),
            "mask": None if batch.mask is None else torch.from_numpy(np.ascontiguousarray(batch.mask)),
        }


def die_with_parent(worker: int) -> None:
    """Let this loader process end as soon as its parent is gone, also in the middle of a batch."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Undo the loader's signal handler: it raises wherever the program is when a loader process dies.

    Without it the loader looks for dead processes every few seconds while it waits for one, which is where the fault
    can be reported.
    """
    former = signal.getsignal(signal.SIGCHLD)
    yield
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGCHLD) is not former:
        signal.signal(signal.SIGCHLD, former or signal.SIG_DFL)
