"""Families of finished models that a user has as a file: ``onnx:NAME`` and ``sklearn:NAME``, by registered names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ferbench.data.finished import INSTALL
from ferbench.data.weights import RegisteredWeights, registered_names, status_of
from ferbench.errors import UnknownNameError, did_you_mean
from ferbench.nouns.emotions import Task
from ferbench.nouns.family import Family
from ferbench.nouns.model import Model, NetSpec
from ferbench.nouns.recipe import Input, Recipe
from ferbench.nouns.settings import Options, validated
from ferbench.nouns.weights import Weights

if TYPE_CHECKING:
    import numpy as np

TASKS: tuple[Task, ...] = ("single-label", "soft-labels")
FORMATS = {"onnx": "onnx", "sklearn": "skops"}


class OnnxOptions(Options):
    """``scores``: what the file's first output holds; logits are passed through a softmax."""

    scores: Literal["logits", "probabilities"] = "logits"


def families() -> list[Family]:
    """The families, each by the file's format."""
    return [
        Family("onnx", lambda name: _made("onnx", name), "A registered ONNX file, scored by onnxruntime on the CPU."),
        Family("sklearn", lambda name: _made("sklearn", name), "A registered scikit-learn pipeline, written by skops."),
    ]


def _made(prefix: str, name: str) -> Model:
    kind = FORMATS[prefix]
    status = status_of(name)
    if status.meta is None or status.meta.format != kind:
        known = [each for each in registered_names() if (meta := status_of(each).meta) and meta.format == kind]
        why = f"{name!r} is {status.meta.format}" if status.meta else f"{name!r} is {status.state}"
        raise UnknownNameError(
            f"{prefix}:{name} names no registered {kind} file ({why}).{did_you_mean(name, known)} Registered: "
            f"{', '.join(known) or 'none'}. Add one: ferbench data add {name} FILE.{kind} --trained-on TEXT"
        )
    return _onnx(status.meta) if prefix == "onnx" else _sklearn(status.meta)


def _onnx(meta: RegisteredWeights) -> Model:
    own = validated(Input, meta.interface["input"], f"onnx:{meta.name}: input")
    return Model(
        name=f"onnx:{meta.name}",
        predictor="ferbench.builtin.finished:OnnxModel",
        recipe=Recipe(input=own),
        options=validated(OnnxOptions, {"scores": meta.interface["scores"]}),
        weights=(_weights(meta),),
        tasks=TASKS,
        classes=meta.classes,
        packages={"onnxruntime": INSTALL["onnx"]},
        reference=NetSpec(classes=len(meta.classes), channels=own.channels or 1, size=own.size or 48),
        description=f"ONNX file {Path(meta.source).name}, {meta.parameters:,} parameters.",
    )


def _sklearn(meta: RegisteredWeights) -> Model:
    own = validated(Input, meta.interface["input"], f"sklearn:{meta.name}: input")
    return Model(
        name=f"sklearn:{meta.name}",
        predictor="ferbench.builtin.finished:SklearnModel",
        recipe=Recipe(input=own),
        weights=(_weights(meta),),
        tasks=TASKS,
        classes=meta.classes,
        packages={"skops": INSTALL["skops"], "sklearn": "pip install scikit-learn"},
        reference=NetSpec(classes=len(meta.classes), channels=own.channels or 1, size=own.size or 48),
        description=f"scikit-learn pipeline {Path(meta.source).name}.",
    )


def _weights(meta: RegisteredWeights) -> Weights:
    return Weights(meta.name, f"the file {Path(meta.source).name}", meta.trained_on, "", classes=meta.classes)


class OnnxModel:
    """An ONNX graph: pictures float32 [n, channels, size, size] in, logits or probabilities [n, k] out.

    A graph for batches of one size is fed batches of that size, the last one filled up.
    """

    def __init__(self, weights: Mapping[str, Path], scores: str) -> None:
        import onnxruntime as ort
        import torch

        (path,) = weights.values()
        options = ort.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        self.session = ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        self.input, self.output = self.session.get_inputs()[0], self.session.get_outputs()[0].name
        self.scores = scores

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """See :class:`ferbench.Predictor`. Raises TrainingError where logits are probabilities already."""
        import numpy as np

        from ferbench.errors import TrainingError

        pictures = inputs["image"]
        size = self.input.shape[0] if isinstance(self.input.shape[0], int) else len(pictures)
        parts = []
        for start in range(0, len(pictures), size):
            part = pictures[start : start + size]
            full = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
            parts.append(self.session.run([self.output], {self.input.name: full})[0][: len(part)])
        given = np.concatenate(parts).astype(np.float64)
        if self.scores == "probabilities":
            return given
        if len(given) > 1 and (given >= 0).all() and np.allclose(given.sum(axis=1), 1, atol=1e-5):
            raise TrainingError(
                "Its scores are probabilities already, and not logits: give --set model.options.scores=probabilities, "
                'or write scores = "probabilities" into its card and add it again.'
            )
        grown = np.exp(given - given.max(axis=1, keepdims=True))
        shares: np.ndarray = grown / grown.sum(axis=1, keepdims=True)
        return shares


class SklearnModel:
    """A fitted pipeline with ``predict_proba``: rows of pixels float32 [n, channels · size · size], channels first."""

    def __init__(self, weights: Mapping[str, Path]) -> None:
        from ferbench.data.finished import load_skops

        (path,) = weights.values()
        self.pipeline = load_skops(path.read_bytes(), path.name)

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """See :class:`ferbench.Predictor`."""
        pictures = inputs["image"]
        shares: np.ndarray = self.pipeline.predict_proba(pictures.reshape(len(pictures), -1))
        return shares
