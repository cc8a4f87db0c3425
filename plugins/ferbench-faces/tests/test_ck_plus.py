"""CK+ in its own layout: three peaks and a neutral frame of every labelled sequence, subjects never on two sides."""

from __future__ import annotations

import io
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from ferbench_faces import lab_ck, lab_ck_clips
from ferbench_faces.lab import lab_datasets
from ferbench_faces.lab_ck import SEQUENCES, read
from PIL import Image

from ferbench import DataError, Fold, Parsed, ReadContext, View
from ferbench.data.parsed import checked

CONTEXT = ReadContext()
SETS = {item.name: item for item in lab_datasets()}
CK, CLIPS = SETS["ck-plus"], SETS["ck-plus-clips"]
NUMBERS = {"Angry": 1, "Contempt": 2, "Disgust": 3, "Fear": 4, "Happy": 5, "Sad": 6, "Surprise": 7}
FOLDERS = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")


@dataclass(frozen=True)
class Listed:
    """A sequence of the published list of folds."""

    fold: int
    number: int
    subject: str
    sequence: str


def published() -> list[Listed]:
    """The 327 labelled sequences with the folds in which Emotion-FAN's list (CK+_10-fold_…_step10.txt) has them."""
    found = []
    for line in (Path(__file__).parent / "ck_plus_folds.txt").read_text().splitlines():
        fold, emotion, *names = line.split()
        found += [Listed(int(fold) - 1, NUMBERS[emotion], *name.split("/")) for name in names]
    return found


@cache
def picture(level: int) -> bytes:
    """A black frame with a brighter square, as PNG."""
    pixels = np.zeros((49, 64), dtype=np.uint8)
    pixels[10:30, 40:60] = level
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def write_sequence(root: Path, item: Listed, frames: int = 4, landmarks: bool = False) -> None:
    stem = f"{item.subject}_{item.sequence}"
    place = root / "cohn-kanade-images" / item.subject / item.sequence
    place.mkdir(parents=True)
    for frame in range(1, frames + 1):
        (place / f"{stem}_{frame:08d}.png").write_bytes(picture(frame))
    label = root / "Emotion" / item.subject / item.sequence
    label.mkdir(parents=True)
    (label / f"{stem}_{frames:08d}_emotion.txt").write_text(f"   {item.number:.7e}\n")
    if landmarks:
        marks = root / "Landmarks" / item.subject / item.sequence
        marks.mkdir(parents=True)
        # 68 points that reach over x 42 to 58 and y 12 to 28
        points = np.stack([np.linspace(42, 58, 68), np.linspace(12, 28, 68)], axis=1)
        text = "".join(f"   {x:.7e}   {y:.7e}\n" for x, y in points)
        for frame in range(1, frames + 1):
            (marks / f"{stem}_{frame:08d}_landmarks.txt").write_text(text)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every labelled sequence, four frames each, and one without a label."""
    root = tmp_path_factory.mktemp("ck")
    for item in published():
        write_sequence(root, item)
    plain = root / "cohn-kanade-images" / "S005" / "003"
    plain.mkdir()
    (plain / "S005_003_00000001.png").write_bytes(picture(0))
    (root / "Emotion" / "S005" / "003").mkdir()
    (root / "cohn-kanade-images" / ".DS_Store").write_bytes(b"\0")
    return root


@pytest.fixture(scope="module")
def parsed(whole: Path) -> Parsed:
    return read(whole, CONTEXT)


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Twelve sequences with landmarks."""
    for item in published()[:12]:
        write_sequence(tmp_path / "ck", item, landmarks=True)
    return tmp_path / "ck"


def folds(parsed: Parsed, name: str) -> list[Fold]:
    rule = next(rule for rule in CK.protocols if rule.name == name)
    return list(rule.divide(parsed.samples))


def test_a_whole_copy_is_read_with_the_published_counts(parsed: Parsed) -> None:
    checked(CK, parsed)
    assert parsed.partial == "" and parsed.corrupted == () and parsed.protocols is None
    assert parsed.inputs is not None and parsed.inputs["image"].shape == (1308, 224, 224)
    assert np.bincount(parsed.samples.targets).tolist() == [135, 54, 177, 75, 207, 84, 249, 327]
    assert len(set(parsed.samples.groups["subject"].tolist())) == 118
    assert any("1 sequences have no emotion label" in note for note in parsed.notes)


def test_the_first_frame_is_neutral_and_the_last_three_are_the_emotion(parsed: Parsed) -> None:
    rows = np.flatnonzero(parsed.samples.groups["clip"] == "S130/007")
    assert [str(parsed.samples.ids[row])[-8:] for row in rows] == ["00000001", "00000002", "00000003", "00000004"]
    assert parsed.samples.targets[rows].tolist() == [7, 0, 0, 0]


def test_folds_are_those_of_the_published_list(parsed: Parsed) -> None:
    expected = {item.subject: item.fold for item in published()}
    for name in ("7-contempt", "7-neutral", "6-class", "8-class"):
        made = folds(parsed, name)
        assert len(made) == 10
        for number, fold in enumerate(made):
            subjects = {str(s) for s in parsed.samples.groups["subject"][fold.test]}
            assert subjects <= {s for s, place in expected.items() if place == number}
            assert not subjects & set(parsed.samples.groups["subject"][fold.train].tolist())
    tested = [len(fold.test) for fold in folds(parsed, "8-class")]
    assert tested == [4 * n for n in (33, 39, 40, 35, 30, 37, 29, 29, 33, 22)]


def test_neutral_frames_of_contempt_are_left_out_with_it(parsed: Parsed) -> None:
    tested = np.concatenate([fold.test for fold in folds(parsed, "7-neutral")])
    assert np.bincount(parsed.samples.targets[tested], minlength=8).tolist() == [135, 0, 177, 75, 207, 84, 249, 309]


def test_random_pictures_are_a_protocol_that_says_it_leaks(parsed: Parsed) -> None:
    rule = next(rule for rule in CK.protocols if rule.name == "image-70-10-20")
    (fold,) = folds(parsed, rule.name)
    assert fold.val is not None
    shares = [len(side) / len(parsed.samples.ids) for side in (fold.train, fold.val, fold.test)]
    np.testing.assert_allclose(shares, (0.7, 0.1, 0.2), atol=0.01)
    clips = parsed.samples.groups["clip"]
    assert set(clips[fold.train].tolist()) & set(clips[fold.test].tolist())
    assert rule.allow_leak


def test_protocols_keep_subjects_apart_unless_they_say_that_they_leak() -> None:
    for rule in (*CK.protocols, *CLIPS.protocols):
        assert rule.allow_leak or rule.unit == "subject"
    assert [rule.name for rule in CK.protocols if rule.allow_leak] == ["image-70-10-20", "index-10-fold"]


def test_folds_by_place_are_those_of_the_code_that_papers_ran(parsed: Parsed) -> None:
    """Computed from CK.py of WuJie1010/Facial-Expression-Recognition.Pytorch: its sizes, and its two oddities."""
    made = folds(parsed, "index-10-fold")
    assert [len(fold.test) for fold in made] == [99] * 10 and [len(fold.train) for fold in made] == [882] * 10
    samples = parsed.samples
    anger = np.sort(samples.ids[samples.targets == 0])
    assert sorted(samples.ids[made[0].test][samples.targets[made[0].test] == 0].tolist()) == anger[:12].tolist()
    assert sorted(samples.ids[made[9].test][samples.targets[made[9].test] == 0].tolist()) == anger[-12:].tolist()
    # Nine runs of nine are longer than the 75 pictures of fear: the ninth reaches into happiness.
    assert np.bincount(samples.targets[made[8].test], minlength=7).tolist() == [12, 6, 18, 3, 27, 9, 24]
    shared = set(samples.groups["subject"][made[0].train].tolist()) & set(
        samples.groups["subject"][made[0].test].tolist()
    )
    assert shared


def test_folds_by_place_need_every_picture(few: Path) -> None:
    with pytest.raises(DataError, match="it divides 981 pictures by their places, and this copy has 36"):
        folds(read(few, CONTEXT), "index-10-fold")


def test_landmarks_cut_the_face_out(few: Path) -> None:
    with_landmarks = read(few, CONTEXT)
    assert with_landmarks.inputs is not None
    image = with_landmarks.inputs["image"][0]
    assert image.min() == image.max() == 1  # the box of 20 pixels about the 16 of the landmarks is bright all over
    shutil.rmtree(few / "Landmarks")
    without = read(few, CONTEXT)
    assert without.inputs is not None and without.inputs["image"][0].min() == 0
    assert any("There are no landmarks" in note for note in without.notes)


def test_the_copy_of_faces_in_folders_offers_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = [item for item in published() if item.fold == 0]
    counts = Counter(FOLDERS[item.number - 1] for item in some)
    counts["happiness"] = counts.pop("happy")
    monkeypatch.setattr(lab_ck, "SEQUENCES", {name: counts[name] for name in SEQUENCES})
    for item in some:
        place = tmp_path / "CK+48" / FOLDERS[item.number - 1]
        place.mkdir(parents=True, exist_ok=True)
        for frame in (9, 10, 11):
            (place / f"{item.subject}_{item.sequence}_{frame:08d}.png").write_bytes(picture(item.number))
    copy = read(tmp_path, CONTEXT)
    assert copy.partial == "" and copy.protocols == ("7-contempt", "6-class", "image-70-10-20", "index-10-fold")
    assert copy.inputs is not None and copy.inputs["image"].shape == (99, 49, 64)
    assert np.bincount(copy.samples.targets).tolist() == [6, 3, 21, 12, 21, 12, 24]
    within = read(tmp_path / "CK+48", CONTEXT)
    np.testing.assert_array_equal(within.samples.ids, copy.samples.ids)
    (tmp_path / "CK+48" / "fear" / "S501_004_00000011.png").unlink()
    assert "98 pictures instead of 99 (fear 11 of 12)" in read(tmp_path, CONTEXT).partial


def label(root: Path, item: Listed) -> Path:
    return next((root / "Emotion" / item.subject / item.sequence).iterdir())


def remove_a_peak(root: Path) -> None:
    item = published()[0]
    (
        root / "cohn-kanade-images" / item.subject / item.sequence / f"{item.subject}_{item.sequence}_00000004.png"
    ).unlink()


def remove_frames(root: Path) -> None:
    shutil.rmtree(root / "cohn-kanade-images" / "S130" / "007")


def remove_landmarks(root: Path) -> None:
    (root / "Landmarks" / "S130" / "007" / "S130_007_00000004_landmarks.txt").unlink()


@pytest.mark.parametrize(
    ("change", "said", "samples"),
    [
        (remove_a_peak, "labelled sequences without their first or last frames: S130/007", 44),
        (remove_frames, "labelled sequences without their first or last frames: S130/007", 44),
        (remove_landmarks, r"frames without landmarks: .*S130_007_00000004\.png", 47),
    ],
)
def test_a_part_that_is_missing_is_named_and_left_out(
    few: Path, change: Callable[[Path], None], said: str, samples: int
) -> None:
    change(few)
    found = read(few, CONTEXT)
    assert len(found.samples.ids) == samples
    assert re.search(said, found.partial)


def test_few_sequences_are_a_partial_copy(few: Path) -> None:
    assert "12 labelled sequences instead of 327 (anger 2 of 45, contempt 1 of 18" in read(few, CONTEXT).partial


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("   9.0000000e+00", r"S130_007_00000004_emotion\.txt says '9\.0000000e\+00', which is no emotion of CK\+"),
        ("0", r"says '0', which is no emotion of CK\+ \(1 to 7"),
        ("happy", "says 'happy', which is no emotion"),
        ("nan", "says 'nan', which is no emotion"),
        ("1.5", "says '1.5', which is no emotion"),
        ("", "says '', which is no emotion"),
    ],
)
def test_a_label_outside_of_the_set_is_refused_with_its_file(few: Path, text: str, message: str) -> None:
    label(few, published()[0]).write_text(text)
    with pytest.raises(DataError, match=message):
        read(few, CONTEXT)


@pytest.mark.parametrize("text", ["1 2\n3 4\n", "1 2 3\n" * 68, "1 x\n" * 68, "1 nan\n" * 68, "1 1e300\n" * 68, ""])
def test_damaged_landmarks_are_refused_with_their_file(few: Path, text: str) -> None:
    (few / "Landmarks" / "S130" / "007" / "S130_007_00000004_landmarks.txt").write_text(text)
    with pytest.raises(DataError, match=r"S130_007_00000004_landmarks\.txt does not hold 68 landmarks"):
        read(few, CONTEXT)


def test_two_labels_of_one_sequence_are_refused(few: Path) -> None:
    own = label(few, published()[0])
    shutil.copy(own, own.with_name("S130_007_00000003_emotion.txt"))
    with pytest.raises(DataError, match="Two emotion labels are of sequence S130/007"):
        read(few, CONTEXT)


def test_a_folder_that_holds_the_set_twice_is_refused(few: Path) -> None:
    shutil.copytree(few / "cohn-kanade-images", few / "again")
    with pytest.raises(DataError, match="are the same part of CK\\+: the folder holds the data set more than once"):
        read(few, CONTEXT)


def test_the_set_is_found_below_a_folder_too_high(few: Path) -> None:
    outer = few.parent / "outer"
    outer.mkdir()
    few.rename(outer / "CK+")
    assert len(read(outer, CONTEXT).samples.ids) == 48


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("cohn-kanade-images", "holds frames of CK\\+ but no emotion labels .*Unpack Emotion_labels.zip beside"),
        ("Emotion", "holds no frames of CK\\+ .*Add the folder that holds both"),
    ],
)
def test_a_folder_too_low_is_told_which_one_to_add(few: Path, folder: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(few / folder, CONTEXT)


def test_an_archive_is_to_be_unpacked(few: Path) -> None:
    archive = Path(shutil.make_archive(str(few), "zip", few))
    with pytest.raises(DataError, match=r"ck\.zip is a file\. Unpack the archives of CK\+ into one folder"):
        read(archive, CONTEXT)


def test_a_damaged_picture_is_counted(few: Path) -> None:
    (few / "cohn-kanade-images" / "S130" / "007" / "S130_007_00000004.png").write_bytes(b"no picture")
    found = read(few, CONTEXT)
    (fault,) = found.corrupted
    assert fault.endswith("S130_007_00000004.png: it is no picture") and len(found.samples.ids) == 47


def test_clips_are_all_frames_of_each_labelled_sequence(whole: Path) -> None:
    copy = lab_ck_clips.read(whole, CONTEXT)
    checked(CLIPS, copy)
    assert copy.partial == "" and copy.files is not None and len(copy.files) == 327
    assert np.bincount(copy.samples.targets).tolist() == [45, 18, 59, 25, 69, 28, 83]
    tested = [len(fold.test) for fold in CLIPS.protocols[0].divide(copy.samples)]
    assert tested == [33, 39, 40, 35, 30, 37, 29, 29, 33, 22]


def test_a_clip_gives_the_frames_that_are_asked_for(tmp_path: Path) -> None:
    write_sequence(tmp_path, published()[0], frames=9, landmarks=True)
    copy = lab_ck_clips.read(tmp_path, CONTEXT)
    assert copy.files is not None
    rng = np.random.default_rng(0)
    every = lab_ck_clips.decode(tmp_path / copy.files[0], View(), rng)["video"]
    assert every.shape == (9, 224, 224, 1) and every.dtype == np.uint8
    assert every.mean(axis=(1, 2, 3)).tolist() == list(range(1, 10))  # the face alone, brighter from frame to frame
    middle = lab_ck_clips.decode(tmp_path / copy.files[0], View(frames=3), rng)["video"]
    assert middle.mean(axis=(1, 2, 3)).tolist() == [2, 5, 8]


def test_a_clip_has_no_frames_but_its_own(tmp_path: Path) -> None:
    write_sequence(tmp_path, published()[0], frames=5)
    copy = lab_ck_clips.read(tmp_path, CONTEXT)
    assert copy.files is not None
    last = tmp_path / copy.files[0]
    last.with_name(f"{last.stem} (2).png").write_bytes(last.read_bytes())
    assert lab_ck_clips.read(tmp_path, CONTEXT).files == copy.files
    assert len(lab_ck_clips.decode(last, View(), np.random.default_rng(0))["video"]) == 5


def test_clips_without_all_their_landmarks_are_named(few: Path) -> None:
    (few / "Landmarks" / "S130" / "007" / "S130_007_00000002_landmarks.txt").unlink()
    copy = lab_ck_clips.read(few, CONTEXT)
    assert "in Landmarks beside cohn-kanade-images: S130/007" in copy.partial and len(copy.samples.ids) == 11


def test_a_damaged_frame_of_a_clip_is_named(few: Path) -> None:
    frame = few / "cohn-kanade-images" / "S130" / "007" / "S130_007_00000002.png"
    frame.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"S130_007_00000002\.png cannot be read: it is no picture"):
        lab_ck_clips.decode(frame.with_name("S130_007_00000004.png"), View(), np.random.default_rng(0))


def test_a_clip_with_a_damaged_frame_is_left_out_and_the_frame_counted(few: Path) -> None:
    frame = few / "cohn-kanade-images" / "S130" / "007" / "S130_007_00000002.png"
    frame.write_bytes(frame.read_bytes()[:40])
    copy = lab_ck_clips.read(few, CONTEXT)
    (fault,) = copy.corrupted
    assert "S130_007_00000002.png: " in fault and len(copy.samples.ids) == 11


def test_damaged_landmarks_of_any_frame_of_a_clip_are_refused(few: Path) -> None:
    (few / "Landmarks" / "S130" / "007" / "S130_007_00000002_landmarks.txt").write_text("1 2")
    with pytest.raises(DataError, match=r"S130_007_00000002_landmarks\.txt does not hold 68 landmarks"):
        lab_ck_clips.read(few, CONTEXT)


def test_clips_need_labels(few: Path) -> None:
    with pytest.raises(DataError, match="holds frames of CK\\+ but no emotion labels"):
        lab_ck_clips.read(few / "cohn-kanade-images", CONTEXT)
