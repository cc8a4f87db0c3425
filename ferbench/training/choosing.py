"""Changing some pictures of a batch and leaving the others as they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch


def change_some(
    x: torch.Tensor, chosen: np.ndarray, change: Callable[..., torch.Tensor], *parameters: np.ndarray
) -> torch.Tensor:
    """Return the batch with the pictures that ``chosen`` (bool [n]) names changed; ``x`` itself stays as it is.

    ``change`` gets these pictures [m, c, h, w] and their rows of each of the ``parameters`` ([n, ...]).
    """
    if not chosen.any():
        return x
    if chosen.all():
        return change(x, *parameters)
    result = x.clone()
    put_changed(result, x, chosen, change, *parameters)
    return result


def put_changed(
    result: torch.Tensor,
    x: torch.Tensor,
    chosen: np.ndarray,
    change: Callable[..., torch.Tensor],
    *parameters: np.ndarray,
) -> None:
    """Write into ``result`` what becomes of the chosen pictures of ``x``; see :func:`change_some`."""
    places = np.flatnonzero(chosen)
    if len(places) == 0:
        return
    rows = [values[places] for values in parameters]
    if x.device.type == "cpu":
        put_rows(result, places, change(torch.from_numpy(x.numpy()[places]), *rows))
    else:
        index = torch.from_numpy(places).to(x.device, non_blocking=True)
        put_index(result, index, change(x.index_select(0, index), *rows))


def put_rows(result: torch.Tensor, places: np.ndarray, pictures: torch.Tensor) -> None:
    """Write pictures [m, c, h, w] to their ``places`` (int64 [m]) on the CPU: numpy copies each as a whole."""
    result.numpy()[places] = pictures.numpy()


def put_index(result: torch.Tensor, places: torch.Tensor, pictures: torch.Tensor) -> None:
    """Write pictures to their ``places`` on any device."""
    result.index_copy_(0, places, pictures)


def per_picture(values: np.ndarray, x: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Numbers [n], one for each picture of ``x``, as a tensor [n, 1, 1, 1] on its device."""
    return torch.from_numpy(values).to(dtype).to(x.device, non_blocking=True).view(-1, 1, 1, 1)
