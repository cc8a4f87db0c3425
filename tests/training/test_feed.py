"""Raw batches from splits in memory and from splits that stream."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as F

from ferbench import DataError, Input, TrainingError
from ferbench.nouns.emotions import LabelKind
from ferbench.nouns.split import Batch, View
from ferbench.training import feed as feed_module
from ferbench.training.feed import Feed, open_feed

CPU = torch.device("cpu")
BATCHES = [np.array([3, 1, 3]), np.array([0]), np.array([5, 4, 2, 6])]
TRAINING = View(frames=2, training=True)

Act = Callable[[np.ndarray], None]


@dataclass(frozen=True)
class Faces:
    """A split in memory; with ``streams`` one that reads each batch, noisily, and tells which process read it."""

    inputs: Mapping[str, np.ndarray]
    targets: np.ndarray
    streams: bool = False
    act: Act | None = None
    classes: tuple[str, ...] = ("a", "b")
    label_kind: LabelKind = "hard"
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def ids(self) -> np.ndarray:
        return np.arange(len(self)).astype(str)

    @property
    def hashes(self) -> np.ndarray:
        return np.arange(len(self)).astype(np.uint64)

    @property
    def arrays(self) -> Mapping[str, np.ndarray] | None:
        return None if self.streams else self.inputs

    def take(self, indices: np.ndarray) -> Faces:
        inputs = {name: values[indices] for name, values in self.inputs.items()}
        return replace(self, inputs=inputs, targets=self.targets[indices])

    def batch(self, indices: np.ndarray, view: View, rng: np.random.Generator) -> Batch:
        if self.act:
            self.act(indices)
        inputs = {name: values[indices] for name, values in self.inputs.items()}
        inputs["noise"] = rng.normal(size=(len(indices), view.frames or 1))
        inputs["reader"] = np.full(len(indices), os.getpid())
        return Batch(inputs, self.targets[indices], mask=np.ones((len(indices), 2), bool))


def faces(*shape: int, streams: bool = False, act: Act | None = None) -> Faces:
    values = np.random.default_rng(0).integers(0, 256, (7, *(shape or (10, 12))), np.uint8)
    return Faces({"image": values}, np.arange(7) % 2, streams, act)


def read(feed: Feed, seed: tuple[int, ...] = (1, 2)) -> list[Batch]:
    return list(feed.batches(BATCHES, TRAINING, seed))


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("shape", [(10, 12), (10, 12, 1), (10, 12, 3)])
def test_batches_hold_the_samples_asked_for_as_bytes_channels_first(shape: tuple[int, ...], streams: bool) -> None:
    split = faces(*shape, streams=streams)
    feed = open_feed(split, Input(), CPU, 0)
    assert len(feed) == 7 and feed.shapes().picture == ((*shape, 1)[2], 10, 12)
    for indices, batch in zip(BATCHES, read(feed), strict=True):
        expected = split.inputs["image"][indices].reshape(len(indices), 10, 12, -1).transpose(0, 3, 1, 2)
        assert batch.inputs["image"].dtype == torch.uint8
        np.testing.assert_array_equal(batch.inputs["image"].numpy(), expected)
        np.testing.assert_array_equal(batch.target.numpy(), split.targets[indices])
        assert batch.target.dtype == torch.int64 and batch.weight is None


def test_soft_targets_and_inputs_that_are_no_pictures_keep_their_form() -> None:
    signal_values = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)
    split = Faces({"signal": signal_values}, np.random.default_rng(0).random((7, 3)))
    feed = open_feed(split, Input(size=8), CPU, 0)
    batch = read(feed)[0]
    np.testing.assert_array_equal(batch.inputs["signal"].numpy(), signal_values[BATCHES[0]])
    assert batch.target.dtype == torch.float32 and batch.target.shape == (3, 3)
    with pytest.raises(TrainingError, match=r"signal.* is a picture"):
        _ = feed.shapes().picture


def test_a_mapped_file_is_read_where_it_lies(tmp_path: Path) -> None:
    np.save(tmp_path / "faces.npy", faces().inputs["image"])
    mapped = np.load(tmp_path / "faces.npy", mmap_mode="r")
    feed = open_feed(replace(faces(), inputs={"image": mapped}), Input(), CPU, 0)
    kept = feed.inputs["image"]  # type: ignore[attr-defined]
    assert np.shares_memory(kept, mapped)
    np.testing.assert_array_equal(read(feed)[2].inputs["image"][:, 0].numpy(), mapped[BATCHES[2]])


@pytest.mark.parametrize("shape", [(10, 12), (10, 12, 3)])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic"])
def test_pictures_are_resized_once_or_batch_by_batch_with_the_same_result(
    shape: tuple[int, ...], interpolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Input.model_validate({"size": 9, "interpolation": interpolation})
    monkeypatch.setattr(feed_module, "RESIZED_AT_ONCE", 3)
    once = open_feed(faces(*shape), settings, CPU, 0)
    monkeypatch.setattr(feed_module, "RESIZED_BYTES", 100)
    each_time = open_feed(faces(*shape), settings, CPU, 0)
    streamed = open_feed(faces(*shape, streams=True), settings, CPU, 0)
    assert once.inputs["image"].shape[1] == 9 and each_time.inputs["image"].shape[1] == 10  # type: ignore[attr-defined]
    raw = read(open_feed(faces(*shape), Input(), CPU, 0))
    mode = F.InterpolationMode(interpolation)
    for batches in zip(raw, read(once), read(each_time), read(streamed), strict=True):
        plain, *resized = (batch.inputs["image"] for batch in batches)
        expected = F.resize(plain, [9, 9], interpolation=mode, antialias=True)
        assert all(torch.equal(pictures, expected) for pictures in resized)
    assert once.shapes().picture == each_time.shapes().picture == streamed.shapes().picture
    assert once.shapes().picture == ((*shape, 1)[2], 9, 9)


def test_streamed_batches_do_not_depend_on_the_number_of_workers() -> None:
    split = faces(streams=True)
    seen = []
    for workers in (0, 1, 2):
        feed = open_feed(split, Input(), CPU, workers)
        first, again, other = read(feed), read(feed), read(feed, (1, 3))
        readers = {int(batch.inputs["reader"][0]) for batch in first}
        assert (readers == {os.getpid()}) == (workers == 0)
        for one, two, three in zip(first, again, other, strict=True):
            assert torch.equal(one.inputs["noise"], two.inputs["noise"])
            assert not torch.equal(one.inputs["noise"], three.inputs["noise"])
            assert one.inputs["noise"].shape[1] == 2 and one.mask.dtype == torch.bool
        seen.append([(b.inputs["image"], b.inputs["noise"], b.target) for b in first])
        feed.close()
    for batches in zip(*seen, strict=True):
        assert all(torch.equal(x, y) for batch in batches for x, y in zip(batch, batches[0], strict=True))


def test_reading_takes_nothing_from_the_trainings_random_numbers() -> None:
    before = torch.random.get_rng_state()
    feed = open_feed(faces(streams=True), Input(), CPU, 1)
    read(feed)
    feed.close()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_an_epoch_that_was_broken_off_does_not_spoil_the_next() -> None:
    feed = open_feed(faces(streams=True), Input(), CPU, 2)
    broken_off = feed.batches(BATCHES, TRAINING, (1, 2))
    next(broken_off)
    whole = read(feed)
    assert [len(batch.target) for batch in whole] == [3, 1, 4]
    with pytest.raises(TrainingError, match="other batches"):
        next(broken_off)
    feed.close()


def test_closing_ends_the_loader_processes() -> None:
    feed = open_feed(faces(streams=True), Input(), CPU, 1)
    batches = feed.batches(BATCHES, TRAINING, (1, 2))
    worker = int(next(batches).inputs["reader"][0])
    feed.close()
    wait_until(lambda: gone(worker))
    with pytest.raises(TrainingError, match="closed"):
        next(batches)
    with pytest.raises(TrainingError, match="closed"):
        read(feed)


def die_at_the_last_batch(indices: np.ndarray) -> None:
    if len(indices) == 4:
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_loader_process_that_is_killed_ends_the_training_with_a_cause() -> None:
    feed = open_feed(faces(streams=True, act=die_at_the_last_batch), Input(), CPU, 1)
    with pytest.raises(TrainingError, match=r"loader process died.*run\.workers"):
        read(feed)


def refuse(indices: np.ndarray) -> None:
    raise DataError("clip_7.mp4 cannot be decoded")


@pytest.mark.parametrize("workers", [0, 1])
def test_data_that_cannot_be_read_are_named_without_a_traceback(workers: int) -> None:
    feed = open_feed(faces(streams=True, act=refuse), Input(), CPU, workers)
    with pytest.raises(DataError) as caught:
        read(feed)
    assert str(caught.value) == "clip_7.mp4 cannot be decoded"
    with pytest.raises(DataError, match="clip_7"):
        feed.shapes()
    feed.close()


def miss(indices: np.ndarray) -> None:
    raise FileNotFoundError("clip_7.mp4")


@pytest.mark.parametrize("workers", [0, 1])
def test_a_fault_of_the_split_itself_is_not_taken_for_a_dead_process(workers: int) -> None:
    feed = open_feed(faces(streams=True, act=miss), Input(), CPU, workers)
    with pytest.raises(FileNotFoundError, match=r"clip_7\.mp4"):
        read(feed)
    feed.close()


def dawdle(indices: np.ndarray) -> None:
    if len(indices) == 4:
        time.sleep(600)


def tell_and_wait(pipe: Connection) -> None:
    feed = open_feed(faces(streams=True, act=dawdle), Input(), CPU, 2)
    batches = feed.batches(BATCHES, TRAINING, (1, 2))
    pipe.send([int(next(batches).inputs["reader"][0]) for _ in range(2)])
    next(batches)


def test_loader_processes_die_with_the_process_that_opened_them() -> None:
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    child = context.Process(target=tell_and_wait, args=(theirs,))
    child.start()
    assert ours.poll(60)
    workers = ours.recv()
    assert len(set(workers)) == 2 and not any(gone(pid) for pid in workers)
    assert child.pid
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    wait_until(lambda: all(gone(pid) for pid in workers))


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
