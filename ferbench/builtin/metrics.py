"""The metrics that ship with ferbench: what they are called and where they come from.

The computations lie in ``metrics_classes`` (from the confusion matrix), ``metrics_scores`` (from the scores),
``metrics_votes`` (from the votes of annotators) and ``metrics_values`` (regression and several labels); they import
numpy and are loaded on first use.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from ferbench.nouns.emotions import Task
from ferbench.nouns.metric import Metric
from ferbench.nouns.paper import Paper

_ONE_LABEL: tuple[Task, ...] = ("single-label", "soft-labels")


@dataclass(frozen=True)
class Deferred:
    """A function of a module that is imported when the function is first called."""

    module: str
    function: str

    def __call__(self, argument: Any) -> Any:
        return getattr(importlib.import_module(self.module), self.function)(argument)


def _of(module: str, function: str) -> Deferred:
    return Deferred(f"ferbench.builtin.metrics_{module}", function)


def _from_confusion(name: str, description: str, paper: Paper | None = None, percent: bool = True) -> Metric:
    function = name.replace("-", "_")
    return Metric(
        name=name,
        compute=_of("classes", f"scored_{function}"),
        of_confusion=_of("classes", function),
        tasks=_ONE_LABEL,
        percent=percent,
        description=description,
        paper=paper,
    )


def _per_class(name: str, description: str) -> Metric:
    compute = _of("classes", f"scored_{name.replace('-', '_')}")
    return Metric(name, compute, _ONE_LABEL, "vector", percent=True, description=description)


def _from_sums(
    name: str,
    module: str,
    tasks: tuple[Task, ...],
    description: str,
    *,
    higher: bool = False,
    percent: bool = False,
    votes: bool = False,
    paper: Paper | None = None,
) -> Metric:
    function = name.replace("-", "_")
    return Metric(
        name=name,
        compute=_of(module, f"scored_{function}"),
        sums=_of(module, f"{function}_sums"),
        of_sums=_of(module, f"{function}_of_sums"),
        tasks=tasks,
        higher_is_better=higher,
        percent=percent,
        votes=votes,
        description=description,
        paper=paper,
    )


_KAPPA = Paper(
    "A coefficient of agreement for nominal scales",
    "Jacob Cohen",
    1960,
    "https://doi.org/10.1177/001316446002000104",
    "Educational and Psychological Measurement 20(1)",
)
_BALANCED = Paper(
    "The balanced accuracy and its posterior distribution",
    "Kay H. Brodersen, Cheng Soon Ong, Klaas E. Stephan, Joachim M. Buhmann",
    2010,
    "https://doi.org/10.1109/ICPR.2010.764",
    "ICPR",
)
_BRIER = Paper(
    "Verification of forecasts expressed in terms of probability",
    "Glenn W. Brier",
    1950,
    "https://doi.org/10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2",
    "Monthly Weather Review 78(1)",
)
_ECE = Paper(
    "On calibration of modern neural networks",
    "Chuan Guo, Geoff Pleiss, Yu Sun, Kilian Q. Weinberger",
    2017,
    "https://arxiv.org/abs/1706.04599",
    "ICML",
)
_CCC = Paper(
    "A concordance correlation coefficient to evaluate reproducibility",
    "Lawrence I-Kuei Lin",
    1989,
    "https://doi.org/10.2307/2532051",
    "Biometrics 45(1)",
)


def metrics() -> tuple[Metric, ...]:
    """Return all metrics of the core. Soft labels count as their most probable class where a class is asked for."""
    matrix = Metric(
        "confusion-matrix",
        _of("classes", "scored_confusion_matrix"),
        _ONE_LABEL,
        "matrix",
        description="counts; rows are true classes, columns predicted ones",
    )
    return (
        _from_confusion("accuracy", "share of samples whose most probable class is the true one"),
        _from_confusion(
            "balanced-accuracy",
            "mean recall over the classes that occur among the targets (unweighted average recall, UAR)",
            _BALANCED,
        ),
        _from_confusion("macro-f1", "mean F1 over all classes; 0 for a class neither present nor predicted"),
        _from_confusion("cohen-kappa", "agreement beyond chance", _KAPPA, percent=False),
        _per_class("per-class-recall", "recall of each class; NaN where no sample has it"),
        _per_class("per-class-precision", "precision of each class; NaN where it is never predicted"),
        _per_class("per-class-f1", "F1 of each class; NaN where it is neither present nor predicted"),
        matrix,
        _from_sums("top-2", "scores", _ONE_LABEL, "true class among the two most probable", higher=True, percent=True),
        _from_sums("log-loss", "scores", _ONE_LABEL, "mean cross-entropy in nats"),
        _from_sums("brier", "scores", _ONE_LABEL, "mean squared error of the probabilities, 0 to 2", paper=_BRIER),
        _from_sums("ece", "scores", _ONE_LABEL, "expected calibration error, 15 bins", percent=True, paper=_ECE),
        _from_sums("kl-divergence", "scores", ("soft-labels",), "mean divergence of scores from soft labels, in nats"),
        _from_sums("votes-kl", "votes", _ONE_LABEL, "mean divergence of scores from the votes, in nats", votes=True),
        _from_sums("votes-cosine", "votes", _ONE_LABEL, "mean cosine of scores and votes", higher=True, votes=True),
        _from_sums("ccc", "values", ("regression",), "concordance, mean over dimensions", higher=True, paper=_CCC),
        _from_sums("pearson", "values", ("regression",), "correlation, mean over dimensions", higher=True),
        _from_sums("rmse", "values", ("regression",), "root mean squared error, mean over dimensions"),
        _from_sums(
            "subset-accuracy", "values", ("multi-label",), "share with every label right", higher=True, percent=True
        ),
        _from_sums(
            "multilabel-macro-f1",
            "values",
            ("multi-label",),
            "mean F1 over all labels at 0.5; 0 for a label neither present nor predicted",
            higher=True,
            percent=True,
        ),
    )
