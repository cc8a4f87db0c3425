"""Pictures that are unlike the rest: by brightness, constant ones, and those in which people saw no face."""

from __future__ import annotations

import numpy as np

from ferbench import DataError, MissingDataError, Sample, SampleContext, Split, View, brightness, whiskers
from ferbench_cleaning.deciding import cleaned, single_labels
from ferbench_cleaning.options import Outliers

AT_ONCE = 256


def drop_outliers(train: Split, context: SampleContext) -> Sample:
    """Leave out what lies beyond the whiskers of a box plot of mean grey values, and pictures without a face."""
    options = context.options
    assert isinstance(options, Outliers)
    labels = single_labels(train, "drop-outliers") if train.label_kind in ("hard", "soft", "drawn") else None
    means, spreads = light_of(train, context.rng)
    reasons = {"constant: all grey values are about the same": spreads < options.spread}
    if options.whisker is not None:
        low, high = whiskers(means, options.whisker)
        reasons[f"too dark: a mean grey value below {low:.1f}"] = means < low
        reasons[f"too bright: a mean grey value above {high:.1f}"] = means > high
    return cleaned("drop-outliers", train, labels, reasons | _faceless(context, options))


def light_of(train: Split, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each sample's grey values, float64 [n] each; of clips over their real frames.

    Raises DataError where the inputs are no pictures.
    """
    means, spreads = np.empty(len(train)), np.empty(len(train))
    for start in range(0, len(train), AT_ONCE):
        rows = np.arange(start, min(start + AT_ONCE, len(train)))
        batch = train.batch(rows, View(), rng)
        name, values = next(iter(sorted(batch.inputs.items())))
        pictures = np.asarray(values)
        if pictures.dtype != np.uint8:
            raise DataError(f"drop-outliers compares grey values of pictures, and {name} is {pictures.dtype}.")
        means[rows], spreads[rows] = brightness(pictures, batch.mask)
    return means, spreads


def _faceless(context: SampleContext, options: Outliers) -> dict[str, np.ndarray]:
    if not options.votes:
        return {}
    try:
        facts = context.facts(options.votes, "not_a_face")
    except MissingDataError:
        return {}
    told = f"not a face: {options.not_a_face} people or more voted so in {options.votes}"
    return {
        told: facts.known & (facts.values >= options.not_a_face),
        f"not a face: {options.votes} leaves it out": ~facts.known,
    }
