"""``ferbench data export``."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferbench.data.registry import load
from ferbench.evaluating.file_names import safe_names
from ferbench.plugins import discover
from tests.cli.conftest import Command

PLUGIN = """
from dataclasses import replace
from ferbench import Options, Parsed, ProtocolRule, Reads, Removed, Sample, Samples, given_split

HOSTILE = ["../../up", "/etc/passwd", "CON", "nul.png", "A", "a", "Ä/ö", "x" * 300, ".hidden", "-rf", "dot.", "a b\\n",
           "C:\\\\x", "..", "é" * 200]

def samples(ids=None):
    import numpy as np
    index = np.arange(60)
    ids = np.array([*HOSTILE, *(f"toy-{i:03d}" for i in range(45))])
    origin = np.array(["train", "train", "val", "test"])[index % 4]
    return Samples(
        ids, index % 3, origin, {"subject": np.array([f"p{i % 6}" for i in index])},
        {"source": np.array(["one", "two"])[index % 2]},
    )

def pixels(*shape):
    import numpy as np
    return np.random.default_rng(0).integers(0, 255, (60, *shape)).astype(np.uint8)

def grey(path, context):
    return Parsed(samples(), {"image": pixels(9, 7)})

def colour(path, context):
    return Parsed(samples(), {"image": pixels(6, 6, 3)})

def several(path, context):
    import numpy as np
    return Parsed(replace(samples(), targets=np.eye(3, dtype=np.float32)[np.arange(60) % 3]), {"image": pixels(4, 4)})

def clips(path, context):
    return Parsed(samples(), {"video": pixels(5, 4, 4, 3)})

def eeg(path, context):
    return Parsed(samples(), {"eeg": pixels(4, 8).astype("float32")})

def streamed(path, context):
    return Parsed(samples(), files=[f"{i}.x" for i in range(60)])

def decode(path, view, rng):
    import numpy as np
    number = int(path.name.partition(".")[0])
    return {"image": np.full((4 + number % 2, 4), number, np.uint8)}

def clean(train, context):
    import numpy as np
    n = len(train)
    targets = np.array(train.targets)
    targets[2] = (targets[2] + 1) % 3
    indices = np.concatenate([np.arange(1, n), [1, n]])
    extra = {"image": np.full((1, *train.arrays["image"].shape[1:]), 77, np.uint8)}
    return Sample(indices=indices, targets=targets, extra_inputs=extra, extra_targets=np.array([0]),
                  removed=(Removed((str(train.ids[0]),), "an outlier"),))

def stranger(path, context):
    import numpy as np
    return Parsed(replace(samples(), ids=np.array([f"stranger-{i:03d}" for i in range(60)])), {"image": pixels(3, 3)})

def keep_known(train, context):
    from ferbench import MissingDataError
    try:
        known = context.facts("stranger", "source").known
    except MissingDataError:
        return Sample()
    return Sample(removed=(Removed(tuple(train.ids[~known].tolist()), "a stranger does not know it"),))

def nothing(train, context):
    return Sample(removed=(Removed(tuple(train.ids.tolist()), "all of them"),))

class Thin(Options):
    keep: int = 10

def thin(train, context):
    import numpy as np
    return Sample(indices=np.arange(context.options.keep))

@hookimpl
def ferbench_datasets():
    rules = (ProtocolRule("official", given_split("train", "val", "test"), allow_leak=True),
             ProtocolRule("two", given_split("train", "val", "test"), classes=("c", "a"), allow_leak=True))
    make = dict(embedded=True, licence="Ask them", how_to_get="by mail")
    yield Dataset("grey", "g", ("a", "b", "c"), rules, grey, public=True, **make)
    yield Dataset("stranger", "g", ("a", "b", "c"), rules, stranger, public=True, **make)
    yield Dataset("secret", "g", ("a", "b", "c"), rules, grey, **make)
    yield Dataset("colour", "g", ("a", "../b", "c"), rules[:1], colour, public=True, **make)
    yield Dataset("several", "g", ("a", "b", "c"), rules[:1], several, task="multi-label", public=True, **make)
    yield Dataset("clips", "g", ("a", "b", "c"), rules[:1], clips, modality="video", inputs=("video",), public=True,
                  **make)
    yield Dataset("waves", "g", ("a", "b", "c"), rules[:1], eeg, modality="eeg", inputs=("eeg",), public=True, **make)
    yield Dataset("streamed", "g", ("a", "b", "c"), rules[:1], streamed, decode=decode, public=True, **make)

@hookimpl
def ferbench_samplers():
    yield Sampler("clean", clean, streams=False)
    yield Sampler("nothing", nothing)
    yield Sampler("needy", clean, requires={"teacher": "small-cnn"})
    yield Sampler("asks", keep_known, reads=(Reads("stranger", optional=True),))
    yield Sampler("insists", keep_known, reads=(Reads("stranger"),))
    yield Sampler("thins", thin, options=Thin())
    yield Sampler("modest", clean, requires=lambda options: {}, streams=False)
"""


@pytest.fixture(autouse=True)
def _plugin(install: Callable[..., Path], data_root: Path) -> None:
    install("things", PLUGIN)


def rows_of(folder: Path, name: str = "labels.csv") -> list[dict[str, str]]:
    with (folder / name).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_png_export_read_back_has_the_same_pixels_and_labels(ferbench: Command, tmp_path: Path) -> None:
    target = tmp_path / "new" / "faces"
    done = ferbench("data", "export", "grey", target)
    assert done.code == 0, done.err
    assert "grey@official, 30 train, 15 val, 15 test; labels.csv and 60 pictures" in done.out
    loaded = load(discover().dataset("grey"))
    assert loaded.inputs is not None
    place = {name: i for i, name in enumerate(loaded.samples.ids.tolist())}
    rows = rows_of(target)
    assert sorted(row["id"] for row in rows) == sorted(place)
    for row in rows:
        at = place[row["id"]]
        assert np.array_equal(np.asarray(Image.open(target / row["file"])), loaded.inputs["image"][at])
        assert row["label"] == "abc"[int(loaded.samples.targets[at])]
        assert row["subject"] == f"p{at % 6}" and row["source"] == ("one", "two")[at % 2]
        assert row["file"].startswith(f"{row['split']}/{row['label']}/") and row["file"].endswith(".png")
    pictures = {path.relative_to(target).as_posix() for path in target.rglob("*.png")}
    assert pictures == {row["file"] for row in rows}
    assert not (target / "NOTICE.txt").exists()
    about = json.loads((target / "dataset.json").read_text(encoding="utf-8"))
    assert (about["dataset"], about["protocol"], about["licence"]) == ("grey", "official", "Ask them")
    assert about["fingerprint"] == loaded.fingerprint and about["samples"]["val"] == {"a": 5, "b": 5, "c": 5}
    assert [path.name for path in target.parent.iterdir()] == ["faces"], "nothing else is left behind"


def test_folders_named_by_class_of_small_jpegs(ferbench: Command, tmp_path: Path) -> None:
    options = ("--layout", "classes", "--size", "64", "--format", "jpeg", "--split", "train")
    assert ferbench("data", "export", "grey@two", tmp_path / "out", *options).code == 0
    rows = rows_of(tmp_path / "out")
    assert {row["file"].partition("/")[0] for row in rows} == {"a", "c"}
    assert {row["split"] for row in rows} == {"train"}
    with Image.open(tmp_path / "out" / rows[0]["file"]) as picture:
        assert (picture.format, picture.size, picture.mode) == ("JPEG", (64, 64), "L")


def test_quality_makes_jpegs_smaller(ferbench: Command, tmp_path: Path) -> None:
    sizes = {}
    for quality in (20, 95):
        options = ("--format", "jpeg", "--size", "32", "--quality", quality, "--json")
        sizes[quality] = ferbench("data", "export", "grey", tmp_path / str(quality), *options).json["size"]
    assert sizes[20] < sizes[95]


def test_colour_and_a_hostile_class_name(ferbench: Command, tmp_path: Path) -> None:
    assert ferbench("data", "export", "colour", tmp_path / "out").code == 0
    loaded = load(discover().dataset("colour"))
    assert loaded.inputs is not None
    row = next(row for row in rows_of(tmp_path / "out") if row["id"] == "toy-001")
    assert row["label"] == "../b" and "/../" not in row["file"]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "out" / row["file"])), loaded.inputs["image"][16])


def test_pictures_that_may_not_be_published_need_a_word(ferbench: Command, tmp_path: Path) -> None:
    done = ferbench("data", "export", "secret", tmp_path / "ids")
    assert "No pictures: those of secret may not be published (licence: Ask them)" in done.out
    assert "--private" in done.out
    assert sorted(path.name for path in (tmp_path / "ids").iterdir()) == ["dataset.json", "labels.csv"]
    assert "file" not in rows_of(tmp_path / "ids")[0]
    mine = ferbench("data", "export", "secret", tmp_path / "mine", "--private")
    assert "must not be published" in mine.out
    notice = (tmp_path / "mine" / "NOTICE.txt").read_text(encoding="utf-8")
    assert "must not be published or passed on" in notice and "Ask them" in notice
    assert len(list((tmp_path / "mine").rglob("*.png"))) == 60


def test_ids_only_and_a_limit(ferbench: Command, tmp_path: Path) -> None:
    assert ferbench("data", "export", "grey", tmp_path / "out", "--ids-only", "--limit", "6").code == 0
    rows = rows_of(tmp_path / "out")
    assert len(rows) == 18 and {row["label"] for row in rows} == {"a", "b", "c"}
    assert not list((tmp_path / "out").rglob("*.png"))


def test_the_training_side_as_a_sampler_leaves_it(ferbench: Command, tmp_path: Path) -> None:
    done = ferbench("data", "export", "grey", tmp_path / "out", "--sampler", "clean")
    assert done.code == 0, done.err
    assert "1 left out by the sampler (removed.csv)" in done.out
    rows = rows_of(tmp_path / "out")
    train = [row for row in rows if row["split"] == "train"]
    assert len(train) == 30, "30 without one, and an extra one"
    (gone,) = rows_of(tmp_path / "out", "removed.csv")
    assert gone == {"id": "../../up", "reason": "an outlier"} and gone["id"] not in {row["id"] for row in rows}
    relabelled = [row for row in train if row["label_before"] not in ("", row["label"])]
    assert [(row["id"], row["label_before"], row["label"]) for row in relabelled] == [("A", "b", "c")]
    assert [row["id"] for row in train if row["times"] == "2"] == [train[0]["id"]]
    extra = next(row for row in train if row["id"] == "extra-0")
    assert (extra["label"], extra["label_before"]) == ("a", "")
    assert np.asarray(Image.open(tmp_path / "out" / extra["file"])).tolist() == [[77] * 7] * 9
    assert all(not row["times"] for row in rows if row["split"] != "train")


def test_a_sampler_whose_own_options_require_no_cell_needs_no_run(ferbench: Command, tmp_path: Path) -> None:
    done = ferbench("data", "export", "grey", tmp_path / "out", "--sampler", "modest", "--ids-only")
    assert done.code == 0, done.err
    assert [row["id"] for row in rows_of(tmp_path / "out", "removed.csv")] == ["../../up"]


def test_options_of_the_sampler_are_set_as_in_a_run(ferbench: Command, tmp_path: Path) -> None:
    arguments = ("--sampler", "thins", "--ids-only", "--split", "train")
    done = ferbench("data", "export", "grey", tmp_path / "out", *arguments, "--set", "sampler.options.keep=4")
    assert done.code == 0, done.err
    assert len(rows_of(tmp_path / "out")) == 4
    facts = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert facts["sampler_options"] == {"keep": 4}
    assert ferbench("data", "export", "grey", tmp_path / "own", *arguments).code == 0
    assert len(rows_of(tmp_path / "own")) == 10


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["-s", "thins", "--set", "sampler.options.kep=4"], "Did you mean 'keep'"),
        (["-s", "thins", "--set", "sampler.options.keep=none"], "sampler.options.keep"),
        (["-s", "thins", "--set", "clean:sampler.options.keep=4"], "only options of the sampler thins matter here"),
        (["-s", "thins", "--set", "recipe.epochs=4"], "only options of the sampler thins matter here"),
        (["--set", "sampler.options.keep=4"], "name one by --sampler"),
    ],
)
def test_an_option_that_the_sampler_lacks_is_refused(
    ferbench: Command, tmp_path: Path, given: list[str], words: str
) -> None:
    refused = ferbench("data", "export", "grey", tmp_path / "out", "--ids-only", *given)
    assert refused.code == 2 and words in refused.err
    assert not (tmp_path / "out").exists()


def test_a_data_set_without_any_of_the_samples_is_not_read(ferbench: Command, tmp_path: Path) -> None:
    done = ferbench("data", "export", "grey", tmp_path / "out", "--sampler", "asks", "--ids-only")
    assert done.code == 0, done.err
    assert not (tmp_path / "out" / "removed.csv").exists()


def test_several_labels_a_sample_stand_in_columns(ferbench: Command, tmp_path: Path) -> None:
    refused = ferbench("data", "export", "several", tmp_path / "out")
    assert refused.code == 2 and "--layout flat" in refused.err and not (tmp_path / "out").exists()
    assert ferbench("data", "export", "several", tmp_path / "out", "--layout", "flat").code == 0
    row = next(row for row in rows_of(tmp_path / "out") if row["id"] == "toy-002")
    assert (row["label"], row["t_a"], row["t_b"], row["t_c"]) == ("", "0", "0", "1")
    assert row["file"] == "files/toy-002.png"


def test_a_clip_is_a_folder_of_frames(ferbench: Command, tmp_path: Path) -> None:
    assert ferbench("data", "export", "clips", tmp_path / "out", "--frames", "3", "--limit", "3").code == 0
    for row in rows_of(tmp_path / "out"):
        frames = sorted(path.name for path in (tmp_path / "out" / row["file"]).iterdir())
        assert frames == ["00000.png", "00001.png", "00002.png"]


def test_files_of_two_sizes_that_stream_are_exported_too(ferbench: Command, tmp_path: Path) -> None:
    assert ferbench("data", "export", "streamed", tmp_path / "out").code == 0
    sizes = {Image.open(path).size for path in (tmp_path / "out").rglob("*.png")}
    assert sizes == {(4, 4), (4, 5)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["grei"], "Did you mean 'grey'"),
        (["grey@too"], "Did you mean 'two'"),
        (["waves"], "waves holds EEG, not pictures"),
        (["grey", "--quality", "5"], "--quality: it is for --format jpeg"),
        (["grey", "--ids-only", "--private"], "--ids-only writes none"),
        (["grey", "--fold", "3"], "fold"),
        (["grey", "-s", "clean", "--split", "val"], "it changes the training side alone"),
        (["grey", "-s", "needy"], "needy needs trained cells"),
        (["grey", "-s", "insists"], "insists reads stranger, which has none of the samples of grey"),
        (["grey", "-s", "nothing"], "leaves no training sample"),
        (["streamed", "-s", "clean"], "clean needs the data in memory, and streamed streams"),
    ],
)
def test_what_cannot_be_exported_is_named_and_leaves_nothing(
    ferbench: Command, tmp_path: Path, arguments: list[str], words: str
) -> None:
    name, *options = arguments
    refused = ferbench("data", "export", name, tmp_path / "out" / "x", *options)
    assert refused.code == 2
    assert words in refused.err
    assert not (tmp_path / "out" / "x").exists()


def test_nothing_is_overwritten(ferbench: Command, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine", encoding="utf-8")
    refused = ferbench("data", "export", "grey", tmp_path / "full")
    assert refused.code == 2 and "is not empty: nothing is overwritten" in refused.err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]
    refused = ferbench("data", "export", "grey", tmp_path / "full" / "mine.txt")
    assert refused.code == 2 and "is a file" in refused.err
    (tmp_path / "empty").mkdir()
    assert ferbench("data", "export", "grey", tmp_path / "empty", "--ids-only").code == 0


def test_an_export_that_fails_half_way_leaves_nothing(
    ferbench: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = Image.Image.save
    calls = iter(range(100))

    def full(self: Image.Image, *arguments: object, **options: object) -> None:
        if next(calls) == 20:
            raise OSError(28, "No space left on device")
        saved(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Image.Image, "save", full)
    refused = ferbench("data", "export", "grey", tmp_path / "folder" / "out")
    assert refused.code == 2 and "The disk is full" in refused.err
    assert list((tmp_path / "folder").iterdir()) == []


def test_file_names_are_safe_different_and_the_same_again() -> None:
    names = [
        "../../up",
        "/etc/passwd",
        "CON",
        "nul.png",
        "A",
        "a",
        "Ä/ö",
        "x" * 300,
        ".hidden",
        "-rf",
        "dot.",
        "",
        "..",
    ]
    found = safe_names(names)
    assert found == safe_names(names)
    assert len({name.lower() for name in found}) == len(names)
    for name in found:
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-")
        assert len(name) <= 100 and name[0] not in ".-" and name[-1] != "."
        assert name.split(".")[0].lower() not in ("con", "nul")
    assert safe_names(["fer2013-00012", "clip_3.1"]) == ["fer2013-00012", "clip_3.1"]
