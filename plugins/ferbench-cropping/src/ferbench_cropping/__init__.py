"""Faces cut out of the pictures of any installed data set: ``cropped:DETECTOR:NAME``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from ferbench import Dataset, Family, Parsed, ReadContext, Suite, UnknownNameError, hookimpl
from ferbench_cropping.naming import Crop, parse

plugin_api = 1

VERSION = 2
"""To be raised whenever the same pictures give other faces."""


@hookimpl
def ferbench_datasets() -> Iterator[Family]:
    """The faces in another data set's pictures."""
    yield Family(
        "cropped",
        make,
        "The faces that a detector (haar, mtcnn, hog) finds in another data set's pictures: cropped:DETECTOR:NAME.",
        examples=("haar:raf-db-original", "mtcnn-224-aligned-skip:folder:PATH"),
        derives=True,
    )


@hookimpl
def ferbench_suites() -> Iterator[Suite]:
    """The same methods on the pictures as they are, and on what each detector makes of them."""
    crops = ("haar-48-whole", "hog-48-whole", "mtcnn-48-whole", "mtcnn-48-aligned-whole")
    yield Suite(
        name="face-detectors",
        description="What face detectors do to a score: methods on the demo's pictures, and on the faces in them.",
        datasets=("demo", *(f"cropped:{crop}:demo" for crop in crops)),
        models=("small-cnn", "logistic-regression", "knn"),
        metrics=("accuracy", "balanced-accuracy", "macro-f1"),
        seeds=(0, 1, 2),
        epochs=8,
    )


def make(argument: str, find: Callable[[str], Dataset]) -> Dataset:
    """The data set ``cropped:argument``."""
    described, _, name = argument.partition(":")
    crop = parse(described, name)
    base = find(name)
    if base.modality != "image" or len(base.inputs) != 1:
        raise UnknownNameError(f"cropped:{argument}: faces are cut out of pictures, and {name} holds none.")
    return replace(
        base,
        name=f"cropped:{argument}",
        description=f"The faces that {crop.detector} finds in {name}",
        read=partial(read, base, crop),
        decode=None,
        bases=(base,),
        embedded=True,
        version=f"{VERSION}-{base.version}",
        place="",
    )


def read(base: Dataset, crop: Crop, path: object, context: ReadContext) -> Parsed:
    """Find and cut out the face of each picture of ``base``, in memory."""
    from ferbench_cropping.cropping import cropped
    from ferbench_cropping.detectors import detector

    found = detector(crop.detector)
    return cropped(base, context.registered(base.name), crop, found)
