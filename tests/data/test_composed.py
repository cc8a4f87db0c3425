"""Data sets that are composed of others: classes by meaning, sides kept, no picture on two of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferbench import (
    EMOTIONS,
    Composition,
    DataError,
    Dataset,
    MissingDataError,
    Parsed,
    ProtocolRule,
    ReadContext,
    SettingsError,
    UnknownNameError,
    grouped_holdout,
    k_fold,
)
from ferbench.data.composing import compose, composition_of, remember
from ferbench.data.fingerprint import pixel_hashes
from ferbench.data.registry import add, load
from ferbench.data.splits import make_splits
from ferbench.data.stored import Loaded
from ferbench.data.table import write_table
from ferbench.plugins import discover
from ferbench.suites import parse_suite
from tests.data.conftest import toy_dataset, toy_samples

Changes = Mapping[str, Any]


def base(name: str, size: int = 4, seed: int = 0, **changes: Any) -> Dataset:
    """Sixty made-up pictures, uint8 [60, size, size]; ``pictures`` and ``subjects`` replace or add some."""
    pictures = changes.pop("pictures", None)
    subjects = changes.pop("subjects", None)

    def read(path: Path | None, context: ReadContext) -> Parsed:
        samples = toy_samples()[0]
        drawn = np.random.default_rng(seed).integers(0, 256, (60, size, size), dtype=np.uint8)
        groups = {} if subjects is None else {"subject": subjects}
        return Parsed(replace(samples, groups=groups, columns={}), {"image": drawn if pictures is None else pictures})

    return toy_dataset(read, **{"name": name, "embedded": True, "public": True, **changes})


def finder(*bases: Dataset) -> Callable[[str], Dataset]:
    """Finds a data set by its name."""
    known = {each.name: each for each in bases}

    def find(name: str) -> Dataset:
        if name not in known:
            raise UnknownNameError(f"There is no data set {name!r}.")
        return known[name]

    return find


def composed(*bases: Dataset, **changes: Any) -> Dataset:
    """All ``bases`` as one data set."""
    names = changes.pop("datasets", [each.name for each in bases])
    return compose("compose:all", Composition(datasets=names, **changes), finder(*bases))


def united(*bases: Dataset, **changes: Any) -> Loaded:
    """The same, loaded."""
    return load(composed(*bases, **changes))


OTHERS = ("neutral", "Angry", "happy")
"""Classes of another data set, of which the toys (anger, fear, neutral) share two."""


def test_classes_are_those_that_all_share_by_meaning() -> None:
    """A sample keeps its emotion whatever its data set calls it; samples of other emotions are left out."""
    loaded = united(base("one"), base("two", seed=2, classes=OTHERS))
    assert loaded.dataset.classes == ("anger", "neutral")
    found = dict(zip(loaded.samples.ids.tolist(), loaded.samples.targets.tolist(), strict=True))
    assert [found.get(f"one/toy-00{i}") for i in range(3)] == [0, None, 1]
    assert [found.get(f"two/toy-00{i}") for i in range(3)] == [1, 0, None]


def test_classes_may_be_chosen_by_name_or_by_the_size_of_a_customary_set() -> None:
    """A class need not be known to every data set; a number stands for six, seven or eight emotions."""
    both = base("one"), base("two", seed=2, classes=OTHERS)
    assert composed(*both, classes=("joy", "Anger")).classes == ("happiness", "anger")
    assert Composition(datasets=("a", "b"), classes=6).classes == EMOTIONS[:6]
    with pytest.raises(ValueError, match="6, 7 or 8 emotions"):
        Composition(datasets=("a", "b"), classes=5)
    with pytest.raises(DataError, match=r"none of its data sets has surprise.*Theirs are anger, fear"):
        composed(*both, classes=("anger", "surprise"))


def test_every_sample_keeps_its_side_its_source_and_its_subject(tmp_path: Path) -> None:
    """Groups of two data sets never mean the same; the table names each sample's source."""
    subjects = np.array([f"s{index // 3}" for index in range(60)])
    rules = (ProtocolRule("by-subject", grouped_holdout(0.25, by="subject"), unit="subject"),)
    loaded = united(base("one", subjects=subjects, protocols=rules), base("two", seed=2))
    splits = make_splits(loaded, loaded.dataset.default_protocol)
    alone = make_splits(load(base("two", seed=2)), base("two").default_protocol)
    for side in ("train", "val", "test"):
        mine = [name for name in getattr(splits, side).ids.tolist() if name.startswith("two/")]
        assert sorted(mine) == sorted(f"two/{name}" for name in getattr(alone, side).ids.tolist())
    assert set(loaded.samples.groups["subject"].tolist()) == {"", *(f"one/s{index}" for index in range(20))}
    write_table(loaded, tmp_path / "table.parquet")
    import pyarrow.parquet as pq

    table = pq.read_table(tmp_path / "table.parquet").to_pydict()
    assert all(name.startswith(f"{source}/") for name, source in zip(table["id"], table["source"], strict=True))


def test_pictures_are_brought_to_one_size_and_colour() -> None:
    """By default to the smallest and to grey; a resized plane stays the same plane."""
    plane = np.full((60, 6, 8, 3), 77, np.uint8) + np.arange(60, dtype=np.uint8)[:, None, None, None]
    both = base("one"), base("two", pictures=plane)
    small = united(*both).inputs
    assert small is not None and small["image"].shape == (120, 4, 4)
    wide = united(*both, size=10, colour=True)
    assert wide.inputs is not None and wide.inputs["image"].shape == (120, 10, 10, 3)
    last = wide.samples.ids.tolist().index("two/toy-059")
    assert (wide.inputs["image"][last] == 77 + 59).all()


def test_a_picture_stands_on_one_side_alone() -> None:
    """What is tested on somewhere is nowhere trained on, and that is told with its number."""
    drawn = np.random.default_rng(0).integers(0, 256, (60, 4, 4), dtype=np.uint8)
    turned = drawn.copy()
    turned[:5], turned[45:50], turned[30:33] = drawn[45:50], drawn[:5], drawn[50:53]  # some of test in train and val
    loaded = united(base("one", pictures=drawn), base("two", pictures=turned))
    splits = make_splits(loaded, loaded.dataset.default_protocol)
    sides = [set(pixel_hashes(each.arrays or {}).tolist()) for each in (splits.train, splits.val, splits.test)]
    assert not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    assert len(loaded.samples.ids) == 120 - 10 - 3
    assert "Left out of these, because the same picture is tested or chosen on: 10 of train, 3 of val." in loaded.notes
    assert united(base("other"), base("another", seed=2)).notes[-1].startswith("Pictures are 4×4")
    with pytest.raises(DataError, match="nothing is left of train"):
        united(base("one", pictures=drawn), base("turned", pictures=drawn[::-1].copy()))


def test_pictures_of_several_sources_on_one_side_are_told() -> None:
    """Two data sets may label the same picture otherwise: FER2013 and FER+ do."""
    loaded = united(base("one"), base("two", classes=("neutral", "anger", "fear")))
    assert len(loaded.samples.ids) == 120
    assert loaded.notes[-1] == (
        "120 samples show pictures that several data sets have on one side; 120 of them under different classes."
    )


def test_protocols_are_chosen_for_each_data_set() -> None:
    """``NAME@PROTOCOL`` takes another than the default; of several folds the first, which is told."""
    loaded = united(base("one"), base("two", seed=2), datasets=("one@3-fold", "two"))
    assert "one@3-fold: the first of 3 folds is taken." in loaded.notes
    with pytest.raises(UnknownNameError, match=r"'one' has no protocol '3-folds'. Did you mean '3-fold'"):
        composed(base("one"), base("two"), datasets=("one@3-folds", "two"))


def test_a_composed_set_is_as_public_and_real_as_its_parts() -> None:
    """Synthetic if any is, public if all are; licences stand side by side, and an incomplete copy marks the whole."""
    parts = base("one", licence="CC BY"), base("two", seed=2, public=False, synthetic=True, licence="ask first")
    made = composed(*parts)
    assert (made.public, made.synthetic, made.licence) == (False, True, "one: CC BY; two: ask first")
    assert composed(base("one"), base("two")).public and not composed(base("one"), base("two")).synthetic
    samples, pictures = toy_samples()
    half = toy_dataset(lambda *_: Parsed(samples, {"image": pictures}, partial="no eyes"), name="half", embedded=True)
    assert united(base("one"), half).partial == "half: no eyes"


def test_another_definition_is_another_data_set() -> None:
    """Under the same name and over the same parts: made anew, with a fingerprint of its own."""
    both = base("one"), base("two", seed=2)
    first = united(*both, size=8)
    again = united(*both, size=9)
    assert again.inputs is not None and again.inputs["image"].shape[1:] == (9, 9)
    assert first.fingerprint != again.fingerprint


def test_streamed_data_sets_are_read_picture_by_picture(tmp_path: Path) -> None:
    """Through their own ``decode``, in any sizes; one that would not fit in memory is refused before it is read."""
    from PIL import Image

    samples, _ = toy_samples()
    folder = tmp_path / "faces"
    folder.mkdir()
    rng = np.random.default_rng(5)
    for index in range(60):
        Image.fromarray(rng.integers(0, 256, (8 + index % 3, 9, 3), dtype=np.uint8)).save(folder / f"{index}.png")

    def decode(path: Path, *_: object) -> dict[str, np.ndarray]:
        return {"image": np.asarray(Image.open(path))}

    files = tuple(f"{index}.png" for index in range(60))
    streamed = toy_dataset(lambda *_: Parsed(samples, files=files), name="streamed", decode=decode)
    add(streamed, folder)
    loaded = united(base("one"), streamed, size=8)
    assert loaded.inputs is not None and loaded.inputs["image"].shape == (120, 8, 8)
    assert set(loaded.samples.columns["source"].tolist()) == {"one", "streamed"}


def test_what_would_not_fit_in_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any picture is read, with what would help."""
    monkeypatch.setattr("ferbench.data.uniting.MOST_BYTES", 7000)
    with pytest.raises(DataError, match=r"would be 120 pictures of 8×8.*smaller size, grey, or fewer data sets"):
        united(base("one"), base("two", seed=2), size=8)


def test_every_missing_data_set_is_named_with_the_way_to_get_it() -> None:
    """One message for all of them."""
    absent = [base(name, embedded=False, how_to_get=f"Ask for {name}") for name in ("far", "away")]
    with pytest.raises(MissingDataError, match=r"(?s)'far'.*Ask for far.*data add far.*'away'.*Ask for away"):
        united(base("one"), *absent)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ("joy", "contempt", "valence")}, "two cannot join the data sets before it: they share no class"),
        ({"classes": ("joy", "happy", "fear")}, "classes of two mean the same by canonical names"),
        ({"modality": "video"}, "two holds video data; only pictures can be composed"),
        ({"inputs": ("depth",)}, "two holds image data; only pictures"),
        ({"task": "regression"}, "the task of two is regression; only single-label"),
        ({"protocols": (ProtocolRule("soft", k_fold(2), train_labels="soft"),)}, "two@soft trains on soft labels"),
        ({"name": "one"}, "names one twice; each data set can be part of it once"),
        ({"name": "compose:others"}, "compose:others, which is composed itself"),
    ],
)
def test_what_cannot_be_composed_says_why(changes: Changes, message: str) -> None:
    """Classes, modality, task, labels, or the same data set again."""
    with pytest.raises(DataError, match=message):
        composed(base("one"), base(**{"name": "two", **changes}))


def test_a_chosen_class_that_a_data_set_lacks_altogether_leaves_it_out_by_name() -> None:
    """A data set that adds nothing is a mistake."""
    joy = base("two", classes=("joy", "sad", "contempt"))
    with pytest.raises(
        DataError, match=r"two has none of its classes, only happiness, sadness, contempt. Leave it out"
    ):
        composed(base("one"), joy, classes=("anger", "fear"))


def test_a_definition_is_there_for_everyone_and_a_damaged_one_is_named(data_root: Path) -> None:
    remember("mine", Composition(datasets=("one", "two")), finder(base("one"), base("two")))
    path = data_root / "composed" / "mine.json"
    assert path.stat().st_mode & 0o777 == 0o644
    for content in (b"\xff\xfe", b"{", b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"mine\.json cannot be read .*delete it, and run the suite"):
            composition_of("mine")


def test_names_are_checked() -> None:
    """A path is no name; an unknown one is answered with the nearest; two data sets are needed."""
    find = finder(base("one"), base("two"))
    remember("six", Composition(datasets=("one", "two")), find)
    with pytest.raises(DataError, match="names one twice"):
        remember("six", Composition(datasets=("one", "one@3-fold")), find)
    assert composition_of("six").datasets == ("one", "two")
    with pytest.raises(UnknownNameError, match=r"no composed data set 'sixt'.*Did you mean 'six'"):
        composition_of("sixt")
    with pytest.raises(UnknownNameError, match="use lower case letters"):
        composition_of("../../etc/passwd")
    with pytest.raises(SettingsError, match="at least 2 items"):
        parse_suite(f"{SUITE}[compose.one]\ndatasets = ['demo']", "together.toml")


SUITE = """
name = "together"
datasets = ["compose:one"]
models = ["majority"]
"""

PLUGIN = """
import numpy as np
from ferbench import Dataset, Parsed, ProtocolRule, Samples, given_split, hookimpl

def read(path, context):
    rng = np.random.default_rng(3)
    targets = np.arange(90) % 3
    pictures = rng.integers(0, 90, (90, 20, 20), dtype=np.uint8) + (60 * targets[:, None, None]).astype(np.uint8)
    sides = np.array(["train", "val", "test"])[np.arange(90) // 30]
    return Parsed(Samples(np.arange(90), targets, sides), {"image": pictures})

@hookimpl
def ferbench_datasets():
    yield Dataset("squares", "Squares", ("happy", "sad", "contempt"),
                  (ProtocolRule("official", given_split("train", "val", "test")),), read, embedded=True)
"""


def test_names_may_hold_the_protocols_of_the_parts(tmp_path: Path) -> None:
    """The last ``@`` is the composed set's own protocol where it has one of that name, else its last part's."""
    plugin = tmp_path / "composed_squares.py"
    plugin.write_text(PLUGIN)
    installed = discover(files=[plugin])
    for text, name, protocol in (
        ("compose:squares+demo", "compose:squares+demo", ""),
        ("compose:squares+demo@official", "compose:squares+demo@official", ""),
        ("compose:demo@subject-disjoint+squares@composed", "compose:demo@subject-disjoint+squares", "composed"),
        ("compose:demo@subject-disjoint+squares", "compose:demo@subject-disjoint+squares", ""),
    ):
        dataset, found = installed.place(text)
        assert (dataset.name, found) == (name, protocol)
    with pytest.raises(UnknownNameError, match="no protocol 'officious'"):
        installed.place("compose:squares+demo@officious")
    with pytest.raises(UnknownNameError, match="There is no data set 'square'"):
        installed.place("compose:demo@official+square")
