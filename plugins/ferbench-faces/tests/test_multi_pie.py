"""Multi-PIE: one frontal picture of every recording; what it shows follows from session and recording."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ferbench_faces.lab import lab_datasets
from ferbench_faces.lab_multipie import CLASSES, COUNTS, EXPRESSIONS, read
from PIL import Image

from ferbench import DataError, ReadContext
from ferbench.data.parsed import checked

CONTEXT = ReadContext()
MULTI_PIE = next(item for item in lab_datasets() if item.name == "multi-pie")
PEOPLE = {"01": 249, "02": 203, "03": 230, "04": 239}


def write(
    root: Path, people: dict[str, int], cameras: tuple[str, ...] = ("05_1",), flashes: tuple[int, ...] = (7,)
) -> Path:
    pixels = Image.fromarray(np.zeros((12, 16), dtype=np.uint8))
    for session, recording in EXPRESSIONS:
        for subject in range(1, people.get(session, 0) + 1):
            for camera in cameras:
                place = root / f"session{session}" / "multiview" / f"{subject:03d}" / recording / camera
                place.mkdir(parents=True)
                for flash in flashes:
                    name = f"{subject:03d}_{session}_{recording}_{camera.replace('_', '')}_{flash:02d}.png"
                    pixels.save(place / name, compress_level=0)
    return root


def test_the_counts_that_are_checked_are_those_of_everybody_in_every_session() -> None:
    everybody = Counter[str]()
    for (session, _), name in EXPRESSIONS.items():
        everybody[name] += PEOPLE[session]
    assert dict(everybody) == COUNTS and sum(COUNTS.values()) == 2514


def test_pictures_are_read_at_half_their_size(tmp_path: Path) -> None:
    copy = read(write(tmp_path, {"01": 2}), CONTEXT)
    checked(MULTI_PIE, copy)
    assert copy.inputs is not None and copy.inputs["image"].shape == (4, 240, 320)


def test_the_frontal_camera_and_flash_alone_are_taken(tmp_path: Path) -> None:
    root = write(tmp_path, {"02": 3}, cameras=("05_1", "05_0", "08_1"), flashes=(0, 7))
    copy = read(root, CONTEXT)
    assert len(copy.samples.ids) == 9 and "9 pictures instead of 2,514" in copy.partial
    row = copy.samples.ids.tolist().index("multi-pie-002_02_03")
    assert CLASSES[copy.samples.targets[row]] == "squint" and copy.samples.groups["subject"][row] == "002"


def test_one_person_of_several_sessions_stays_on_one_side(tmp_path: Path) -> None:
    samples = read(write(tmp_path, {"01": 10, "03": 10}), CONTEXT).samples
    subjects = samples.groups["subject"]
    (rule,) = MULTI_PIE.protocols
    folds = rule.divide(samples)
    assert rule.unit == "subject" and len(folds) == 5
    for fold in folds:
        assert not set(subjects[fold.train].tolist()) & set(subjects[fold.test].tolist())


def test_too_few_subjects_cannot_be_dealt(tmp_path: Path) -> None:
    samples = read(write(tmp_path, {"01": 4}), CONTEXT).samples
    with pytest.raises(DataError, match="4 subjects cannot be dealt into 5 folds"):
        MULTI_PIE.protocols[0].divide(samples)


def test_any_level_of_the_folder_will_do(tmp_path: Path) -> None:
    root = write(tmp_path / "data", {"01": 2})
    for folder in (tmp_path, root / "session01"):
        assert len(read(folder, CONTEXT).samples.ids) == 4
    assert len(read(root / "session01" / "multiview" / "001" / "01" / "05_1", CONTEXT).samples.ids) == 1


@pytest.mark.parametrize("name", ["001_01_03_051_07.png", "001_05_01_051_07.png"])
def test_a_recording_that_is_not_of_the_set_is_refused(tmp_path: Path, name: str) -> None:
    place = write(tmp_path, {"01": 1}) / "session01" / "multiview" / "001" / "01" / "05_1"
    (place / "001_01_01_051_07.png").rename(place / name)
    with pytest.raises(DataError, match=rf"{name.replace('.', '[.]')}: Multi-PIE has no session"):
        read(tmp_path, CONTEXT)


def test_a_folder_without_the_frontal_camera_is_told_what_to_add(tmp_path: Path) -> None:
    write(tmp_path, {"01": 1}, cameras=("08_1",))
    with pytest.raises(DataError, match=r"holds no frontal picture of Multi-PIE .*session01 to session04"):
        read(tmp_path, CONTEXT)
