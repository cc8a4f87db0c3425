"""What all laboratory sets have in common: facts for people, classes as their readers number them, subjects apart."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from ferbench_faces import lab_ck, lab_disfa_labels, lab_jaffe, lab_mmi, lab_multipie, lab_oulu
from ferbench_faces.lab import lab_datasets
from ferbench_faces.lab_folds import listed_folds

from ferbench import DataError, Dataset, Samples

SETS = {dataset.name: dataset for dataset in lab_datasets()}
CLASSES = {
    "ck-plus": lab_ck.CLASSES,
    "ck-plus-clips": lab_ck.CLASSES[:7],
    "jaffe": lab_jaffe.CLASSES,
    "disfa": tuple(f"AU{unit}" for unit in lab_disfa_labels.UNITS),
    "disfa-emotions": lab_disfa_labels.EMOTIONS,
    "oulu-casia": lab_oulu.CLASSES,
    "mmi": lab_mmi.CLASSES,
    "multi-pie": lab_multipie.CLASSES,
}


@pytest.mark.parametrize("dataset", SETS.values(), ids=list(SETS))
def test_classes_are_those_that_the_reader_numbers(dataset: Dataset) -> None:
    assert dataset.classes == CLASSES[dataset.name]


@pytest.mark.parametrize("dataset", SETS.values(), ids=list(SETS))
def test_licence_source_and_citation_are_stated_and_no_picture_is_published(dataset: Dataset) -> None:
    assert dataset.licence and dataset.how_to_get.startswith("http") and not dataset.public
    assert dataset.paper is not None and dataset.paper.url.startswith("https://doi.org/")


@pytest.mark.parametrize("dataset", SETS.values(), ids=list(SETS))
def test_the_default_protocol_keeps_subjects_apart(dataset: Dataset) -> None:
    assert dataset.default_protocol.unit == "subject" and not dataset.default_protocol.allow_leak


def test_listed_folds_know_every_subject() -> None:
    samples = Samples(np.array(["1", "2"]), np.array([0, 1]), groups={"subject": np.array(["SN001", "SN099"])})
    with pytest.raises(DataError, match="the published folds do not name the subjects SN099"):
        listed_folds(("SN001",), ("SN002",))(samples)


def test_listing_the_sets_imports_no_numpy() -> None:
    code = "import sys, ferbench_faces.lab as lab; list(lab.lab_datasets()); print('numpy' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"
