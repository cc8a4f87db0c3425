"""Data are registered once, checked, and loaded as memory maps from then on."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferbench import DataError, Dataset, MissingDataError, Parsed, PluginError, ReadContext, Samples, View
from ferbench.data.places import data_root, dataset_root
from ferbench.data.registry import add, load, read_again
from ferbench.data.status import status
from ferbench.data.stored import Loaded

from .conftest import CLASSES, COUNT, read_toys, toy_dataset, toy_samples


def test_what_is_added_is_loaded_unchanged(toys: Dataset, toys_file: Path) -> None:
    registered = add(toys, toys_file)
    loaded = load(toys)
    samples, pictures = toy_samples()
    assert loaded.inputs is not None
    np.testing.assert_array_equal(loaded.inputs["image"], pictures)
    np.testing.assert_array_equal(loaded.samples.ids, samples.ids)
    np.testing.assert_array_equal(loaded.samples.targets, samples.targets)
    np.testing.assert_array_equal(loaded.samples.columns["votes"], samples.columns["votes"])
    assert (registered.samples, registered.notes, registered.already) == (COUNT, ("Toys for tests.",), False)
    assert loaded.fingerprint == registered.fingerprint
    assert loaded.protocols == ("official", "3-fold")
    assert (loaded.source, loaded.notes) == ("toys.txt", registered.notes)


def test_pixels_stay_on_disk_until_they_are_used(loaded: Loaded) -> None:
    assert loaded.inputs is not None
    base: Any = loaded.inputs["image"]
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


def test_writing_to_what_was_loaded_changes_nothing_on_disk(toys: Dataset, loaded: Loaded) -> None:
    assert loaded.inputs is not None
    before = loaded.inputs["image"][0, 0, 0].item()
    loaded.inputs["image"][0, 0, 0] = 255 - before
    again = load(toys).inputs
    assert again is not None and again["image"][0, 0, 0] == before


def test_adding_the_same_again_reads_nothing(toys: Dataset, toys_file: Path) -> None:
    first = add(toys, toys_file)

    def forbidden(*_: object) -> Parsed:
        raise AssertionError("it was read again")

    again = add(replace(toys, read=forbidden), toys_file)
    assert again.already
    assert again.fingerprint == first.fingerprint


def test_another_download_takes_the_place_of_the_first(toys: Dataset, toys_file: Path) -> None:
    first = add(toys, toys_file)
    toys_file.write_text("toys, other", encoding="utf-8")
    second = add(toys, toys_file)
    assert second.fingerprint != first.fingerprint
    assert load(toys).fingerprint == second.fingerprint
    assert [path.name for path in dataset_root(toys).iterdir() if path.is_dir()] == [second.fingerprint]


def test_a_partial_copy_needs_a_word_and_is_marked(toys: Dataset, toys_file: Path) -> None:
    toys_file.write_text("toys, half", encoding="utf-8")
    with pytest.raises(DataError, match=r"half of it is missing\. Get another copy; .*--allow-partial"):
        add(toys, toys_file)
    assert status(toys).state == "missing"
    assert add(toys, toys_file, allow_partial=True).partial == "half of it is missing"
    assert load(toys).partial == "half of it is missing"
    with pytest.raises(DataError, match="half of it is missing"):
        add(toys, toys_file)


def test_a_missing_data_set_says_how_to_get_it(toys: Dataset) -> None:
    with pytest.raises(MissingDataError) as caught:
        load(toys)
    message = str(caught.value)
    for part in ("sixty small squares", "Free", "Ask for toys.txt", "ferbench data add toys PATH", "--suite demo"):
        assert part in message


def test_a_path_that_is_not_there_is_named(toys: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file or folder .*absent\.zip"):
        add(toys, tmp_path / "absent.zip")


@pytest.mark.parametrize("damage", ["cut", "removed", "longer", "header"])
def test_a_damaged_cache_is_named_and_mended_by_adding_again(
    toys: Dataset, toys_file: Path, damage: Callable[[Path], None] | str
) -> None:
    root = add(toys, toys_file).root
    file = next(root.glob("*-input.npy"))
    content = file.read_bytes()
    if damage == "removed":
        file.unlink()
    else:
        file.write_bytes({"cut": content[:-100], "longer": content + b"x", "header": b"?" * len(content)}[str(damage)])
    with pytest.raises(DataError, match=r"registered copy of 'toys' cannot be used: .*Add it again: ferbench data add"):
        load(toys)
    if damage != "header":  # its size is right: only opening it shows the damage
        assert status(toys).state == "damaged"
        assert not add(toys, toys_file).already
        assert load(toys).fingerprint == root.name


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 99}', '{"schema": 1, "arrays": {}}'])
def test_a_damaged_description_is_named(toys: Dataset, toys_file: Path, content: str) -> None:
    add(toys, toys_file)
    (dataset_root(toys) / "meta.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match="Add it again"):
        load(toys)
    assert status(toys).state == "damaged"
    assert add(toys, toys_file).samples == COUNT


def test_a_new_version_of_the_reader_asks_for_the_download_again(toys: Dataset, toys_file: Path) -> None:
    add(toys, toys_file)
    newer = replace(toys, version="2")
    with pytest.raises(DataError, match="version 1 of the data set, now 2"):
        load(newer)
    assert not add(newer, toys_file).already
    assert load(newer).samples.ids[0] == "toy-000"


def test_what_a_killed_process_left_does_no_harm(toys: Dataset, toys_file: Path) -> None:
    left = dataset_root(toys) / ".new-killed"
    left.mkdir(parents=True)
    (left / "0-input.npy").write_bytes(b"half")
    add(toys, toys_file)
    assert load(toys).samples.ids[0] == "toy-000"


def _add_in_process(dataset_file: str, outcome: Any) -> None:
    try:
        outcome.put(add(toy_dataset(read_toys), dataset_file).fingerprint)
    except Exception as error:
        outcome.put(repr(error))


def test_several_processes_may_add_at_once(toys: Dataset, toys_file: Path) -> None:
    context = multiprocessing.get_context("fork")
    outcome: Any = context.Queue()
    workers = [context.Process(target=_add_in_process, args=(str(toys_file), outcome)) for _ in range(4)]
    for worker in workers:
        worker.start()
    found = {outcome.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join(60)
    assert found == {load(toys).fingerprint}


def test_an_embedded_set_is_made_once_for_each_version() -> None:
    made = []

    def make(*_: object) -> Parsed:
        made.append(1)
        samples, pictures = toy_samples()
        return Parsed(samples, {"image": pictures})

    dataset = toy_dataset(make, embedded=True)
    assert load(dataset).fingerprint == load(dataset).fingerprint
    assert len(made) == 1
    load(replace(dataset, version="2"))
    assert len(made) == 2
    with pytest.raises(DataError, match="nothing to add"):
        add(dataset, "anything")


def test_a_damaged_embedded_set_is_made_again() -> None:
    samples, pictures = toy_samples()
    dataset = toy_dataset(lambda *_: Parsed(samples, {"image": pictures}), embedded=True)
    load(dataset)
    shutil.rmtree(next(path for path in dataset_root(dataset).iterdir() if path.is_dir()))
    assert load(dataset).samples.ids[0] == "toy-000"


def test_the_fingerprint_depends_on_content_alone() -> None:
    samples, pictures = toy_samples()

    def of(samples: Samples, pictures: np.ndarray, name: str) -> str:
        return load(toy_dataset(lambda *_: Parsed(samples, {"image": pictures}), name=name, embedded=True)).fingerprint

    base = of(samples, pictures, "a")
    wide = replace(samples, ids=samples.ids.astype("<U40"), targets=samples.targets.astype(np.int32))
    assert of(wide, pictures, "b") == base
    other = pictures.copy()
    other[7, 0, 0] ^= 1
    assert of(samples, other, "c") != base
    assert of(replace(samples, targets=(samples.targets + 1) % 3), pictures, "d") != base
    assert samples.origin is not None
    assert of(replace(samples, origin=samples.origin[::-1].copy()), pictures, "e") != base
    assert of(replace(samples, ids=samples.ids[::-1].copy()), pictures, "f") != base


def test_hashes_are_equal_for_identical_pixels_alone(load_made: Callable[..., Loaded]) -> None:
    samples, pictures = toy_samples()
    pictures[10] = pictures[3]
    hashes = load_made(samples, pictures).samples.hashes
    assert hashes is not None and hashes.dtype == np.uint64
    assert hashes[10] == hashes[3]
    assert len(np.unique(hashes)) == COUNT - 1


def decode_file(path: Path, view: View, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {"image": np.frombuffer(path.read_bytes(), np.uint8).reshape(4, 4)}


def test_a_streamed_set_stays_where_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    for i in range(COUNT):
        (folder / f"{i:03d}.raw").write_bytes(bytes([i // 2] * 16))
    samples, _ = toy_samples()

    def read(*_: object) -> Parsed:
        return Parsed(samples, files=[f"{i:03d}.raw" for i in range(COUNT)])

    dataset = toy_dataset(read, decode=decode_file)
    add(dataset, folder)
    loaded = load(dataset)
    assert loaded.inputs is None and loaded.files is not None
    assert loaded.root / loaded.files[3] == folder / "003.raw"
    assert loaded.samples.hashes is not None and loaded.samples.hashes[2] == loaded.samples.hashes[3]
    shutil.move(folder, tmp_path / "elsewhere")
    with pytest.raises(DataError, match="clips is gone"):
        load(dataset)
    assert not add(dataset, tmp_path / "elsewhere").already
    assert load(dataset).root == tmp_path / "elsewhere"


def test_files_that_are_decoded_otherwise_are_other_data(tmp_path: Path) -> None:
    """Their hashes stay; that ``decode`` has changed is said by the data set's version alone."""
    for i in range(COUNT):
        (tmp_path / f"{i:03d}.raw").write_bytes(bytes([i] * 16))
    samples, pictures = toy_samples()

    def read(*_: object) -> Parsed:
        return Parsed(samples, files=[f"{i:03d}.raw" for i in range(COUNT)])

    def fingerprint_of(version: str) -> str:
        return add(toy_dataset(read, decode=decode_file, version=version), tmp_path).fingerprint

    first = fingerprint_of("1")
    assert fingerprint_of("2") != first
    assert fingerprint_of("3") not in (first, fingerprint_of("2"))
    assert fingerprint_of("1") == first

    def in_memory(version: str) -> str:
        parsed = Parsed(samples, {"image": pictures})
        return load(toy_dataset(lambda *_: parsed, name="made", embedded=True, version=version)).fingerprint

    assert in_memory("1") == in_memory("2"), "pixels are hashed themselves"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": np.array(["same"] * COUNT)}, "ids are not unique"),
        ({"targets": np.full(COUNT, 3)}, "targets are not all within 0 to 2"),
        ({"targets": np.zeros(COUNT - 1, dtype=np.int64)}, "59 targets and 60 ids"),
        ({"targets": np.zeros(COUNT)}, "targets are not whole numbers"),
        ({"origin": np.array(["train"])}, "'origin' does not have 60 values"),
        ({"groups": {"subject": np.zeros(COUNT)}}, "group subject are neither text nor whole numbers"),
    ],
)
def test_a_reader_that_breaks_the_contract_is_named(
    load_made: Callable[..., Loaded], change: dict[str, Any], message: str
) -> None:
    samples, _ = toy_samples()
    pictures = np.zeros((COUNT, 4, 4), dtype=np.uint8)
    with pytest.raises(PluginError, match=f"reader of data set 'toys' breaks the contract: .*{message}"):
        load_made(replace(samples, **change), pictures)


def test_inputs_of_another_form_are_refused(load_made: Callable[..., Loaded]) -> None:
    samples, pictures = toy_samples()
    with pytest.raises(PluginError, match="input 'image' is not uint8"):
        load_made(samples, pictures.astype(np.float32))
    with pytest.raises(PluginError, match="input 'image' has 59 samples"):
        load_made(samples, pictures[1:])


def test_a_folder_that_cannot_be_written_is_named(
    toys: Dataset, toys_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("FERBENCH_DATA", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"cannot be (read|written).*FERBENCH_DATA"):
        add(toys, toys_file)


def test_a_full_disk_is_named_and_leaves_nothing(
    toys: Dataset, toys_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(DataError, match="The disk is full"):
        add(toys, toys_file)
    assert list(dataset_root(toys).iterdir()) == []


def read_doubles(path: Path | None, context: ReadContext) -> Parsed:
    """A data set of the registered toys' pictures with every grey doubled."""
    toys = context.registered("toys")
    assert toys.inputs is not None
    return Parsed(replace(toys.samples, hashes=None), {"image": toys.inputs["image"] * 2}, partial=toys.partial)


def test_a_data_set_may_build_on_another_one_that_is_registered(toys: Dataset, toys_file: Path) -> None:
    doubles = toy_dataset(read_doubles, name="doubles")
    first = add(toys, toys_file)
    add(doubles, toys_file, find={"toys": toys}.__getitem__)
    inputs = load(doubles).inputs
    again = read_again(doubles, find={"toys": toys}.__getitem__)
    assert inputs is not None and again is not None and again.inputs is not None
    np.testing.assert_array_equal(inputs["image"], toy_samples()[1] * 2)
    np.testing.assert_array_equal(again.inputs["image"], inputs["image"])
    assert load(toys).fingerprint == first.fingerprint


def test_a_data_set_is_read_again_when_the_one_below_it_has_changed(toys: Dataset, toys_file: Path) -> None:
    doubles, find = toy_dataset(read_doubles, name="doubles"), {"toys": toys}.__getitem__
    other = toys_file.with_name("other.txt")
    other.write_text("toys, other", encoding="utf-8")
    add(toys, toys_file)
    first = add(doubles, toys_file, find=find)
    assert add(doubles, toys_file, find=find).already
    add(toys, other)
    again = add(doubles, toys_file, find=find)
    assert not again.already
    assert again.fingerprint != first.fingerprint


def test_a_partial_copy_below_is_refused_above_too(toys: Dataset, toys_file: Path) -> None:
    toys_file.write_text("toys, half", encoding="utf-8")
    add(toys, toys_file, allow_partial=True)
    doubles, find = toy_dataset(read_doubles, name="doubles"), {"toys": toys}.__getitem__
    with pytest.raises(DataError, match="not a good copy of 'doubles': half of it is missing"):
        add(doubles, toys_file, find=find)
    assert add(doubles, toys_file, allow_partial=True, find=find).partial == "half of it is missing"


def test_a_data_set_below_that_is_not_there_is_named(toys: Dataset, toys_file: Path) -> None:
    doubles = toy_dataset(read_doubles, name="doubles")
    with pytest.raises(MissingDataError, match=r"'toys' is not on this machine(.|\n)*ferbench data add toys PATH"):
        add(doubles, toys_file, find={"toys": toys}.__getitem__)
    with pytest.raises(MissingDataError, match="'toys' is not on this machine"):
        add(doubles, toys_file)


def test_names_are_made_fit_for_the_file_system(toys: Dataset, data_folder: Path) -> None:
    assert data_root() == data_folder
    roots = {dataset_root(replace(toys, name=name)) for name in ("folder:../x", "folder:/../x", "..", "toys")}
    assert len(roots) == 4
    assert all(root.parent == data_folder / "datasets" and root.name.strip(".") for root in roots)


def test_what_is_registered_is_told_without_opening_it(toys: Dataset, toys_file: Path) -> None:
    assert status(toys).state == "missing"
    add(toys, toys_file)
    found = status(toys)
    assert found.state == "registered" and found.meta is not None
    assert found.meta.samples == COUNT
    plain = json.loads((dataset_root(toys) / "meta.json").read_text(encoding="utf-8"))
    assert plain["source"]["bytes"] == 4 and len(plain["source"]["sha256"]) == 64
    assert toys.classes == CLASSES
