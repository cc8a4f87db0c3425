"""Files of finished models: ONNX graphs and scikit-learn pipelines, checked before they are kept.

Neither kind can run code: an ONNX file is a graph of known operators, and skops restores only types that scikit-learn,
numpy and scipy define. Pickles are refused.
"""

from __future__ import annotations

import hashlib
import math
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ferbench.errors import DataError, Problem, SettingsError
from ferbench.nouns.recipe import Input
from ferbench.nouns.settings import Settings, validated

if TYPE_CHECKING:
    import onnx

ONNX_BYTES = 2**31 - 1
"""The largest that a protocol buffer can be, and so a model in one file."""

SKOPS_BYTES = 4 * 2**30
CARD_BYTES = 64 * 2**10
INSTALL = {"onnx": "pip install 'ferbench[onnx]'", "skops": "pip install 'ferbench[sklearn-files]'"}

Format = Literal["onnx", "skops"]
Scores = Literal["logits", "probabilities"]


class Card(Settings):
    """What a finished model's file does not say itself: a TOML file beside it, named as it with ``.toml`` behind.

    ``scores``: of an ONNX file; logits are passed through a softmax. ``input``: how pixels are prepared for it; size
    and channels are its own.
    """

    trained_on: str = ""
    classes: tuple[str, ...] = ()
    scores: Scores = "logits"
    input: Input = Input()


@dataclass(frozen=True)
class Finished:
    """A checked file. ``input``: with its size and channels. ``outputs``: number of its scores."""

    format: Format
    content: bytes
    sha256: str
    outputs: int
    classes: tuple[str, ...]
    input: Input
    scores: Scores
    tensors: int
    parameters: int
    notes: tuple[str, ...] = ()


def finished_format(path: Path) -> Format | None:
    """What kind of finished model a file is by its content; None for any other file."""
    with path.open("rb") as stream:
        head = stream.read(4)
    if head.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as archive:
                return "skops" if "schema.json" in archive.namelist() else None
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return None
    # The first field of an ONNX file is ir_version, a small number; its name tells pickles and the like apart.
    return "onnx" if path.suffix == ".onnx" and head[:1] == b"\x08" else None


def read_card(path: Path) -> Card:
    """The card beside a file; an empty one where there is none. Raises DataError or SettingsError for a faulty one."""
    card = path.parent / f"{path.name}.toml"
    if not card.is_file():
        return Card()
    if card.stat().st_size > CARD_BYTES:
        raise DataError(f"{card} is larger than {CARD_BYTES:,} bytes; a model's card never is.")
    try:
        plain = tomllib.loads(card.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError([Problem(str(card), f"not valid TOML: {error}")]) from None
    return validated(Card, plain, title=f"The card {card} cannot be used")


def read_finished(path: Path, kind: Format, classes: Sequence[str]) -> Finished:
    """Check a finished model; ``classes`` as its user names them, if they do.

    Raises DataError for one that is too large, damaged, hostile, of another shape than pictures to scores, or whose
    classes are unknown; and where the package that reads it is not installed.
    """
    card = read_card(path)
    try:
        found = _onnx(path, card) if kind == "onnx" else _skops(path, card)
    except ImportError as error:
        raise DataError(f"To read {path.name}, the package {error.name} is needed: {INSTALL[kind]}") from None
    named = tuple(classes) or card.classes or found.classes
    if len(named) != found.outputs:
        have = f"{len(named)} are named: {', '.join(named)}" if named else "it does not say what they mean"
        raise DataError(
            f"{path.name} gives {found.outputs} scores, and {have}. Name its classes in their order: --classes a,b,c"
        )
    return Finished(**{**found.__dict__, "classes": named})


def _onnx(path: Path, card: Card) -> Finished:
    import onnx
    from google.protobuf.message import DecodeError

    if path.stat().st_size > ONNX_BYTES:
        raise DataError(f"{path} has more than {ONNX_BYTES:,} bytes, which no ONNX file can have.")
    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise DataError(f"{path} is a damaged ONNX file: {error}.") from None
    beside = sorted({_beside(path, tensor) for tensor in _tensors(model) if _is_external(tensor)})
    sha256 = _sha256(path, beside)
    if beside:
        if sum(item.stat().st_size for item in (path, *beside)) > ONNX_BYTES:
            raise DataError(f"{path} and its data have more than {ONNX_BYTES:,} bytes together, too many for one file.")
        try:
            onnx.load_external_data_for_model(model, str(path.parent))
        except (onnx.checker.ValidationError, OSError, ValueError) as error:
            raise DataError(f"The data of {path} cannot be read: {error}") from None
        for tensor in _tensors(model):
            del tensor.external_data[:]
            tensor.data_location = onnx.TensorProto.DEFAULT
    content = model.SerializeToString()
    shape, outputs = onnx_interface(content, path.name)
    weights = [tensor for tensor in model.graph.initializer if tensor.dims]
    return Finished(
        format="onnx",
        content=content,
        sha256=sha256,
        outputs=outputs,
        classes=(),
        input=_input(path, card, *shape),
        scores=card.scores,
        tensors=len(weights),
        parameters=sum(math.prod(tensor.dims) for tensor in weights),
        notes=(f"its data ({', '.join(item.name for item in beside)}) are kept within it",) if beside else (),
    )


def onnx_interface(content: bytes, name: str) -> tuple[tuple[int | None, int | None], int]:
    """Channels and size of the pictures (None: any) and the number of scores of an ONNX model.

    Raises DataError for one that does not take float pictures [n, channels, size, size] alone and give [n, k] first.
    """
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as faults

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # nothing is computed when it loads
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except (
        faults.Fail,
        faults.InvalidGraph,
        faults.InvalidArgument,
        faults.NotImplemented,
        faults.RuntimeException,
        faults.InvalidProtobuf,
    ) as error:
        raise DataError(f"{name} cannot be run by onnxruntime: {str(error)[:300]}") from None
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = list(inputs[0].shape) if inputs else []
    sizes = [side if isinstance(side, int) else None for side in shape]
    fits = len(inputs) == 1 and inputs[0].type == "tensor(float)" and len(shape) == 4
    if not fits or sizes[1] not in (1, 3, None) or sizes[2] != sizes[3]:
        given = ", ".join(f"{item.name} {item.type} {item.shape}" for item in inputs)
        raise DataError(
            f"{name} takes {given or 'nothing'}; one input float [n, channels, size, size] is wanted, channels 1 or 3 "
            "(channels first). Export it so."
        )
    scores = list(outputs[0].shape)
    if outputs[0].type != "tensor(float)" or len(scores) != 2 or not isinstance(scores[1], int):
        raise DataError(f"{name} gives {outputs[0].type} {scores} first; float scores [n, classes] are wanted.")
    return (sizes[1], sizes[2]), scores[1]


def _skops(path: Path, card: Card) -> Finished:

    with zipfile.ZipFile(path) as archive:
        claimed = sum(item.file_size for item in archive.infolist())
    if claimed > SKOPS_BYTES:
        raise DataError(f"{path} claims to hold {claimed:,} bytes; more than {SKOPS_BYTES:,} are not read.")
    content = path.read_bytes()
    pipeline = load_skops(content, path.name)
    features, classes = getattr(pipeline, "n_features_in_", None), getattr(pipeline, "classes_", None)
    if not hasattr(pipeline, "predict_proba") or features is None or classes is None:
        raise DataError(
            f"{path.name} holds {type(pipeline).__name__}, which gives no probabilities of classes (predict_proba), or "
            "is not fitted. Around one that gives decisions alone, put a CalibratedClassifierCV."
        )
    shapes = [(n, math.isqrt(features // n)) for n in (1, 3) if features == n * math.isqrt(features // n) ** 2]
    channels, size = shapes[0] if shapes else (None, None)
    if channels is None:
        raise DataError(f"{path.name} takes {features} features, which are no square picture of 1 or 3 channels.")
    names = tuple(map(str, classes)) if all(isinstance(name, str) for name in classes) else ()
    sha256 = hashlib.sha256(content).hexdigest()
    own = _input(path, card, channels, size)
    return Finished("skops", content, sha256, len(classes), names, own, "probabilities", 0, 0)


def load_skops(content: bytes, name: str) -> Any:
    """Restore what skops wrote. Raises DataError where that would take types that scikit-learn does not bring."""
    import skops.io

    try:
        foreign = skops.io.get_untrusted_types(data=content)
        if not foreign:
            return skops.io.loads(content, trusted=[])
    except Exception as error:  # a damaged or hostile file makes skops raise nearly anything
        raise DataError(f"{name} cannot be read by skops ({type(error).__name__}: {str(error)[:300]}).") from None
    raise DataError(
        f"{name} holds {', '.join(foreign[:5])}, which may run code when it is restored, so it is not. Make the "
        "pipeline of parts of scikit-learn alone."
    )


def _input(path: Path, card: Card, channels: int | None, size: int | None) -> Input:
    """The card's preparation with the model's own size and channels. Raises DataError where the two differ."""
    own = {"channels": channels, "size": size}
    for key, value in own.items():
        said = getattr(card.input, key)
        if said is not None and value is not None and said != value:
            raise DataError(f"The card of {path.name} says input.{key} = {said}, and the file itself takes {value}.")
    given = {key: value for key, value in own.items() if value is not None}
    return validated(Input, {**card.input.model_dump(), **given}, "input")


def _tensors(message: Any) -> Iterator[onnx.TensorProto]:
    """All tensors of a model, those within attributes, functions and inner graphs too."""
    import onnx
    from google.protobuf.message import Message

    if isinstance(message, onnx.TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in (value,) if isinstance(value, Message) else value:
                yield from _tensors(inner)


def _is_external(tensor: onnx.TensorProto) -> bool:
    import onnx

    return bool(tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data)


def _beside(path: Path, tensor: onnx.TensorProto) -> Path:
    """The file in which a tensor's data lie. Raises DataError unless it is a plain file in the model's own folder."""
    location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
    plain = bool(location) and location not in (".", "..") and not set(location) & set("/\\:\0")
    target = path.parent / location if plain else path
    if not plain or target.is_symlink():
        raise DataError(
            f"{path} names data at {location!r}, outside of its own folder, so it is not read. Write it as one file: "
            "onnx.save(onnx.load('net.onnx'), 'one.onnx')"
        )
    if not target.is_file():
        raise DataError(
            f"{path} keeps its data in {location!r}, which is not beside it. Put it there, or export again."
        )
    return target


def _sha256(path: Path, beside: Sequence[Path]) -> str:
    """The file's own SHA-256; that over all files' where its data lie beside it."""
    hashes = [hashlib.sha256(item.read_bytes()).hexdigest() for item in (path, *beside)]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
