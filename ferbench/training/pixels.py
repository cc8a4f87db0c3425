"""What is done to whole batches of raw pictures, uint8 [n, channels, height, width].

On the CPU numpy copies and mirrors whole rows, which is faster than torch's gather there; other devices use torch.
Both give the same bytes. Colour may lie in memory as planes or, as files store it, pixel by pixel; it stays as it lies.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from ferbench.errors import TrainingError
from ferbench.nouns.geometry import Border

Interpolation = Literal["bilinear", "nearest", "bicubic"]


def is_picture(value: np.ndarray | torch.Tensor) -> bool:
    """Whether a batch holds pictures: bytes [n, height, width], or four axes of which one has 1 or 3 channels."""
    if value.dtype not in (np.uint8, torch.uint8):
        return False
    return value.ndim == 3 or (value.ndim == 4 and (value.shape[3] in (1, 3) or value.shape[1] in (1, 3)))


def is_clip(value: np.ndarray | torch.Tensor) -> bool:
    """Whether a batch holds clips: bytes [n, frames, height, width, c], or channels before height; 1 or 3 of them."""
    bytes_of_five = value.dtype in (np.uint8, torch.uint8) and value.ndim == 5
    return bytes_of_five and (value.shape[4] in (1, 3) or value.shape[2] in (1, 3))


def channels_first(x: torch.Tensor) -> torch.Tensor:
    """View pictures [n, h, w], [n, h, w, c] or [n, c, h, w] as [n, c, h, w]; a last axis of 1 or 3 is the channels."""
    if x.ndim == 3:
        return x.unsqueeze(1)
    return x.permute(0, 3, 1, 2) if x.shape[3] in (1, 3) else x


def resize(x: torch.Tensor, size: int, interpolation: Interpolation) -> torch.Tensor:
    """Resize pictures to ``size`` × ``size`` bytes, rounded, antialiased where they shrink: torchvision's ``resize``.

    A device without a kernel for bytes computes in float32, where a value may differ by one grey level.
    """
    if x.shape[2:] == (size, size):
        return x
    if interpolation == "nearest":
        return functional.interpolate(x, (size, size), mode="nearest")
    has_kernel = interpolation == "bicubic" or torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    if x.device.type == "cpu" and has_kernel:
        return functional.interpolate(x, (size, size), mode=interpolation, antialias=True)
    resized = functional.interpolate(x.float(), (size, size), mode=interpolation, antialias=True)
    return resized.round_().clamp_(0, 255).to(torch.uint8)


def to_grey(x: torch.Tensor) -> torch.Tensor:
    """Turn colour into grey [n, 1, h, w]: 0.2989 R + 0.587 G + 0.114 B, cut to a whole number as torchvision does."""
    if x.shape[1] == 1:
        return x
    red, green, blue = x.unbind(1)
    return red.mul(0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114).to(torch.uint8).unsqueeze_(1)


def to_bytes(x: torch.Tensor) -> torch.Tensor:
    """Round float pixels (0 to 255, halves to even) to uint8; ``x`` is used up."""
    if x.device.type == "cpu":
        return torch.from_numpy(np.rint(x.numpy(), out=x.numpy()).astype(np.uint8))
    return x.round_().to(torch.uint8)


def crop(x: torch.Tensor, top: np.ndarray, left: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """Cut a window of ``size`` (height, width) out of each picture, at its own ``top`` and ``left`` (int64 [n])."""
    return crop_rows(x, top, left, size) if x.device.type == "cpu" else crop_gather(x, top, left, size)


def crop_rows(x: torch.Tensor, top: np.ndarray, left: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """Crop on the CPU: numpy gathers the rows of the windows, each as one opaque item."""
    memory, pixel = _rows(x)
    count, planes, height, row = memory.shape
    windows = np.ndarray(
        (count, height - size[0] + 1, row // pixel - size[1] + 1, planes, size[0]),
        dtype=f"V{size[1] * pixel}",
        buffer=memory.data,
        strides=(planes * height * row, row, pixel, height * row, row),
    )
    picked = windows[np.arange(count), top, left].view(np.uint8)
    return _pictures(picked.reshape(count, planes, size[0], size[1] * pixel), pixel)


def crop_gather(x: torch.Tensor, top: np.ndarray, left: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    """Crop on any device: torch gathers the pixels of the windows."""
    count, channels, _, width = x.shape
    corner = torch.from_numpy(top * width + left).to(x.device, non_blocking=True)
    rows = torch.arange(size[0], device=x.device) * width
    inside = (rows[:, None] + torch.arange(size[1], device=x.device)).reshape(-1)
    places = (corner[:, None] + inside).unsqueeze(1).expand(-1, channels, -1)
    return x.flatten(2).gather(2, places).view(count, channels, *size)


def centre_crop(x: torch.Tensor, size: int) -> torch.Tensor:
    """View the middle ``size`` × ``size`` pixels, as torchvision's ``center_crop``. Raises TrainingError if larger."""
    check_fits(size, x.shape[2], x.shape[3])
    top, left = (round((side - size) / 2.0) for side in x.shape[2:])
    return x[:, :, top : top + size, left : left + size]


def flip(x: torch.Tensor, chosen: np.ndarray, upside_down: bool = False) -> torch.Tensor:
    """Mirror left and right (or ``upside_down``) the pictures that ``chosen`` (bool [n]) names."""
    return (flip_rows if x.device.type == "cpu" else flip_where)(x, chosen, upside_down)


def flip_rows(x: torch.Tensor, chosen: np.ndarray, upside_down: bool = False) -> torch.Tensor:
    """Flip on the CPU: only the chosen pictures are mirrored."""
    memory, pixel = _rows(x)
    which = np.flatnonzero(chosen)
    some = torch.from_numpy(memory[which])
    if upside_down:
        mirrored = some.flip(2)
    else:
        mirrored = some.flip(3) if pixel == 1 else some.view(-1, 1, *x.shape[2:], pixel).flip(3).flatten(3)
    result = memory.copy()
    result[which] = mirrored.numpy()
    return _pictures(result, pixel)


def flip_where(x: torch.Tensor, chosen: np.ndarray, upside_down: bool = False) -> torch.Tensor:
    """Flip on any device: all pictures are mirrored, and those chosen are taken."""
    which = torch.from_numpy(chosen).to(x.device, non_blocking=True)
    return torch.where(which[:, None, None, None], x.flip(2 if upside_down else 3), x)


def pad(x: torch.Tensor, padding: int, border: Border, fill: float) -> torch.Tensor:
    """Pad pictures by ``padding`` pixels on every side, as numpy's ``pad`` of that mode."""
    if border == "constant":
        return functional.pad(x, (padding,) * 4, value=fill)
    rows, columns = (
        torch.from_numpy(np.pad(np.arange(side), padding, border)).to(x.device, non_blocking=True)
        for side in x.shape[2:]
    )
    return x.index_select(2, rows).index_select(3, columns)


def five_places(height: int, width: int, size: int) -> list[tuple[int, int]]:
    """Top and left of five crops: top left, top right, bottom left, bottom right, the middle."""
    bottom, right = height - size, width - size
    return [(0, 0), (0, right), (bottom, 0), (bottom, right), (round(bottom / 2.0), round(right / 2.0))]


def check_fits(size: int, height: int, width: int) -> None:
    """Raise TrainingError when a square of ``size`` pixels is larger than the picture."""
    if size > min(height, width):
        raise TrainingError(
            f"A crop of {size} × {size} pixels does not fit into pictures of {height} × {width}. "
            "Set a smaller crop, or larger pictures with recipe.input.size."
        )


def check_pads(padding: int, border: Border, height: int, width: int) -> None:
    """Raise TrainingError when a mirrored border would need more pixels than the picture has."""
    problem = padding_problem(padding, border, min(height, width))
    if problem:
        raise TrainingError(f"pad-crop: {problem}.")


def padding_problem(padding: int, border: Border, side: int) -> str | None:
    """What is wrong with padding pictures of ``side`` pixels, if anything."""
    most = {"reflect": side - 1, "symmetric": side}.get(border, padding)
    if padding <= most:
        return None
    return (
        f"border {border!r} gives at most {most} pixels to a side of {side}, and padding asks for {padding}; "
        "set less padding, or border = 'edge'"
    )


def _rows(x: torch.Tensor) -> tuple[np.ndarray, int]:
    """The bytes as they lie in memory, [n, planes, h, row], and how many of a row make a pixel."""
    by_pixel = x.permute(0, 2, 3, 1)
    if x.shape[1] > 1 and by_pixel.is_contiguous():
        return by_pixel.flatten(2).unsqueeze(1).numpy(), x.shape[1]
    return x.contiguous().numpy(), 1


def _pictures(rows: np.ndarray, pixel: int) -> torch.Tensor:
    """The inverse of :func:`_rows`."""
    x = torch.from_numpy(rows)
    return x if pixel == 1 else x.view(len(x), x.shape[2], x.shape[3] // pixel, pixel).permute(0, 3, 1, 2)
