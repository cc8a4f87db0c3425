"""Files that cannot be read are counted, kept in the registry, and borne as far as a suite says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ferbench import DataError, Dataset, Parsed, PluginError, ReadContext, Samples, Suite, View
from ferbench.auditing.pictures import pictures_of
from ferbench.data.attributes import mean_brightness
from ferbench.data.registry import add, load
from ferbench.data.splits import make_splits
from ferbench.data.status import status
from ferbench.data.stored import Loaded
from ferbench.running.corrupted import check_corrupted

from .conftest import COUNT, read_toys, toy_dataset, toy_samples

FAULTS = tuple(f"{i}.jpg: the file is empty" for i in range(4))


def corrupted(*faults: str) -> Callable[[Path | None, ReadContext], Parsed]:
    return lambda path, context: replace(read_toys(path, context), corrupted=faults)


def damaged(toys: Dataset, toys_file: Path) -> Loaded:
    add(replace(toys, read=corrupted(*FAULTS)), toys_file)
    return load(toys)


def test_corrupted_files_are_kept_with_their_reasons(toys: Dataset, toys_file: Path) -> None:
    added = add(replace(toys, read=corrupted(*FAULTS)), toys_file)
    assert added.corrupted == FAULTS
    assert load(toys).corrupted == FAULTS
    meta = status(toys).meta
    assert meta is not None and meta.corrupted == FAULTS
    assert add(toys, toys_file).corrupted == FAULTS  # the same again, which reads nothing


def test_a_copy_that_was_registered_before_they_were_counted_is_still_read(loaded: Loaded, data_folder: Path) -> None:
    import json

    (meta,) = data_folder.rglob("meta.json")
    plain = json.loads(meta.read_text())
    assert plain.pop("corrupted") == []
    meta.write_text(json.dumps(plain))
    assert load(loaded.dataset).corrupted == ()


def test_every_row_notes_how_many_were_left_out(toys: Dataset, toys_file: Path, loaded: Loaded) -> None:
    assert make_splits(loaded, loaded.dataset.protocols[0]).notes == ()
    toys_file.write_text("toys, other", encoding="utf-8")
    found = damaged(toys, toys_file)
    assert make_splits(found, found.dataset.protocols[0]).notes == ("4 corrupted files of the copy left out",)


@pytest.mark.parametrize("allowed", [4, 5, 0.0626])
def test_a_suite_bears_as_many_as_it_says(toys: Dataset, toys_file: Path, allowed: float) -> None:
    check_corrupted(damaged(toys, toys_file), allowed)  # 4 of 64 are 6.25 %


@pytest.mark.parametrize(("allowed", "told"), [(0, "none"), (3, "3"), (0.0624, "6.240% of them")])
def test_more_are_an_error_with_the_head_of_the_list_and_the_mend(
    toys: Dataset, toys_file: Path, allowed: float, told: str
) -> None:
    with pytest.raises(DataError) as error:
        check_corrupted(damaged(toys, toys_file), allowed)
    message = str(error.value)
    assert f"4 of the {COUNT + 4} files of toys are corrupted, and the suite allows {told}: 0.jpg: the file" in message
    assert "; and 1 more" in message and "allow_corrupted = 4" in message


@pytest.mark.parametrize("wrong", [-1, 1.5, "many"])
def test_a_suite_allows_a_number_or_a_share(wrong: object) -> None:
    with pytest.raises(ValueError, match="allow_corrupted"):
        Suite.model_validate({"name": "s", "datasets": ["toys"], "models": ["majority"], "allow_corrupted": wrong})


def boxed(boxes: np.ndarray) -> Dataset:
    """Six samples that are parts of one file, which holds the numbers 0 to 99 as 10×10 pixels."""

    def read(path: Path | None, _: ReadContext) -> Parsed:
        samples, _pixels = toy_samples(6)
        assert samples.origin is not None
        kept = Samples(samples.ids, samples.targets, samples.origin, columns={"box": boxes})
        return Parsed(kept, files=["all.bin"] * 6)

    def decode(path: Path, view: View, _: np.random.Generator) -> dict[str, np.ndarray]:
        assert view.box is not None
        left, top, right, bottom = view.box
        return {"image": np.frombuffer(path.read_bytes(), np.uint8).reshape(10, 10)[top:bottom, left:right]}

    return toy_dataset(read, decode=decode)


def test_parts_of_one_picture_are_samples_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "all.bin").write_bytes(bytes(range(100)))
    boxes = np.array([[i, 1, i + 2, 4] for i in (0, 1, 2, 3, 0, 5)])
    dataset = boxed(boxes)
    add(dataset, folder)
    loaded = load(dataset)
    hashes = loaded.samples.hashes
    assert hashes is not None and len(np.unique(hashes)) == 5 and hashes[0] == hashes[4]
    train = make_splits(loaded, dataset.protocols[0]).train.take(np.array([1, 2]))
    seen = train.batch(np.array([1, 0]), View(), np.random.default_rng(0)).inputs["image"]
    assert seen[:, 0].tolist() == [[12, 13], [11, 12]] and seen.shape == (2, 3, 2)
    # Rows 1 to 3 of columns i and i + 1: the mean of their middle row.
    assert mean_brightness(loaded).tolist() == [20.5 + left for left in (0, 1, 2, 3, 0, 5)]
    looked = pictures_of(loaded, np.arange(6), lambda text: None)
    assert looked.readable.all() and looked.mean.tolist() == mean_brightness(loaded).tolist()


@pytest.mark.parametrize("boxes", [np.zeros((6, 4)), np.zeros((6, 3), np.int64)])
def test_boxes_of_another_form_are_refused(tmp_path: Path, boxes: np.ndarray) -> None:
    with pytest.raises(PluginError, match=r"boxes are no integers \[n, 4\]"):
        add(boxed(boxes), tmp_path)
