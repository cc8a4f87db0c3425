"""Trained weights into a fresh network: all that fits (``transfer``), or everything (``continue``, ``extend``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from ferbench.errors import TrainingError
from ferbench.nouns.split import Batch
from ferbench.training.losses import call_network

SHOWN = 4


@dataclass(frozen=True)
class Transferred:
    """What became of each tensor, by name.

    ``adapted``: of convolutions that see the picture, and how. ``left_out``: of the last layer, which the network
    keeps as it was made. ``mismatched``: of other shapes than the network's. ``missing``: only the network has them;
    ``unused``: only the weights have.
    """

    loaded: tuple[str, ...]
    adapted: Mapping[str, str]
    left_out: tuple[str, ...]
    mismatched: Mapping[str, str]
    missing: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of tensors of each fate."""
        return {fate: len(names) for fate, names in asdict(self).items()}

    def plain(self) -> dict[str, Any]:
        """Plain data for a file."""
        return {key: dict(v) if isinstance(v, Mapping) else list(v) for key, v in asdict(self).items()}


def transfer(
    net: nn.Module,
    weights: Mapping[str, torch.Tensor],
    classes: int,
    inputs: Mapping[str, torch.Tensor],
    source: str,
) -> Transferred:
    """Load every tensor whose name and shape fit, but for the last layer; ``source`` names the weights in messages.

    The last layer is the last module with as many outputs as ``classes`` that a pass of ``inputs`` (one sample, on the
    network's device) calls: what it tells apart is learnt anew, also where the numbers of classes agree by chance. A
    convolution that sees the picture takes weights of 3 channels for 1 (summed: what
    grey pictures repeated three times would give) and of 1 for 3 (repeated, divided by 3).
    The network is left in evaluation mode. Raises TrainingError when no parameter fits: the weights are another
    architecture's.
    """
    own = net.state_dict()
    last, of_pictures = _last_layer(net, classes, inputs), _of_pictures(net)
    loaded: list[str] = []
    left_out, mismatched = [], {}
    adapted: dict[str, str] = {}
    with torch.no_grad():
        for name, value in own.items():
            if name not in weights:
                continue
            given = weights[name]
            if name in last:
                left_out.append(name)
                continue
            if given.shape != value.shape and name in of_pictures:
                given, how = _with_channels(given, value.shape)
                adapted |= {name: how} if how else {}
            if given.shape != value.shape:
                mismatched[name] = f"{list(given.shape)} → {list(value.shape)}"
                continue
            value.copy_(given)
            loaded.append(name)
    parameters = {name for name, _ in net.named_parameters()}
    if not parameters & set(loaded):
        raise TrainingError(
            f"Nothing of {source} fits this network: they are another architecture's. Its parameters are "
            f"{_shapes({name: own[name] for name in own if name in parameters})}; theirs are "
            f"{_shapes(dict(sorted(weights.items())))}."
        )
    return Transferred(
        loaded=tuple(loaded),
        adapted=adapted,
        left_out=tuple(left_out),
        mismatched=mismatched,
        missing=tuple(name for name in own if name not in weights and name not in last),
        unused=tuple(name for name in weights if name not in own),
    )


def go_on(net: nn.Module, weights: Mapping[str, torch.Tensor], source: str, *, extends: bool = False) -> Transferred:
    """Load every parameter; buffers that the weights lack stay as they were made.

    A network that ``extends`` the trained one may have parameters that the weights lack, and must have all of theirs.
    Raises TrainingError that names what is missing or has another shape. Nothing is loaded then.
    """
    own = net.state_dict()
    parameters = {name for name, _ in net.named_parameters()}
    missing = [name for name in own if name not in weights]
    unused = tuple(name for name in weights if name not in own)
    lacking = [] if extends else [name for name in missing if name in parameters]
    wrong = {
        name: f"{list(weights[name].shape)} → {list(value.shape)}"
        for name, value in own.items()
        if name in weights and weights[name].shape != value.shape
    }
    homeless = unused if extends else ()
    if lacking or wrong or homeless:
        faults = [f"they lack {_few(lacking)}"] if lacking else []
        faults += [f"the network lacks {_few(homeless)}"] if homeless else []
        faults += [f"shapes differ: {_few([f'{name} {shapes}' for name, shapes in wrong.items()])}"] if wrong else []
        raise TrainingError(
            f'Training cannot continue from {source}: {"; ".join(faults)}. With mode = "transfer" whatever fits is '
            "loaded."
        )
    with torch.no_grad():
        for name, value in own.items():
            if name in weights:
                value.copy_(weights[name])
    loaded = tuple(name for name in own if name in weights)
    return Transferred(loaded, {}, (), {}, tuple(missing), unused)


def _last_layer(net: nn.Module, classes: int, inputs: Mapping[str, torch.Tensor]) -> frozenset[str]:
    """Names of the tensors of the last module called that has as many outputs as classes; none where none has.

    The order of calls counts, not that in which a constructor names its parts: a spatial transformer may come last.
    """
    called: list[str] = []
    handles = [
        module.register_forward_hook(lambda _module, _inputs, _outputs, name=name: called.append(name))
        for name, module in net.named_modules()
        if _outputs(module) == classes
    ]
    net.eval()
    with torch.inference_mode():
        call_network(net, Batch(inputs, None))
    for handle in handles:
        handle.remove()
    if not called:
        return frozenset()
    prefix = f"{called[-1]}." if called[-1] else ""
    return frozenset(name for name in net.state_dict() if name.startswith(prefix))


def _outputs(module: nn.Module) -> int | None:
    weight = getattr(module, "weight", None)
    return weight.shape[0] if isinstance(weight, torch.Tensor) and weight.ndim >= 2 else None


def _of_pictures(net: nn.Module) -> frozenset[str]:
    """Names of the weights of convolutions that take 1 or 3 channels: those that see the picture itself."""
    convolutions = ((name, m) for name, m in net.named_modules() if isinstance(m, nn.modules.conv._ConvNd))
    seeing = (name for name, m in convolutions if m.in_channels in (1, 3) and m.groups == 1)
    return frozenset(f"{name}.weight" if name else "weight" for name in seeing)


def _with_channels(given: torch.Tensor, wanted: Sequence[int]) -> tuple[torch.Tensor, str]:
    """A convolution's weights for 1 channel made from those for 3, or for 3 from 1, and how."""
    if given.ndim == len(wanted) and given.ndim >= 3:
        if given.shape[1] == 3 and wanted[1] == 1:
            return given.sum(1, keepdim=True), "3 channels summed into 1"
        if given.shape[1] == 1 and wanted[1] == 3:
            return given.expand(-1, 3, *given.shape[2:]) / 3, "1 channel spread over 3"
    return given, ""


def _shapes(tensors: Mapping[str, torch.Tensor]) -> str:
    """A few names and shapes; matrices and kernels tell an architecture better than what lies between them."""
    telling = {name: value for name, value in tensors.items() if value.ndim > 1}
    return _few([f"{name} {list(value.shape)}" for name, value in (telling or tensors).items()])


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
