"""Faces cut out of the pictures of any installed data set: ``cropped:DETECTOR:NAME``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from ferbench import Dataset, Family, Parsed, ReadContext, UnknownNameError, hookimpl
from ferbench_cropping.naming import Crop, parse

plugin_api = 1

VERSION = 1
"""To be raised whenever the same pictures give other faces."""


@hookimpl
def ferbench_datasets() -> Iterator[Family]:
    """The faces in another data set's pictures."""
    yield Family(
        "cropped",
        make,
        "The faces that a detector (haar, mtcnn, hog) finds in another data set's pictures: cropped:DETECTOR:NAME",
        examples=("haar:raf-db-original", "mtcnn-aligned-224-skip:folder:PATH"),
        derives=True,
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
