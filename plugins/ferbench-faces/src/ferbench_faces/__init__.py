"""Face data sets in the layouts in which they are distributed, and any folder or table of pictures."""

from __future__ import annotations

from collections.abc import Iterator

from ferbench import Composition, Dataset, Family, Suite, hookimpl
from ferbench_faces.further import further_datasets
from ferbench_faces.lab import lab_datasets
from ferbench_faces.own import make
from ferbench_faces.wild import wild_datasets

plugin_api = 1


@hookimpl
def ferbench_datasets() -> Iterator[Dataset | Family]:
    """Sets from the web, sets recorded in a laboratory, and a user's own pictures."""
    yield from wild_datasets()
    yield from lab_datasets()
    yield from further_datasets()
    yield Family(
        "folder", _folder, "Any folder of pictures: a folder a class, below train, val and test where these are"
    )
    yield Family(
        "csv", _table, "Any table of pictures: columns path and label, and split and subject if there are such"
    )


@hookimpl
def ferbench_suites() -> Iterator[Suite]:
    """The transfer between all face sets at hand, and six emotions out of several sets."""
    yield Suite(
        name="face-transfer",
        description="Trained on each face set with one label a picture that is registered here, tested on all of them: "
        "`ferbench transfer` shows the matrix.",
        datasets=("tag:faces",),
        models=("small-cnn",),
        metrics=("accuracy", "balanced-accuracy", "macro-f1"),
        evaluate_on=("tag:faces",),
    )
    yield Suite(
        name="six-emotions",
        description="Six emotions out of FER+, RAF-DB, CK+, TFEID and DISFA at 64×64 grey pixels, after the data base "
        "of the LMU group; `ferbench leaderboard --by source` parts the results.",
        datasets=("compose:six-emotions",),
        models=("lmu-cnn", "small-cnn"),
        metrics=("accuracy", "balanced-accuracy", "macro-f1"),
        compose={
            "six-emotions": Composition(
                datasets=("ferplus", "raf-db@6-class", "ck-plus@6-class", "tfeid@6-class", "disfa-emotions"),
                classes=("surprise", "fear", "disgust", "happiness", "sadness", "anger"),
                size=64,
            )
        },
    )


def _folder(argument: str) -> Dataset:
    from ferbench_faces.own_folder import find

    return make("folder", find, argument)


def _table(argument: str) -> Dataset:
    from ferbench_faces.own_table import find

    return make("csv", find, argument)
