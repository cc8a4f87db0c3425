"""ferbench: an honest benchmark harness for emotion recognition.

Everything that a plugin or a script needs is imported from here. Names are loaded on first use, so that
``import ferbench`` and the command line stay quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ferbench.data.archives import DownloadEntry, walk_download
    from ferbench.data.csv_text import csv_lines
    from ferbench.data.division import carve, given_split, grouped_holdout, k_fold, leave_one_group_out, merged_split
    from ferbench.data.light import brightness, whiskers
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
        TrackingError,
        TrainingError,
        UnknownNameError,
    )
    from ferbench.nouns.augmentation import Augmentation, CutMix, MixUp
    from ferbench.nouns.colour import (
        AutoAugment,
        AutoContrast,
        ColorJitter,
        Equalize,
        GaussianBlur,
        Posterize,
        RandAugment,
        Sharpness,
        Solarize,
    )
    from ferbench.nouns.composition import Composition
    from ferbench.nouns.dataset import Dataset, Fold, Parsed, ProtocolRule, ReadContext, Samples
    from ferbench.nouns.emotions import EMOTIONS, LabelKind, Modality, Side, Task, canonical
    from ferbench.nouns.event import CellEvent, RunEvent
    from ferbench.nouns.family import PLUGIN_API, Family, hookimpl
    from ferbench.nouns.geometry import (
        Affine,
        Cutout,
        HorizontalFlip,
        MultiCrop,
        PadCrop,
        Perspective,
        RandomCrop,
        RandomErasing,
        ResizedCrop,
        VerticalFlip,
    )
    from ferbench.nouns.initial import DefaultInit, HeInit, InitFrom, NormalInit, TruncatedNormalInit, XavierInit
    from ferbench.nouns.losses import L2, BinaryCrossEntropy, Centre, CrossEntropy, Focal, SquaredError, SquaredHinge
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
    from ferbench.nouns.optimizers import SAM, SGD, Adam, AdamW, ParameterGroup, RAdam, TimmOptimizer
    from ferbench.nouns.paper import Paper, Reported
    from ferbench.nouns.predictor import Predictor
    from ferbench.nouns.recipe import EMA, EarlyStopping, Input, Recipe, Stage
    from ferbench.nouns.requirement import Requirement
    from ferbench.nouns.sampler import Facts, Reads, Removed, Sample, SampleContext, Sampler
    from ferbench.nouns.schedules import Constant, Cosine, OneCycle, Plateau, Step
    from ferbench.nouns.settings import Options, Settings
    from ferbench.nouns.split import Batch, Split, Splits, View
    from ferbench.nouns.suite import RunSettings, Suite, SuiteRow
    from ferbench.nouns.views import FiveCrop, FlipView, GridViews, RandomViews, SingleView, TenCrop, ViewGrid
    from ferbench.nouns.weights import Weights
    from ferbench.running.api import leaderboard, run
    from ferbench.running.quick import Quick, quick
    from ferbench.sharing.merging import merge
    from ferbench.sharing.packing import pack
    from ferbench.training.regularise import DropPath

__version__ = "0.1.0"

_HOMES = {
    "ferbench.data.archives": "DownloadEntry walk_download",
    "ferbench.data.csv_text": "csv_lines",
    "ferbench.data.division": "carve given_split grouped_holdout k_fold leave_one_group_out merged_split",
    "ferbench.data.light": "brightness whiskers",
    "ferbench.data.metering": "DownloadLimits",
    "ferbench.errors": (
        "DataError FerbenchError InterruptedRunError MissingDataError PluginError Problem SettingsError StoreError "
        "TrackingError TrainingError UnknownNameError"
    ),
    "ferbench.nouns.augmentation": "Augmentation CutMix MixUp",
    "ferbench.nouns.colour": (
        "AutoAugment AutoContrast ColorJitter Equalize GaussianBlur Posterize RandAugment Sharpness Solarize"
    ),
    "ferbench.nouns.composition": "Composition",
    "ferbench.nouns.dataset": "Dataset Fold Parsed ProtocolRule ReadContext Samples",
    "ferbench.nouns.emotions": "EMOTIONS LabelKind Modality Side Task canonical",
    "ferbench.nouns.event": "CellEvent RunEvent",
    "ferbench.nouns.family": "Family PLUGIN_API hookimpl",
    "ferbench.nouns.geometry": (
        "Affine Cutout HorizontalFlip MultiCrop PadCrop Perspective RandomCrop RandomErasing ResizedCrop VerticalFlip"
    ),
    "ferbench.nouns.initial": "DefaultInit HeInit InitFrom NormalInit TruncatedNormalInit XavierInit",
    "ferbench.nouns.losses": "BinaryCrossEntropy Centre CrossEntropy Focal L2 SquaredError SquaredHinge",
    "ferbench.nouns.metric": "Metric Scored",
    "ferbench.nouns.model": (
        "Choice Estimator FitContext Model NetSpec Objective Range RequiredCell StepContext StepResult TrainingData"
    ),
    "ferbench.nouns.optimizers": "Adam AdamW ParameterGroup RAdam SAM SGD TimmOptimizer",
    "ferbench.nouns.paper": "Paper Reported",
    "ferbench.nouns.predictor": "Predictor",
    "ferbench.nouns.recipe": "EMA EarlyStopping Input Recipe Stage",
    "ferbench.nouns.requirement": "Requirement",
    "ferbench.nouns.sampler": "Facts Reads Removed Sample SampleContext Sampler",
    "ferbench.nouns.schedules": "Constant Cosine OneCycle Plateau Step",
    "ferbench.nouns.settings": "Options Settings",
    "ferbench.nouns.split": "Batch Split Splits View",
    "ferbench.nouns.suite": "RunSettings Suite SuiteRow",
    "ferbench.nouns.views": "FiveCrop FlipView GridViews RandomViews SingleView TenCrop ViewGrid",
    "ferbench.nouns.weights": "Weights",
    "ferbench.running.api": "leaderboard run",
    "ferbench.running.quick": "Quick quick",
    "ferbench.sharing.merging": "merge",
    "ferbench.sharing.packing": "pack",
    "ferbench.training.regularise": "DropPath",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "EMA",
    "EMOTIONS",
    "L2",
    "PLUGIN_API",
    "SAM",
    "SGD",
    "Adam",
    "AdamW",
    "Affine",
    "Augmentation",
    "AutoAugment",
    "AutoContrast",
    "Batch",
    "BinaryCrossEntropy",
    "CellEvent",
    "Centre",
    "Choice",
    "ColorJitter",
    "Composition",
    "Constant",
    "Cosine",
    "CrossEntropy",
    "CutMix",
    "Cutout",
    "DataError",
    "Dataset",
    "DefaultInit",
    "DownloadEntry",
    "DownloadLimits",
    "DropPath",
    "EarlyStopping",
    "Equalize",
    "Estimator",
    "Facts",
    "Family",
    "FerbenchError",
    "FitContext",
    "FiveCrop",
    "FlipView",
    "Focal",
    "Fold",
    "GaussianBlur",
    "GridViews",
    "HeInit",
    "HorizontalFlip",
    "InitFrom",
    "Input",
    "InterruptedRunError",
    "LabelKind",
    "Metric",
    "MissingDataError",
    "MixUp",
    "Modality",
    "Model",
    "MultiCrop",
    "NetSpec",
    "NormalInit",
    "Objective",
    "OneCycle",
    "Options",
    "PadCrop",
    "Paper",
    "ParameterGroup",
    "Parsed",
    "Perspective",
    "Plateau",
    "PluginError",
    "Posterize",
    "Predictor",
    "Problem",
    "ProtocolRule",
    "Quick",
    "RAdam",
    "RandAugment",
    "RandomCrop",
    "RandomErasing",
    "RandomViews",
    "Range",
    "ReadContext",
    "Reads",
    "Recipe",
    "Removed",
    "Reported",
    "RequiredCell",
    "Requirement",
    "ResizedCrop",
    "RunEvent",
    "RunSettings",
    "Sample",
    "SampleContext",
    "Sampler",
    "Samples",
    "Scored",
    "Settings",
    "SettingsError",
    "Sharpness",
    "Side",
    "SingleView",
    "Solarize",
    "Split",
    "Splits",
    "SquaredError",
    "SquaredHinge",
    "Stage",
    "Step",
    "StepContext",
    "StepResult",
    "StoreError",
    "Suite",
    "SuiteRow",
    "Task",
    "TenCrop",
    "TimmOptimizer",
    "TrackingError",
    "TrainingData",
    "TrainingError",
    "TruncatedNormalInit",
    "UnknownNameError",
    "VerticalFlip",
    "View",
    "ViewGrid",
    "Weights",
    "XavierInit",
    "brightness",
    "canonical",
    "carve",
    "csv_lines",
    "given_split",
    "grouped_holdout",
    "hookimpl",
    "k_fold",
    "leaderboard",
    "leave_one_group_out",
    "merge",
    "merged_split",
    "pack",
    "quick",
    "run",
    "walk_download",
    "whiskers",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'ferbench' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
