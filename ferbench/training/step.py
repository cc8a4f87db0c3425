"""One training step: forward, backward, update; and what happens when the memory does not suffice."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from ferbench.errors import TrainingError
from ferbench.nouns.model import Objective, StepContext, StepResult
from ferbench.nouns.optimizers import Optimizer
from ferbench.nouns.split import Batch
from ferbench.training.gradients import clip
from ferbench.training.precision import Numerics
from ferbench.training.sharpness import Draws, buffers_kept, state_kept, uphill


@dataclass(frozen=True)
class Stepper:
    """Everything that a step works with.

    ``crops``: how many pictures of a batch come of each of the data set. ``size_key``: the setting that says how large
    a batch is.
    """

    net: nn.Module
    objective: Objective
    optimizer: torch.optim.Optimizer
    numerics: Numerics
    allow_microbatch: bool
    settings: Optimizer
    crops: int = 1
    size_key: str = "recipe.batch_size"


def training_step(stepper: Stepper, batch: Batch, context: StepContext, chunks: int) -> tuple[StepResult, int]:
    """Update the weights once; return the objective's result (detached) and the chunks used.

    With more than one chunk, gradients of parts of the batch are accumulated. Raises TrainingError when memory runs
    out and micro-batches are not allowed, with the batch size that would fit.
    """
    while True:
        try:
            return _update(stepper, batch, context, chunks), chunks
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        release_memory(stepper)
        size = len(batch.target)
        if not stepper.allow_microbatch or chunks >= size:
            raise TrainingError(_advice(stepper, batch, context, size // stepper.crops))
        chunks = min(size, chunks * 2)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the memory of the device or the machine did not suffice."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def release_memory(stepper: Stepper) -> None:
    """Drop gradients and cached blocks."""
    stepper.optimizer.zero_grad(set_to_none=True)
    gc.collect()
    if stepper.numerics.device.type == "cuda":
        torch.cuda.empty_cache()


def _update(stepper: Stepper, batch: Batch, context: StepContext, chunks: int) -> StepResult:
    """Gradient, clipping, step. With SAM the result is the first pass's, and what is clipped the second's gradient."""
    sam, optimizer = stepper.settings.sam, stepper.optimizer
    draws = Draws.of(context.device, context.rng) if sam else None
    result = _accumulate(stepper, batch, context, chunks)
    if sam and draws:
        with uphill(optimizer, sam), buffers_kept(stepper.net), state_kept(stepper.objective):
            draws.again(context.device, context.rng)
            _accumulate(stepper, batch, context, chunks)
    clip(optimizer, stepper.settings)
    optimizer.step()
    return result


def _accumulate(stepper: Stepper, batch: Batch, context: StepContext, chunks: int) -> StepResult:
    stepper.optimizer.zero_grad(set_to_none=True)
    total, scores = None, []
    logs: dict[str, float | torch.Tensor] = {}
    for share, piece in _pieces(batch, chunks):
        with stepper.numerics.autocast():
            result = stepper.objective(stepper.net, piece, context)
        loss = result.loss * share
        loss.backward()
        total = loss.detach() if total is None else total + loss.detach()
        scores.append(result.scores.detach())
        for name, value in result.logs.items():
            known = value.detach() if isinstance(value, torch.Tensor) else value
            logs[name] = logs.get(name, 0.0) + share * known
    if total is None:
        raise TrainingError("A batch without samples was drawn; the sampler's batch rule must not return empty ones.")
    return StepResult(total, scores[0] if len(scores) == 1 else torch.cat(scores), logs)


def _pieces(batch: Batch, chunks: int) -> Iterator[tuple[float, Batch]]:
    if chunks == 1:
        yield 1.0, batch
        return
    size = len(batch.target)
    step = -(-size // chunks)
    for start in range(0, size, step):
        cut = slice(start, min(start + step, size))
        piece = Batch(
            {name: value[cut] for name, value in batch.inputs.items()},
            batch.target[cut],
            None if batch.mask is None else batch.mask[cut],
            None if batch.weight is None else batch.weight[cut],
            None if batch.index is None else batch.index[cut],
        )
        yield len(piece.target) / size, piece


def _advice(stepper: Stepper, batch: Batch, context: StepContext, size: int) -> str:
    fits = size // 2
    while fits >= 1 and not _fits(stepper, batch, context, fits * stepper.crops):
        fits //= 2
    where = f"Out of memory in epoch {context.epoch}, step {context.step}, at batch size {size}"
    if fits < 1:
        return f"{where}; not even one sample fits on {stepper.numerics.device}."
    return (
        f"{where}; {fits} would fit. Set {stepper.size_key}={fits}, or keep the recipe with "
        "--set run.allow_microbatch=true (gradients are accumulated, and the row is marked)."
    )


def _fits(stepper: Stepper, batch: Batch, context: StepContext, size: int) -> bool:
    try:
        _, piece = next(_pieces(batch, -(-len(batch.target) // size)))
        _accumulate(stepper, piece, context, 1)
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return False
    finally:
        release_memory(stepper)
    return True
