"""The three detectors themselves, on drawn faces and on real ones."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ferbench_cropping import make
from ferbench_cropping.detectors import Find, detector, largest
from ferbench_cropping.geometry import TEMPLATE, similarity

from ferbench import DataError, UnknownNameError
from ferbench.builtin.demo_data import make_demo
from ferbench.data.folds import make_sides
from ferbench.data.registry import load
from ferbench.plugins import discover

MODULES = {"haar": "cv2", "mtcnn": "facenet_pytorch", "hog": "dlib"}


@pytest.fixture(scope="module", params=sorted(MODULES))
def find(request: pytest.FixtureRequest) -> Find:
    """Each detector that is installed."""
    if importlib.util.find_spec(MODULES[request.param]) is None:
        pytest.skip(f"{MODULES[request.param]} is not installed")
    return detector(request.param).find


def frames(video: Path, count: int) -> list[np.ndarray]:
    """Frames of a video at equal distances, uint8 [h, w, 3], red first."""
    cv2 = pytest.importorskip("cv2")
    if not video.exists():
        pytest.skip(f"FERBENCH_TEST_DATA has no {video.name}")
    capture, read = cv2.VideoCapture(str(video)), []
    while True:
        there, frame = capture.read()
        if not there:
            break
        read.append(np.ascontiguousarray(frame[..., ::-1]))
    assert len(read) >= count
    return [read[place] for place in np.linspace(0, len(read) - 1, count).round().astype(int)]


def test_a_real_face_is_found_in_every_frame(find: Find, test_data: Path) -> None:
    """It is the same face, so that its place and size change little."""
    faces = [largest(find(frame)) for frame in frames(test_data / "video" / "single_face.mp4", 4)]
    boxes = np.array([face.box for face in faces if face is not None])
    assert len(boxes) == 4 and (boxes[:, 2:] - boxes[:, :2] > 40).all()
    assert (boxes.std(axis=0) < 40).all()


def test_no_face_is_found_where_there_is_none(find: Find, test_data: Path) -> None:
    assert [find(frame) for frame in frames(test_data / "video" / "no_face.mp4", 2)] == [[], []]


def test_landmarks_are_eyes_nose_and_mouth_in_the_order_of_the_template(test_data: Path) -> None:
    """A turn and a scale bring those of a real face to the template within a tenth of its size, upright."""
    pytest.importorskip("facenet_pytorch")
    face = largest(detector("mtcnn").find(frames(test_data / "video" / "single_face.mp4", 1)[0]))
    assert face is not None and face.landmarks is not None
    turn, shift = similarity(face.landmarks, TEMPLATE)
    placed = turn * (face.landmarks @ [1, 1j]) + shift
    assert np.abs(placed - TEMPLATE @ [1, 1j]).max() < 11 and abs(np.angle(turn, deg=True)) < 30


def test_small_grey_and_empty_pictures_are_no_fault(find: Find) -> None:
    for shape in ((5, 5), (30, 12), (48, 48), (19, 90, 3), (48, 48, 1)):
        assert find(np.full(shape, 128, dtype=np.uint8)) == []


def test_a_detector_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(DataError, match=r"hog needs dlib.*pip install 'ferbench-cropping\[hog\]'"):
        detector("hog")


def test_an_opencv_without_the_cascade_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    cv2 = pytest.importorskip("cv2")
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(DataError, match=r"haar needs OpenCV below version 5.*'ferbench-cropping\[haar\]'"):
        detector("haar")


def test_the_number_of_pictures_without_a_face_stands_at_every_row(data_root: Path) -> None:
    """The set is made once, on first use, and divided as the one from which it is made."""
    pytest.importorskip("dlib")
    demo = discover().dataset("demo")
    base = replace(demo, name="few", read=lambda path, context: make_demo(300))
    faces = make("hog-8-skip:few", {"few": base}.__getitem__)
    loaded, whole = load(faces), load(base)
    assert loaded.inputs is not None and loaded.inputs["image"].shape[1:] == (8, 8)
    without = len(whole.samples.ids) - len(loaded.samples.ids)
    assert 0 < without < 150 and set(loaded.samples.ids) < set(whole.samples.ids)
    assert f"{without:,} pictures without a face left out" in loaded.notes
    assert set(loaded.notes) <= set(make_sides(loaded, faces.protocols[0], 0).notes)
    again = replace(faces, read=lambda path, context: pytest.fail("made again"))
    assert load(again).fingerprint == loaded.fingerprint


def test_faces_are_cut_out_of_pictures_alone() -> None:
    clips = replace(discover().dataset("demo"), modality="video")
    with pytest.raises(UnknownNameError, match="faces are cut out of pictures"):
        make("haar:clips", lambda name: clips)


@pytest.mark.parametrize("name", ["cropped:haar:nothing", "cropped:haar", "cropped:nobody:demo"])
def test_names_without_a_meaning_are_refused(name: str) -> None:
    with pytest.raises(UnknownNameError):
        discover().dataset(name)
