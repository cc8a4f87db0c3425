"""Losses and terms added to them, as plain data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ferbench.nouns.emotions import LabelKind
from ferbench.nouns.settings import Settings

ClassWeights = Literal["balanced"] | tuple[float, ...] | None


class CrossEntropy(Settings):
    """Cross-entropy. Its form follows the labels (Barsoum et al. 2016, section 3).

    Hard: −log p of the class. Soft: −Σ t log p. Drawn: a label is drawn from t for every epoch, then as hard.
    Accepted: −log of the largest t·p, t being 1 for accepted classes and 0.001 for the others, as in the code that the
    authors published; ``label_smoothing`` gives that much weight to the mean of −log p over all classes, as it does
    for hard labels.
    ``class_weights``: ``balanced`` weights each class by n / (classes · n_class) of the training split, where n_class
    of soft and drawn labels is the sum of the class's shares, and an accepted class has an equal share of its sample;
    a tuple gives the weights; None leaves all equal. Each summand of the loss has its class's weight; with hard labels
    a batch's sum is divided by the sum of its samples' weights, as by ``torch.nn.CrossEntropyLoss``.
    """

    name: Literal["cross-entropy"] = "cross-entropy"
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    class_weights: ClassWeights = None


class Focal(Settings):
    """Focal loss (Lin et al. 2017, equation 5): cross-entropy times (1 − p) to the power of ``gamma``.

    Soft labels: Σ over classes of t (1 − p)^γ (−log p). ``class_weights`` as in cross-entropy.
    """

    name: Literal["focal"] = "focal"
    gamma: float = Field(2.0, ge=0)
    class_weights: ClassWeights = None


class SquaredHinge(Settings):
    """L2-SVM, one class against the rest (Tang 2013): Σ over classes of max(0, 1 − s·y)², y = ±1.

    The class with the largest margin s is predicted, as in the paper. Stored scores are the softmax of the margins: of
    the same order, but no calibrated probabilities, so that log loss, Brier score and calibration error of such a
    network say little. ``class_weights`` as in cross-entropy, by the sample's class.
    """

    name: Literal["squared-hinge"] = "squared-hinge"
    class_weights: ClassWeights = None


class BinaryCrossEntropy(Settings):
    """Sum over classes of the binary cross-entropy, for several labels a sample."""

    name: Literal["binary-cross-entropy"] = "binary-cross-entropy"


class SquaredError(Settings):
    """Mean squared error, for regression."""

    name: Literal["squared-error"] = "squared-error"


Loss = Annotated[CrossEntropy | Focal | SquaredHinge | BinaryCrossEntropy | SquaredError, Field(discriminator="name")]


class Centre(Settings):
    """Centre loss (Wen et al. 2016): half the squared distance of each sample's features to the centre of its class.

    Features are what the network's last linear layer with an output for each class is given. The mean over the batch
    counts, as it does for the loss itself. Centres begin at 0; after each step they move by ``alpha`` times
    Σ (c − x) / (1 + n) over the class's n samples of the batch, weighted as these are (Wen et al., equation 4).
    ``island`` adds that many times the island loss (Cai et al. 2018): the sum, over every two different centres in
    both orders, of their cosine plus one. It moves the centres alone: by ``alpha`` times its gradient over
    (classes − 1); a class joins in once its centre has left 0. A soft label counts as its most probable class.
    """

    name: Literal["centre"] = "centre"
    weight: float = Field(0.01, gt=0)
    alpha: float = Field(0.5, gt=0, le=1)
    island: float = Field(0.0, ge=0)


class L2(Settings):
    """``weight`` times the norm of the parameters whose names match ``patterns``, taken together.

    ``squared``: the sum of squares, as in Minaee et al.'s equation 2; False: its square root.
    """

    name: Literal["l2"] = "l2"
    patterns: tuple[str, ...] = Field(min_length=1)
    weight: float = Field(1e-3, gt=0)
    squared: bool = True


Term = Annotated[Centre | L2, Field(discriminator="name")]

HARD_ONLY = ("squared-hinge",)
"""Losses that know hard labels alone."""

LABEL_KINDS: dict[str, tuple[LabelKind, ...]] = {
    "cross-entropy": ("hard", "soft", "drawn", "accepted"),
    "focal": ("hard", "soft", "drawn"),
    "squared-hinge": ("hard", "drawn"),
    "binary-cross-entropy": ("multi-hot",),
    "squared-error": ("real",),
    "centre": ("hard", "soft", "drawn"),
    "l2": ("hard", "soft", "drawn", "accepted", "multi-hot", "real"),
}
"""Kinds of training labels for which each loss and each term has a form."""
