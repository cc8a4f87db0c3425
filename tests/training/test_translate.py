"""A teacher sees what its student sees."""

from __future__ import annotations

import pytest
import torch

from ferbench import Batch, Input, TrainingError
from ferbench.training.prepare import Preparer
from ferbench.training.translate import translated
from tests.training.faces import faces

RAW = Batch({"image": faces(6, 1, 16, 16)}, torch.zeros(6, dtype=torch.long))


@pytest.mark.parametrize("ours", [Input(), Input(normalise="signed", channels=3), Input(normalise="imagenet")])
@pytest.mark.parametrize(
    "theirs", [Input(channels=1), Input(normalise="imagenet", channels=3), Input(normalise="plane", channels=1)]
)
def test_pictures_arrive_as_the_other_network_would_have_been_given_them(ours: Input, theirs: Input) -> None:
    student, teacher = Preparer(ours), Preparer(theirs)
    given = translated(student.test(RAW), student, teacher, 16).inputs["image"]
    torch.testing.assert_close(given, teacher.test(RAW).inputs["image"])


def test_another_size_is_reached() -> None:
    student, teacher = Preparer(Input()), Preparer(Input(channels=3))
    assert translated(student.test(RAW), student, teacher, 32).inputs["image"].shape == (6, 3, 32, 32)


def test_what_is_prepared_alike_is_passed_on_unchanged() -> None:
    student, teacher = Preparer(Input(normalise="plane")), Preparer(Input(normalise="plane"))
    batch = student.test(RAW)
    assert translated(batch, student, teacher, 16).inputs["image"] is batch.inputs["image"]


def test_a_normalisation_of_whole_pictures_cannot_be_undone() -> None:
    student, teacher = Preparer(Input(normalise="each")), Preparer(Input())
    with pytest.raises(TrainingError, match="normalise = 'each' looks at each picture"):
        translated(student.test(RAW), student, teacher, 16)
