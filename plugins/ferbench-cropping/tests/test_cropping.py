"""Faces cut out of made-up pictures, with a detector that looks for a white square."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ferbench_cropping.cropping import cropped
from ferbench_cropping.detectors import Detector, Face, largest
from ferbench_cropping.geometry import TEMPLATE
from ferbench_cropping.naming import Crop
from PIL import Image

from ferbench import DataError, Dataset, Parsed, ProtocolRule, Samples, View, k_fold

SIDE, FACELESS = 40, 2


def white_squares(picture: np.ndarray) -> list[Face]:
    """The rectangle around everything that is white, with landmarks at its middle and corners."""
    grey = picture if picture.ndim == 2 else picture.max(axis=2)
    rows, columns = np.nonzero(grey == 255)
    if not len(rows):
        return []
    left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    middle = (left + right) / 2, (top + bottom) / 2
    marks = [(left, top), (right, top), middle, (left, bottom), (right, bottom)]
    return [Face(np.array([left, top, right, bottom], dtype=float), np.array(marks, dtype=float))]


SQUARES = Detector(white_squares, "white-squares 1")


def pictures(colour: bool = False) -> np.ndarray:
    """Six pictures with a white square of 16 pixels on dark ground, of which the third has none."""
    drawn = np.full((6, SIDE, SIDE), 10, dtype=np.uint8)
    for place in range(6):
        if place != FACELESS:
            drawn[place, 12:28, 8 + place : 24 + place] = 255
    return np.stack([drawn, drawn // 2, drawn], axis=-1) if colour else drawn


def base(inputs: np.ndarray) -> tuple[Dataset, Parsed]:
    """A data set of these pictures."""
    samples = Samples(
        ids=np.array([f"face-{place}" for place in range(6)]),
        targets=np.arange(6) % 2,
        origin=np.array(["train"] * 4 + ["test"] * 2),
        groups={"subject": np.array(list("aabbcc"))},
        columns={"source": np.array(list("uvwxyz"))},
    )
    rule = ProtocolRule("2-fold", k_fold(2, "subject"), unit="subject")
    dataset = Dataset("squares", "Squares", ("black", "white"), (rule,), lambda path, context: parsed)
    parsed = Parsed(samples, {"image": inputs}, protocols=("2-fold",))
    return dataset, parsed


def crop(**options: Any) -> Crop:
    """How faces are cut out, whole pictures where there is none."""
    return replace(Crop("haar", "haar", size=20, policy="whole"), **options)


def faces_of(parsed: Parsed) -> np.ndarray:
    """The pictures of a cropped data set."""
    assert parsed.inputs is not None
    return np.asarray(parsed.inputs["image"])


def test_a_face_fills_four_fifths_of_its_picture() -> None:
    """The square is a quarter larger than the face: of 20 pixels 16 are white."""
    made = faces_of(cropped(*base(pictures()), crop(), SQUARES))
    assert made.shape == (6, 20, 20) and made.dtype == np.uint8
    assert [(made[place] == 255).sum() for place in (0, 1, 3, 4, 5)] == [256] * 5
    assert (made[0, 2:18, 2:18] == 255).all()


def test_a_picture_without_a_face_is_an_error_unless_the_name_says_otherwise() -> None:
    with pytest.raises(DataError, match=r"no face in 1 of the 6 pictures of squares: face-2\. .*cropped:haar-20-skip:"):
        cropped(*base(pictures()), crop(policy="refuse", written="haar-20"), SQUARES)


def test_a_long_list_of_pictures_without_a_face_is_cut() -> None:
    dataset, parsed = base(np.zeros((6, SIDE, SIDE), dtype=np.uint8))
    with pytest.raises(DataError, match=r"6 of the 6 .*face-0, face-1, face-2, face-3, face-4 and 1 more"):
        cropped(dataset, parsed, crop(policy="refuse"), SQUARES)
    with pytest.raises(DataError, match="no face in any of the 6 pictures"):
        cropped(dataset, parsed, crop(policy="skip"), SQUARES)


def test_pictures_without_a_face_are_left_out_and_counted() -> None:
    """Every fact of the others stays with its picture."""
    made = cropped(*base(pictures()), crop(policy="skip"), SQUARES)
    samples = made.samples
    assert len(faces_of(made)) == 5 and samples.ids.tolist() == ["face-0", "face-1", "face-3", "face-4", "face-5"]
    assert samples.targets.tolist() == [0, 1, 1, 0, 1] and "".join(samples.groups["subject"]) == "aabcc"
    assert "".join(samples.columns["source"]) == "uvxyz" and samples.columns["face_found"].all()
    assert samples.origin is not None and samples.origin.tolist() == ["train"] * 3 + ["test"] * 2
    assert made.notes == (
        "faces found by haar (white-squares 1) in 5 of 6 pictures",
        "1 picture without a face left out",
    )


def test_faces_are_dealt_to_sides_as_their_pictures_are() -> None:
    dataset, parsed = base(pictures())
    hashes = np.arange(6, dtype=np.uint64)
    parsed = replace(parsed, samples=replace(parsed.samples, hashes=hashes))
    made = cropped(dataset, parsed, crop(policy="skip"), SQUARES)
    assert made.samples.columns["dealt_as"].tolist() == [0, 1, 3, 4, 5]


def test_pictures_without_a_face_are_taken_whole_and_counted() -> None:
    drawn = pictures()
    drawn[FACELESS, :, 20:] = 90
    made = cropped(*base(drawn), crop(), SQUARES)
    columns = made.samples.columns
    assert columns["face_found"].tolist() == [True, True, False, True, True, True]
    assert columns["face_box"][FACELESS].tolist() == [0, 0, SIDE, SIDE]
    assert columns["face_box"][0].tolist() == [6, 10, 26, 30]
    whole = faces_of(made)[FACELESS]
    assert (whole[:, :9] == 10).all() and (whole[:, 11:] == 90).all()
    assert made.notes[1] == "1 picture without a face taken whole"


@pytest.mark.parametrize(
    ("of", "chosen", "shape"),
    [(False, None, ()), (True, None, (3,)), (False, True, (3,)), (True, False, ())],
)
def test_colour_is_that_of_the_pictures_unless_chosen(of: bool, chosen: bool | None, shape: tuple[int, ...]) -> None:
    made = faces_of(cropped(*base(pictures(of)), crop(colour=chosen), SQUARES))
    assert made.shape == (6, 20, 20, *shape)


def test_grey_is_luminance() -> None:
    """ITU-R 601: 0.299 R + 0.587 G + 0.114 B."""
    made = faces_of(cropped(*base(pictures(colour=True)), crop(colour=False), SQUARES))
    assert made[0, 10, 10] == round(0.299 * 255 + 0.587 * 127 + 0.114 * 255)


def test_landmarks_are_used_only_when_asked_for() -> None:
    """Aligned, the square's upper corners lie where the eyes belong: it begins at 46 % of the height."""
    dataset, parsed = base(pictures())
    plain = faces_of(cropped(dataset, parsed, crop(size=112), SQUARES))
    turned = faces_of(cropped(dataset, parsed, crop(size=112, aligned=True), SQUARES))
    middle = TEMPLATE[:, 0].mean()
    white = np.flatnonzero(turned[0, :, round(middle)] > 128)
    assert abs(white[0] - TEMPLATE[:2, 1].mean()) < 5 and abs(white[-1] - TEMPLATE[3:, 1].mean()) < 5
    assert (plain[0] > 128).sum() > 4 * (turned[0] > 128).sum()


def test_streamed_pictures_are_read_by_their_own_decode(tmp_path: Path) -> None:
    """With the box of their table, which what is made from them no longer has."""
    seen = []

    def decode(path: Path, view: View, rng: np.random.Generator) -> dict[str, np.ndarray]:
        seen.append(view.box)
        return {"image": np.array(Image.open(path))}

    dataset, parsed = base(pictures())
    for place, drawn in enumerate(pictures()):
        Image.fromarray(drawn).save(tmp_path / f"{place}.png")
    boxes = np.tile(np.array([0, 0, SIDE, SIDE]), (6, 1))
    streamed = replace(
        parsed,
        inputs=None,
        files=[str(tmp_path / f"{place}.png") for place in range(6)],
        samples=replace(parsed.samples, columns={"box": boxes}),
    )
    made = cropped(replace(dataset, decode=decode), streamed, crop(), SQUARES)
    assert seen == [(0, 0, SIDE, SIDE)] * 6 and made.files is None
    assert set(made.samples.columns) == {"face_found", "face_box"}
    np.testing.assert_array_equal(faces_of(made), faces_of(cropped(dataset, parsed, crop(), SQUARES)))


def test_a_streamed_picture_that_cannot_be_read_any_more_is_named(tmp_path: Path) -> None:
    """Files of a set that streams may have gone, or been damaged, since it was added."""

    def decode(path: Path, view: View, rng: np.random.Generator) -> dict[str, np.ndarray]:
        raise RuntimeError("it is gone")

    dataset, parsed = base(pictures())
    streamed = replace(parsed, inputs=None, files=[str(tmp_path / f"{place}.png") for place in range(6)])
    with pytest.raises(DataError, match=r"0\.png cannot be decoded: RuntimeError: it is gone"):
        cropped(replace(dataset, decode=decode), streamed, crop(), SQUARES)


def test_faces_that_do_not_fit_in_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ferbench_cropping.cropping.MOST_BYTES", 6 * 20 * 20 - 1)
    with pytest.raises(DataError, match="6 faces of 20×20 pixels would take"):
        cropped(*base(pictures()), crop(), SQUARES)


@pytest.mark.parametrize("order", [lambda faces: faces, lambda faces: faces[::-1]])
def test_the_largest_face_is_taken_whatever_the_order(order: Callable[[list[Face]], list[Face]]) -> None:
    small, left, right = (Face(np.array(box, dtype=float)) for box in ([0, 0, 5, 5], [10, 0, 20, 10], [30, 0, 40, 10]))
    assert largest(order([small, left, right])) is left
    assert largest([]) is None
