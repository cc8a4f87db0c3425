"""What can be set, and what follows from it: required models, and data sets that are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from ferbench import Options, Reads, Requirement


class Ties(Options):
    """``ties``: groups in which no label leads are left out (``drop``), or left as they are (``keep``).

    ``copies``: what remains of a group is kept whole, or its first picture alone (``drop``).
    """

    ties: Literal["drop", "keep"] = "drop"
    copies: Literal["keep", "drop"] = "keep"


class Outliers(Options):
    """``whisker``: how many interquartile ranges beyond the quartiles a mean grey value may lie; None: anywhere.

    ``spread``: pictures whose grey values have a smaller standard deviation are constant. ``votes``: the data set whose
    column ``not_a_face`` tells how many people saw no face, empty for none; ``not_a_face``: so many suffice.
    """

    whisker: float | None = Field(1.5, ge=0)
    spread: float = Field(1.0, ge=0)
    votes: str = "ferplus"
    not_a_face: int = Field(5, ge=1)


class Learning(Options):
    """``model``: whose out-of-fold scores judge the labels, over ``folds``. ``prune``: cleanlab's ``filter_by``."""

    model: str = "small-cnn"
    folds: int = Field(5, ge=2)
    prune: Literal["prune_by_noise_rate", "prune_by_class", "both", "confident_learning", "predicted_neq_given"] = (
        "prune_by_noise_rate"
    )


class Ferplus(Options):
    """``votes``: the data set that keeps them. ``share``: a label needs more than this of the votes that count.

    ``unclear``: samples without such a label keep their own (``keep``), or are left out (``drop``).
    """

    votes: str = Field("ferplus", min_length=1)
    share: float = Field(0.5, ge=0, lt=1)
    unclear: Literal["keep", "drop"] = "keep"


def votes_if_there(options: Outliers) -> tuple[Reads, ...]:
    """Non-faces are looked for where votes are registered."""
    return (Reads(options.votes, optional=True),) if options.votes else ()


def votes(options: Ferplus) -> tuple[Reads, ...]:
    """Without votes there are no new labels."""
    return (Reads(options.votes),)


def judge(options: Learning) -> Mapping[str, Requirement]:
    """The model that judges labels, trained once more without each part of the training side."""
    return {"judge": Requirement(options.model, out_of_fold=options.folds)}
