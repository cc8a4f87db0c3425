"""ferbench: an honest benchmark harness for emotion recognition.

Everything that a plugin or a script needs is imported from here. Names are loaded on first use, so that
``import ferbench`` and the command line stay quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ferbench.data.archives import DownloadEntry, walk_download
    from ferbench.data.division import carve, given_split, grouped_holdout, k_fold, leave_one_group_out, merged_split
    from ferbench.data.metering import DownloadLimits
    from ferbench.errors import (
        DataError,
        FerbenchError,
        InterruptedRunError,
        MissingDataError,
        PluginError,
        Problem,
        SettingsError,
        StoreError,
        TrainingError,
        UnknownNameError,
    )
    from ferbench.nouns.augmentation import (
        Affine,
        Augmentation,
        FlipView,
        HorizontalFlip,
        PadCrop,
        RandomCrop,
        RandomErasing,
        SingleView,
        TenCrop,
    )
    from ferbench.nouns.dataset import Dataset, Fold, Parsed, ProtocolRule, ReadContext, Samples
    from ferbench.nouns.emotions import EMOTIONS, LabelKind, Modality, Side, Task
    from ferbench.nouns.event import CellEvent, RunEvent
    from ferbench.nouns.family import PLUGIN_API, Family, hookimpl
    from ferbench.nouns.metric import Metric, Scored
    from ferbench.nouns.model import (
        Choice,
        Estimator,
        FitContext,
        Model,
        NetSpec,
        Objective,
        Range,
        RequiredCell,
        StepContext,
        StepResult,
        TrainingData,
    )
    from ferbench.nouns.paper import Paper, Reported
    from ferbench.nouns.recipe import EMA, EarlyStopping, Input, Recipe, Stage
    from ferbench.nouns.recipe_parts import (
        SGD,
        Adam,
        AdamW,
        BinaryCrossEntropy,
        Constant,
        Cosine,
        CrossEntropy,
        DefaultInit,
        HeInit,
        NormalInit,
        OneCycle,
        Plateau,
        SquaredError,
        Step,
        TruncatedNormalInit,
        XavierInit,
    )
    from ferbench.nouns.sampler import Removed, Sample, SampleContext, Sampler
    from ferbench.nouns.settings import Options, Settings
    from ferbench.nouns.split import Batch, Split, Splits, View
    from ferbench.nouns.suite import RunSettings, Suite
    from ferbench.running.api import leaderboard, run

__version__ = "0.1.0"

_HOMES = {
    "ferbench.data.archives": (
        "DownloadEntry",
        "walk_download",
    ),
    "ferbench.data.metering": ("DownloadLimits",),
    "ferbench.data.division": (
        "carve",
        "given_split",
        "grouped_holdout",
        "k_fold",
        "leave_one_group_out",
        "merged_split",
    ),
    "ferbench.errors": (
        "DataError",
        "FerbenchError",
        "InterruptedRunError",
        "MissingDataError",
        "PluginError",
        "Problem",
        "SettingsError",
        "StoreError",
        "TrainingError",
        "UnknownNameError",
    ),
    "ferbench.nouns.augmentation": (
        "Affine",
        "Augmentation",
        "FlipView",
        "HorizontalFlip",
        "PadCrop",
        "RandomCrop",
        "RandomErasing",
        "SingleView",
        "TenCrop",
    ),
    "ferbench.nouns.dataset": (
        "Dataset",
        "Fold",
        "Parsed",
        "ProtocolRule",
        "ReadContext",
        "Samples",
    ),
    "ferbench.nouns.emotions": (
        "EMOTIONS",
        "LabelKind",
        "Modality",
        "Side",
        "Task",
    ),
    "ferbench.nouns.event": (
        "CellEvent",
        "RunEvent",
    ),
    "ferbench.nouns.family": (
        "Family",
        "PLUGIN_API",
        "hookimpl",
    ),
    "ferbench.nouns.metric": (
        "Metric",
        "Scored",
    ),
    "ferbench.nouns.model": (
        "Choice",
        "Estimator",
        "FitContext",
        "Model",
        "NetSpec",
        "Objective",
        "Range",
        "RequiredCell",
        "StepContext",
        "StepResult",
        "TrainingData",
    ),
    "ferbench.nouns.paper": (
        "Paper",
        "Reported",
    ),
    "ferbench.nouns.recipe": (
        "EMA",
        "EarlyStopping",
        "Input",
        "Recipe",
        "Stage",
    ),
    "ferbench.nouns.recipe_parts": (
        "Adam",
        "AdamW",
        "BinaryCrossEntropy",
        "Constant",
        "Cosine",
        "CrossEntropy",
        "DefaultInit",
        "HeInit",
        "NormalInit",
        "OneCycle",
        "Plateau",
        "SGD",
        "SquaredError",
        "Step",
        "TruncatedNormalInit",
        "XavierInit",
    ),
    "ferbench.nouns.sampler": (
        "Removed",
        "Sample",
        "SampleContext",
        "Sampler",
    ),
    "ferbench.nouns.settings": (
        "Options",
        "Settings",
    ),
    "ferbench.nouns.split": (
        "Batch",
        "Split",
        "Splits",
        "View",
    ),
    "ferbench.nouns.suite": (
        "RunSettings",
        "Suite",
    ),
    "ferbench.running.api": (
        "leaderboard",
        "run",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "EMA",
    "EMOTIONS",
    "PLUGIN_API",
    "SGD",
    "Adam",
    "AdamW",
    "Affine",
    "Augmentation",
    "Batch",
    "BinaryCrossEntropy",
    "CellEvent",
    "Choice",
    "Constant",
    "Cosine",
    "CrossEntropy",
    "DataError",
    "Dataset",
    "DefaultInit",
    "DownloadEntry",
    "DownloadLimits",
    "EarlyStopping",
    "Estimator",
    "Family",
    "FerbenchError",
    "FitContext",
    "FlipView",
    "Fold",
    "HeInit",
    "HorizontalFlip",
    "Input",
    "InterruptedRunError",
    "LabelKind",
    "Metric",
    "MissingDataError",
    "Modality",
    "Model",
    "NetSpec",
    "NormalInit",
    "Objective",
    "OneCycle",
    "Options",
    "PadCrop",
    "Paper",
    "Parsed",
    "Plateau",
    "PluginError",
    "Problem",
    "ProtocolRule",
    "RandomCrop",
    "RandomErasing",
    "Range",
    "ReadContext",
    "Recipe",
    "Removed",
    "Reported",
    "RequiredCell",
    "RunEvent",
    "RunSettings",
    "Sample",
    "SampleContext",
    "Sampler",
    "Samples",
    "Scored",
    "Settings",
    "SettingsError",
    "Side",
    "SingleView",
    "Split",
    "Splits",
    "SquaredError",
    "Stage",
    "Step",
    "StepContext",
    "StepResult",
    "StoreError",
    "Suite",
    "Task",
    "TenCrop",
    "TrainingData",
    "TrainingError",
    "TruncatedNormalInit",
    "UnknownNameError",
    "View",
    "XavierInit",
    "carve",
    "given_split",
    "grouped_holdout",
    "hookimpl",
    "k_fold",
    "leaderboard",
    "leave_one_group_out",
    "merged_split",
    "run",
    "walk_download",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ferbench' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
