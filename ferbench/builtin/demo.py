"""The embedded demo: drawn faces, so that everything can be tried, and every tool checked against a known truth."""

from __future__ import annotations

from ferbench.data.division import given_split, grouped_holdout, k_fold
from ferbench.nouns.dataset import Dataset, ProtocolRule
from ferbench.nouns.emotions import EMOTIONS


def demo_dataset() -> Dataset:
    """The data set ``demo``: 3,000 synthetic faces with known action units, persons, copies and wrong labels."""
    return Dataset(
        name="demo",
        description=(
            "3,000 drawn faces, 48×48 grey, in FER2013's classes and class proportions. Who is shown, the action "
            "units, wrong labels and exact copies are known and stand in the data set's table."
        ),
        classes=EMOTIONS[:7],
        protocols=(
            ProtocolRule(
                name="official",
                divide=given_split("train", "val", "test"),
                description=(
                    "2,000 faces to train, 500 to choose, 500 to test. As in FER2013, the same persons and a few "
                    "exact copies stand on several sides."
                ),
                unit="sample",
                allow_leak=True,
            ),
            ProtocolRule(
                name="subject-disjoint",
                divide=grouped_holdout(0.2, by="subject"),
                description="A fifth of the faces as test; no person on two sides.",
                unit="subject",
            ),
            ProtocolRule(
                name="subject-5-fold",
                divide=k_fold(5, by="subject"),
                description="Five folds, each person tested once; no person on two sides.",
                unit="subject",
            ),
        ),
        read="ferbench.builtin.demo_data:read",
        embedded=True,
        synthetic=True,
        public=True,
        licence="Apache-2.0",
        tags=frozenset({"synthetic", "faces"}),
    )
