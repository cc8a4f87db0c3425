"""Models: networks that the engine trains, estimators that train themselves, and finished ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ferbench.nouns.emotions import LabelKind, Modality, Task
from ferbench.nouns.paper import Paper, Reported
from ferbench.nouns.predictor import Predictor
from ferbench.nouns.recipe import Recipe
from ferbench.nouns.requirement import Requires
from ferbench.nouns.settings import Options
from ferbench.nouns.split import Batch
from ferbench.nouns.weights import Weights

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn


@dataclass(frozen=True)
class NetSpec:
    """What a network is built for.

    ``classes``: number of outputs. ``channels`` and ``size``: of the picture that it is given (float [n, channels,
    size, size]), of each frame of a clip (float [n, frames, channels, size, size]), or of EEG its electrodes and
    samples (float [n, channels, size]). ``inputs``: shape of every input by name, without the sample axis; the frames
    of a clip are those of the first one at test, others may have more or fewer. A network with one input is called
    as ``net(x)``; one with several as ``net(**inputs)``; where samples vary in length, ``mask`` is passed as well.
    It returns logits (or values of a regression), float [n, classes].
    """

    classes: int
    channels: int
    size: int
    task: Task = "single-label"
    inputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


class RequiredCell(Protocol):
    """A finished cell that a model or sampler asked for by role. Nothing that trains is ever given test scores."""

    @property
    def id(self) -> str:
        """Its cell id."""

    def scores(self, side: Literal["val", "out-of-fold"]) -> np.ndarray:
        """Its stored probabilities, float32 [n, k], in the order of the samples.

        ``out-of-fold``: of the training side, each sample's by a network that has not seen it; the requirement must ask
        for it. ``val``: the row is then marked, since its weights are no longer chosen on unused samples; samplers are
        refused it. Raises PluginError for any other side.
        """

    def network(self) -> nn.Module:
        """Its trained network, in evaluation mode, on the CPU. Raises PluginError for an estimator."""

    def features(self) -> np.ndarray:
        """What its network's last linear layer is given for each sample of the training side: float32 [n, d].

        The pictures are prepared as it was trained. Raises PluginError for an estimator, TrainingError for a network
        without such a layer.
        """

    def logits(self, batch: Batch) -> torch.Tensor:
        """What its network gives for a batch of the asking network's inputs, without gradients: float [n, classes].

        Augmented pictures are brought to the size, channels and normalisation that the network was trained with; it
        runs on the batch's device. Raises TrainingError where the pictures' normalisation cannot be undone.
        """


@dataclass(frozen=True)
class StepContext:
    """Where a training stands when an objective is called. ``epoch`` and ``step`` count from 0 over the whole cell."""

    epoch: int
    step: int
    stage: int
    classes: tuple[str, ...]
    device: torch.device
    rng: np.random.Generator
    required: Mapping[str, RequiredCell] = field(default_factory=dict)


@dataclass(frozen=True)
class StepResult:
    """What an objective returns: ``loss`` (scalar tensor), ``scores`` (logits [n, k]) and numbers to log.

    ``logs`` are floats, or scalar tensors, which nobody waits for before the epoch ends.
    """

    loss: torch.Tensor
    scores: torch.Tensor
    logs: Mapping[str, float | torch.Tensor] = field(default_factory=dict)


class Objective(Protocol):
    """A training step's forward pass and loss.

    ``batch.target`` is int64 [n] where labels are hard or drawn (then a label drawn for this epoch), else float32
    [n, k]; augmentation that mixes samples makes soft labels of hard ones. ``batch.index`` says which samples they are.
    The recipe's terms are added to its loss.
    An objective with state (centres, a queue) also has ``state_dict()`` and ``load_state_dict(state)``, and
    ``parameters()`` where some of it learns; an :class:`torch.nn.Module` has all three.
    """

    def __call__(self, net: nn.Module, batch: Batch, context: StepContext) -> StepResult:
        """Compute the loss of one batch."""


@dataclass(frozen=True)
class FitContext:
    """Given to an estimator: seed, threads, class names, options and required cells."""

    seed: int
    threads: int
    classes: tuple[str, ...]
    task: Task
    options: Options
    required: Mapping[str, RequiredCell] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingData:
    """Training samples of an estimator, prepared as its recipe's ``input`` says.

    ``inputs``: float32 [n, channels, height, width] by input name, and float32 [n, d] by role where a requirement
    ``gives`` something. ``targets``: int64 [n] or float32 [n, k]; the
    probabilities where labels would be drawn from them. ``weights``: float32 [n] or None.
    """

    inputs: Mapping[str, np.ndarray]
    targets: np.ndarray
    weights: np.ndarray | None = None


class Estimator(Protocol):
    """A model that trains itself. Its state is arrays and plain data, never a pickle."""

    def fit(self, data: TrainingData, context: FitContext) -> None:
        """Train."""

    def predict(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Scores [n, k]: probabilities that sum to one (single label), or values (regression)."""

    def state(self) -> tuple[Mapping[str, np.ndarray], Mapping[str, Any]]:
        """Arrays, and plain data that JSON can hold, from which :meth:`restore` makes the estimator again."""

    def restore(self, arrays: Mapping[str, np.ndarray], plain: Mapping[str, Any]) -> None:
        """Become the estimator whose state this is."""


@dataclass(frozen=True)
class Choice:
    """A hyperparameter that takes one of ``values``."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Range:
    """A hyperparameter between ``low`` and ``high``; ``log``: evenly spread over its logarithm."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Model:
    """A method: a network (``build``), an estimator (``estimator``) or a finished model (``predictor``).

    With it comes everything that a table needs to name it.

    ``build(spec, **options)`` returns an :class:`torch.nn.Module`; ``estimator(**options)`` an :class:`Estimator`;
    ``objective(spec, **options)`` an :class:`Objective`; ``predictor(weights, **options)`` a :class:`Predictor`, which
    is scored and never trained. Each is a function or ``"package.module:name"``. ``requires`` names other models by
    role, or is a function of the options that does; their cells are trained first, on the same fold and seed, and
    shared. ``fits``: the side on which an estimator is fitted; on ``val`` the row is marked, since its val score is no
    longer of unused samples. ``weights``: files that its recipe, or an override of it, may name under ``init_from``.
    ``label_kinds``: forms of training targets that
    it takes. ``reference``: the input and classes at which parameters and FLOPs are counted.
    ``search_space`` maps dotted keys (``recipe.optimizer.lr``) to what may be tried. ``small`` maps such keys to values
    with which an epoch over 2,000 pictures takes at most half a minute on a CPU (a smaller ``recipe.input.size``,
    fewer blocks): suites that say ``small`` train it so, to show that it runs, and the conformance kit tries a large
    network so. ``deterministic``: seeds make no difference, so one is enough. ``floor``: a baseline below which a
    method has learnt nothing. ``extra_data``: what its initial weights were trained on, empty for none.

    Of a finished model alone: ``classes``: what its scores mean, in order; they are matched with those of the data by
    canonical names. ``raw``: it is given pictures as they are stored, and prepares them itself. ``packages``: modules
    that it imports, with how to install each; where one is missing, its cells are skipped.
    """

    name: str
    build: Callable[..., nn.Module] | str | None = None
    estimator: Callable[..., Estimator] | str | None = None
    predictor: Callable[..., Predictor] | str | None = None
    recipe: Recipe = field(default_factory=Recipe)
    variant: str = ""
    options: Options = field(default_factory=Options)
    objective: Callable[..., Objective] | str | None = None
    requires: Requires = field(default_factory=dict)
    fits: Literal["train", "val"] = "train"
    weights: Sequence[Weights] = ()
    tasks: tuple[Task, ...] = ("single-label",)
    label_kinds: tuple[LabelKind, ...] = ("hard", "soft", "drawn", "accepted")
    modality: Modality = "image"
    inputs: tuple[str, ...] = ("image",)
    extra_data: str = ""
    reference: NetSpec = field(default_factory=lambda: NetSpec(classes=7, channels=1, size=48))
    search_space: Mapping[str, Choice | Range] = field(default_factory=dict)
    small: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""
    paper: Paper | None = None
    reported: Sequence[Reported] = ()
    tags: frozenset[str] = frozenset()
    deterministic: bool = False
    floor: bool = False
    classes: tuple[str, ...] = ()
    raw: bool = False
    packages: Mapping[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """``name`` or ``name@variant``."""
        return f"{self.name}@{self.variant}" if self.variant else self.name
