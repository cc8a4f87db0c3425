"""Suites and run settings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from ferbench.nouns.composition import Composition
from ferbench.nouns.settings import Settings


class RunSettings(Settings):
    """How cells run. None of it is part of a cell's identity; it is recorded as its environment."""

    device: str = "auto"
    threads: int | None = Field(None, gt=0, description="CPU threads of a cell (None: the cores divided by jobs)")
    jobs: int = Field(1, gt=0)
    checkpoint_seconds: float = Field(60.0, ge=0)
    timeout_minutes: float | None = Field(None, gt=0)
    retries: int = Field(2, ge=0, description="tries after a fault of the machine (signal, lost process)")
    allow_microbatch: bool = False
    workers: int = Field(2, ge=0, description="loader processes of a split that streams from disk")
    deterministic: bool = Field(False, description="on CUDA: only kernels that give the same bits each time (slower)")
    compile: Literal["auto", "always", "never"] = Field(
        "auto", description="torch.compile of networks; auto: on CUDA alone, where a training is long enough"
    )
    probe: bool = Field(True, description="time each row for a moment first, to estimate the whole run")
    track: Literal["auto", "never"] = Field("auto", description="auto: into MLflow where that is installed")


Limit = Annotated[int, Field(gt=0, strict=True)] | Annotated[float, Field(gt=0, lt=1)]
"""How many training samples, or which share of them; drawn by class, so that shares of classes stay."""


class SuiteRow(Settings):
    """Rows of a suite under a name of their own (``adam``, ``300 epochs``): what is not given is the suite's.

    ``set`` comes on top of the suite's own, and is named in the table.
    """

    name: str = Field(min_length=1, max_length=60)
    datasets: tuple[str, ...] | None = Field(None, min_length=1)
    models: tuple[str, ...] | None = Field(None, min_length=1)
    samplers: tuple[str, ...] | None = Field(None, min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(None, min_length=1)
    epochs: int | None = Field(None, gt=0)
    limit: Limit | None = None
    selection: Literal["best-val", "last", "oracle"] | None = None
    set: dict[str, Any] = Field(default_factory=dict)

    @field_validator("set")
    @classmethod
    def _no_run_settings(cls, value: dict[str, Any]) -> dict[str, Any]:
        found = [key for key in value if key.startswith("run.")]
        if found:
            raise ValueError(f"{', '.join(found)}: run settings hold for the whole suite; set them there")
        return value


class Suite(Settings):
    """What is compared with what.

    Lists may name things, ``tag:NAME`` or ``*`` (default variants only). ``set`` holds overrides as for ``--set``.
    ``metrics[0]`` is the one by which the table is sorted. With ``rows``, these are trained instead of the plain
    product of the lists, which then only fill in what a row leaves open. ``small``: models are trained under their own
    small settings, below ``set``; such rows show that a method runs, and are not ranked. ``allow_corrupted``: how many
    corrupted files of a data set may be left out, or which share of all its files; with more there is no run.
    ``evaluate_on``: further data sets (``NAME`` or ``NAME@PROTOCOL``) on which every finished cell is scored as well,
    over the classes that both have; ``ferbench transfer`` shows them. ``compose`` defines data sets made of others:
    ``[compose.NAME]`` is the data set ``compose:NAME``, in this suite and, once it has run, everywhere on this machine.
    """

    name: str
    description: str = ""
    datasets: tuple[str, ...] = Field(min_length=1)
    models: tuple[str, ...] = Field(min_length=1)
    samplers: tuple[str, ...] = Field(("plain",), min_length=1)
    metrics: tuple[str, ...] = Field(("accuracy", "balanced-accuracy", "macro-f1"), min_length=1)
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((0, 1, 2), min_length=1)
    epochs: int | None = Field(None, gt=0)
    limit: Limit | None = None
    selection: Literal["best-val", "last", "oracle"] | None = None
    small: bool = False
    allow_corrupted: Annotated[int, Field(ge=0)] | Annotated[float, Field(gt=0, lt=1)] = 0
    evaluate_on: tuple[str, ...] = ()
    compose: dict[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,59}$")], Composition] = Field(
        default_factory=dict
    )
    set: dict[str, Any] = Field(default_factory=dict)
    rows: tuple[SuiteRow, ...] = ()
