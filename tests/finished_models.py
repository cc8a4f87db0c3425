"""Small files of finished models: an ONNX graph of one linear layer, and a scikit-learn pipeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import skops.io
from onnx import TensorProto, helper, numpy_helper
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

NAMES = ("happy", "sad", "angry")


def quadrants(classes: int, size: int = 8) -> np.ndarray:
    """Weights [size², classes]: class k looks at quadrant k, as the squares of the contract plugin have them."""
    masks = np.zeros((classes, size, size), np.float32)
    half = size // 2
    for index in range(min(classes, 4)):
        y, x = divmod(index, 2)
        masks[index, y * half : (y + 1) * half, x * half : (x + 1) * half] = 1
    return masks.reshape(classes, -1).T.copy()


def linear_onnx(
    path: Path, classes: int = 3, size: int = 8, softmax: bool = False, batch: int | str = "n", channels: int = 1
) -> onnx.ModelProto:
    """Write pictures [batch, channels, size, size] → logits (or their softmax) [batch, classes]; return the model."""
    weights = np.concatenate([quadrants(classes, size)] * channels)
    nodes = [helper.make_node("Flatten", ["image"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["logits"])]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["shares"], axis=1))
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, channels, size, size])],
        [helper.make_tensor_value_info("shares" if softmax else "logits", TensorProto.FLOAT, [batch, classes])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, str(path))
    return model


def with_data_at(path: Path, location: str) -> None:
    """Move the weights of an ONNX file into another one, named ``location`` within it; that one is not written."""
    model = onnx.load(str(path))
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    path.write_bytes(model.SerializeToString())


def pipeline(path: Path, pictures: np.ndarray, labels: np.ndarray) -> None:
    """Fit principal components and a logistic regression on rows of pixels, and write them by skops."""
    fitted = make_pipeline(PCA(4, random_state=0), LogisticRegression()).fit(pictures, labels)
    skops.io.dump(fitted, path)
