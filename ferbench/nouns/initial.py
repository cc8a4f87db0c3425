"""Where a network's first weights come from, as plain data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ferbench.nouns.settings import Settings


class DefaultInit(Settings):
    """Leave the weights as the network's constructor made them."""

    name: Literal["default"] = "default"


class HeInit(Settings):
    """He et al. 2015: normal, variance 2 / fan-out for convolutions, 2 / fan-in for linear layers; biases zero."""

    name: Literal["he"] = "he"


class XavierInit(Settings):
    """Glorot and Bengio 2010: uniform; biases zero."""

    name: Literal["xavier"] = "xavier"


class TruncatedNormalInit(Settings):
    """Normal with standard deviation ``sd``, cut at two standard deviations; biases zero."""

    name: Literal["truncated-normal"] = "truncated-normal"
    sd: float = Field(0.02, gt=0)


class NormalInit(Settings):
    """Normal with standard deviation ``sd``; biases zero."""

    name: Literal["normal"] = "normal"
    sd: float = Field(0.05, gt=0)


Init = Annotated[DefaultInit | HeInit | XavierInit | TruncatedNormalInit | NormalInit, Field(discriminator="name")]


class InitFrom(Settings):
    """Begin with trained weights: a registered file (``weights``) or a required cell (``role``).

    ``transfer`` leaves out the last layer and whatever does not fit, and says so; a convolution that sees the picture
    is adapted from 3 channels to 1 or from 1 to 3. ``continue`` wants every parameter, and the same classes in the same
    order. ``extend`` wants a place for everything that was trained, and the same classes, in a network that has parts
    of its own besides; these begin as they were made.
    """

    weights: str | None = None
    role: str | None = None
    mode: Literal["transfer", "continue", "extend"] = "transfer"

    @model_validator(mode="after")
    def _one_source(self) -> InitFrom:
        if (self.weights is None) == (self.role is None):
            raise ValueError("name either registered weights or the role of a required cell, and not both")
        return self
