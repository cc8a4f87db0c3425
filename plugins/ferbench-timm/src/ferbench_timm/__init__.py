"""Any image network of timm by its name (``timm:convnext_atto``), with one recipe for all of them.

``timm:NAME`` trains from scratch; ``timm:NAME@pretrained`` begins with a file of weights that was registered.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydantic import Field

from ferbench import (
    AdamW,
    Affine,
    Cosine,
    CrossEntropy,
    Family,
    FlipView,
    HorizontalFlip,
    InitFrom,
    Input,
    Model,
    NetSpec,
    Options,
    Paper,
    RandomErasing,
    Range,
    Recipe,
    UnknownNameError,
    Weights,
    hookimpl,
)
from ferbench_timm.names import known_names

plugin_api = 1

PAPER = Paper(
    title="PyTorch Image Models",
    authors="Ross Wightman",
    year=2019,
    url="https://github.com/huggingface/pytorch-image-models",
)
PRETRAINED = "pretrained"

RECIPE = Recipe(
    epochs=100,
    batch_size=64,
    optimizer=AdamW(lr=5e-4, weight_decay=0.05, decay_norm_and_bias=False, clip_norm=1.0),
    schedule=Cosine(warmup_epochs=5, min_lr=1e-6),
    loss=CrossEntropy(label_smoothing=0.1),
    input=Input(size=224, channels=1, normalise="mean-std"),
    augmentation=(
        HorizontalFlip(),
        Affine(degrees=10, translate=0.1, scale=(0.9, 1.1)),
        RandomErasing(p=0.25),
    ),
    tta=FlipView(),
    val_batch_size=128,
)
"""For convolutional networks and transformers alike: a decoupled decay that spares norms and biases, a warm-up, a cut
of the gradient, and the moves that leave an expression what it is."""

FINE_TUNING = RECIPE.model_copy(
    update={
        "epochs": 30,
        "optimizer": RECIPE.optimizer.model_copy(update={"lr": 1e-4}),
        "schedule": Cosine(warmup_epochs=2, min_lr=1e-6),
    }
)

SIZE_IN_NAME = re.compile(r"_(?:\d+to)?(224|240|256|288|336|384|408|448|512)(?=_|$)")
"""The side for which a network is made (``swin_tiny_patch4_window7_224``)."""


class TimmOptions(Options):
    """``arguments``: passed on to the network's constructor in timm (``{drop_path_rate = 0.1}``)."""

    arguments: dict[str, Any] = Field(default_factory=dict)


@hookimpl
def ferbench_models() -> Iterator[Family]:
    """Yield the family."""
    yield Family(
        prefix="timm",
        make=make,
        description="Any image network of timm by its name; @pretrained begins with registered weights.",
        examples=("convnext_atto", "resnet18", "vit_tiny_patch16_224", "resnet18@pretrained"),
    )


def make(argument: str) -> Model:
    """The model of ``NAME`` or ``NAME@pretrained``. Raises UnknownNameError for a name that timm does not have."""
    architecture, at, variant = argument.partition("@")
    known = known_names()
    if architecture not in known:
        raise UnknownNameError(
            f"timm has no network {architecture!r}.{_nearest(architecture, known)} It has {len(known):,}: "
            "python -c 'import timm; print(*timm.list_models())'"
        )
    if at and variant != PRETRAINED:
        raise UnknownNameError(
            f"timm:{architecture} has no variant {variant!r}. "
            f"Variants: timm:{architecture}, timm:{architecture}@{PRETRAINED}."
        )
    return _pretrained(architecture) if variant else _from_scratch(architecture)


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=3)
    return f" Did you mean {' or '.join(repr(other) for other in close)}?" if close else ""


def _from_scratch(architecture: str) -> Model:
    return _model(architecture, RECIPE, f"timm's {architecture}, trained from scratch.")


def _pretrained(architecture: str) -> Model:
    weights = Weights(
        name=f"timm-{architecture}",
        description=f"weights of timm's {architecture} in timm's names of parameters",
        trained_on="",  # of one network timm has many files, which have seen different things
        how_to_get=f"model.safetensors of one of https://huggingface.co/models?library=timm&search={architecture}",
        licence="see its page",
    )
    recipe = FINE_TUNING.model_copy(update={"init_from": InitFrom(weights=weights.name)})
    description = f"timm's {architecture}, beginning with registered weights."
    return _model(architecture, recipe, description, variant=PRETRAINED, weights=(weights,))


def _model(architecture: str, recipe: Recipe, description: str, **facts: Any) -> Model:
    named = SIZE_IN_NAME.search(architecture)
    size = int(named[1]) if named and not architecture.startswith("levit") else 224
    light = "imagenet" if recipe.init_from else "mean-std"
    channels = 3 if recipe.init_from else 1
    return Model(
        name=f"timm:{architecture}",
        build=_builder(architecture),
        options=TimmOptions(),
        recipe=recipe.model_copy(update={"input": Input(size=size, channels=channels, normalise=light)}),
        reference=NetSpec(classes=7, channels=channels, size=size),
        search_space={
            "recipe.optimizer.lr": Range(1e-5, 3e-3, log=True),
            "recipe.optimizer.weight_decay": Range(1e-4, 0.3, log=True),
        },
        small={"recipe.input.size": 56 if "patch14" in architecture else 64},
        description=description,
        paper=PAPER,
        **facts,
    )


def _builder(architecture: str) -> Callable[..., Any]:
    def build(spec: NetSpec, *, arguments: dict[str, Any]) -> Any:
        from ferbench_timm.network import build as make_network

        return make_network(architecture, spec, arguments)

    return build
