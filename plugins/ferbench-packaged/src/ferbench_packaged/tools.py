"""The tools themselves, each behind ferbench's ``predict``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

PREFIX = "emotiefflib-"


class Fer:
    """The TensorFlow Lite file of the package ``fer``, run by LiteRT: neither TensorFlow nor a face detector is needed.

    The tool scales grey faces to 64 pixels and [−1, 1]; so do the pictures come here, float32 [n, 1, 64, 64].
    """

    def __init__(self, weights: Mapping[str, Path]) -> None:
        from ai_edge_litert.interpreter import Interpreter

        (path,) = weights.values()
        self.interpreter: Any = Interpreter(model_path=str(path), num_threads=1)

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Probabilities [n, 7]; the last layer is a softmax."""
        pictures = inputs["image"].transpose(0, 2, 3, 1)
        runner = self.interpreter
        given, wanted = runner.get_input_details()[0]["index"], runner.get_output_details()[0]["index"]
        runner.resize_tensor_input(given, list(pictures.shape))
        runner.allocate_tensors()
        runner.set_tensor(given, np.ascontiguousarray(pictures, np.float32))
        runner.invoke()
        scores: np.ndarray = runner.get_tensor(wanted)
        return scores


class EmotiEffLib:
    """EmotiEffLib's own recogniser, which resizes and normalises by itself; grey is repeated to three channels."""

    def __init__(self, recogniser: Any) -> None:
        self.recogniser = recogniser

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Probabilities [n, k] of stored pictures, uint8 [n, height, width, channels]."""
        pictures = inputs["image"]
        colour = np.repeat(pictures, 3, axis=3) if pictures.shape[3] == 1 else pictures
        _, scores = self.recogniser.predict_emotions(list(colour), logits=False)
        emotions: np.ndarray = scores[:, :-2] if self.recogniser.is_mtl else scores
        return emotions


def make_emotiefflib(weights: Mapping[str, Path]) -> EmotiEffLib:
    """The library's recogniser with a registered file; by itself it would download one into the home folder."""
    from unittest.mock import patch

    from emotiefflib import facial_analysis

    ((name, path),) = weights.items()
    with patch.object(facial_analysis, "get_model_path_onnx", lambda _: str(path)):
        return EmotiEffLib(facial_analysis.EmotiEffLibRecognizerOnnx(name.removeprefix(PREFIX).replace("-", "_")))
