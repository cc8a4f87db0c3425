"""Draws faces: a head in the light, its hair, its surroundings, and the camera. All batched, in plain numpy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ferbench.builtin import demo_features as features
from ferbench.builtin.demo_features import Face, blob
from ferbench.builtin.demo_people import People, Shots, rows_of
from ferbench.builtin.demo_random import Draws, Floats, Ints
from ferbench.builtin.demo_units import UNITS

CHUNK = 8
"""Faces drawn together: as many as keep the working arrays within a core's cache."""


def draw_faces(
    people: People, subjects: Ints, shots: Shots, units: Floats, draws: Draws, size: int = 48
) -> npt.NDArray[np.uint8]:
    """Draw one picture per row of ``subjects``, ``shots`` and ``units``, uint8 [n, size, size].

    ``subjects``: index into ``people``, int64 [n]; ``units``: float32 [n, 13] in the order of UNITS.
    """
    pictures = np.empty((len(subjects), size, size), np.uint8)
    for start in range(0, len(subjects), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(subjects)))
        shot = rows_of(shots, rows)
        action = {unit: units[rows, i].reshape(-1, 1, 1) for i, unit in enumerate(UNITS)}
        scene = _scene(rows_of(people, subjects[rows]), shot, action, size)
        grey = _camera(scene, shot, draws.grain(len(rows), size, size))
        pictures[rows] = np.rint(grey * 255).astype(np.uint8)
    return pictures


def _scene(person: People, shot: Shots, units: dict[int, Floats], size: int) -> Floats:
    """Everything in front of the camera, grey float32 [n, size, size]."""
    x, y = _coordinates(shot, size)
    pixel = shot.scale * (size / 2)
    hx, hy, radius, width, height = _head(person, units, x, y)
    z = np.sqrt(np.maximum(1 - radius * radius, 0))
    u = (hx * np.sqrt(1 - shot.yaw * shot.yaw) - z * shot.yaw) * width
    v = (hy * np.sqrt(1 - shot.pitch * shot.pitch) - z * shot.pitch) * height
    v += shot.crooked * u * np.clip(v + 0.1, 0, 1)
    bulge = np.sqrt(np.maximum(1 - 0.8 * radius * radius, 0.05))
    lambert = np.maximum(shot.light_x * hx + shot.light_y * hy + 0.8 * bulge, 0)
    light = shot.ambient + (1 - shot.ambient) * 1.1 * lambert
    on = np.clip((1 - radius) * 0.6 * pixel + 0.5, 0, 1)
    canvas = np.clip(shot.backdrop + shot.backdrop_slope * (x + y), 0.08, 0.94) + np.zeros_like(on)
    face = Face(canvas, u, v, np.abs(u), pixel, light, on, units, person, shot)
    _behind(face, x, y)
    face.paint(person.skin * light, on)
    skin = Face(canvas.copy(), u, v, np.abs(u), pixel, light, on, units, person, shot)
    features.draw_relief(skin)
    features.draw_beard(skin)
    features.draw_nose(skin)
    features.draw_eyes(skin)
    features.draw_mouth(skin)
    features.draw_brows(skin)
    face.paint(skin.canvas, on)
    features.draw_glasses(face)
    _hair(face, x, y, radius)
    _hand(face, x, y)
    return face.canvas


def _coordinates(shot: Shots, size: int) -> tuple[Floats, Floats]:
    """Pixels in the upright frame of the head. The tangent of half an angle gives sine and cosine without ``sin``."""
    axis = ((np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1).astype(np.float32)
    t = shot.roll
    cosine, sine = (1 - t * t) / (1 + t * t), 2 * t / (1 + t * t)
    dx = axis.reshape(1, 1, -1) - shot.shift_x
    dy = axis.reshape(1, -1, 1) - 0.10 - shot.shift_y
    return (dx * cosine + dy * sine) / shot.scale, (dy * cosine - dx * sine) / shot.scale


def _head(
    person: People, units: dict[int, Floats], x: Floats, y: Floats
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """The skull and jaw: coordinates on it, distance from its middle (1 at the edge), half width and half height."""
    below = y > 0
    height = person.height + below * (0.10 * units[26])
    hy = y / height
    width = person.width * (1 - person.taper * np.maximum(hy, 0) * np.minimum(np.maximum(hy, 0) + 0.3, 1))
    hx = x / width
    a, b = hx * hx, hy * hy
    even = a + b
    boxy = np.sqrt(a * a + b * b)
    radius = np.sqrt(even + (boxy - even) * (0.75 * person.square * below))
    return hx, hy, radius, width, height


def _behind(face: Face, x: Floats, y: Floats) -> None:
    """Long hair, neck, clothes and ears."""
    p = face.person
    mane_x, mane_y = x / (p.width + 0.05 + p.volume), (y + 0.08) / (p.height + 0.02 + 0.5 * p.volume)
    mane = 1 - np.sqrt(mane_x * mane_x + mane_y * mane_y)
    curtain = np.minimum(p.width + 0.03 + p.volume - np.abs(x), np.minimum(y, 0.95 - y))
    strands = 0.72 + 0.22 * np.abs((x * 9) % 1 - 0.5)
    face.paint(p.hair * strands, face.cover(np.maximum(mane * 0.6, curtain)) * p.long)
    neck = np.minimum(0.62 * p.width - np.abs(x), y - 0.3)
    face.paint(p.skin * (0.30 + 0.28 * face.light), face.cover(neck))
    collar = y - 0.86 - 0.10 * np.abs(x) + 0.16 * np.minimum(np.abs(x) / 0.4, 1)
    face.paint(face.shot.clothes, face.cover(collar))
    ex, ey = (np.abs(x) - p.width) / 0.075, (y - 0.02) / 0.16
    ear = np.sqrt(ex * ex + ey * ey)
    tone = p.skin * (0.35 + 0.6 * face.shot.ambient + 0.25 * face.shot.light_x * np.sign(x))
    face.paint(tone * (0.75 + 0.25 * np.minimum(ear, 1)), face.cover((1 - ear) * 0.08) * (1 - p.long))


def _hair(face: Face, x: Floats, y: Floats, radius: Floats) -> None:
    """Hair on the skull down to the hairline, parted somewhere, with strands that catch the light."""
    p = face.person
    off = face.u - p.parting
    line = p.hairline + (0.30 + 0.35 * p.long) * off * off - 0.12 * p.parting * off
    # Long hair falls over the temples, short hair ends in sideburns that run to a point.
    fall = 0.9 * (face.side - p.width + 0.085 + 0.08 * np.maximum(face.v, 0))
    burns = np.minimum(0.6 * (face.side - p.width + 0.10) - 0.16 * np.maximum(face.v + 0.30, 0), 0.04 - face.v)
    temples = np.where(p.long > 0, np.minimum(fall, 0.9 - face.v), burns)
    edge = np.maximum(line - face.v, temples)
    cap_x, cap_y = x / (p.width + 0.4 * p.volume), y / (p.height + p.volume)
    cap = 1 - np.sqrt(cap_x * cap_x + cap_y * cap_y)
    shape = np.minimum(np.where(y < 0, cap * 0.6, (1 - radius) * 0.6 + 0.02), edge)
    strands = np.abs((off * 7 + face.v * 1.5) % 1 - 0.5)
    gloss = blob(((face.v + 0.68 + 0.2 * face.shot.light_x * face.u) / 0.10) ** 2)
    tone = p.hair * (0.55 + 0.55 * face.light + 0.35 * strands) + (0.06 + 0.10 * p.hair) * gloss
    face.dim(0.25 * blob(((face.v - line) / 0.05) ** 2) * face.on)
    face.paint(tone, face.cover(shape))
    reach = face.v + 0.7
    lock = np.minimum(0.11 - 0.11 * reach - np.abs(face.u - 0.04 - 0.30 * reach * reach), reach)
    face.paint(tone, face.cover(lock) * face.shot.strand)


def _hand(face: Face, x: Floats, y: Floats) -> None:
    """A hand before the face: a palm with four fingers that point up."""
    s = face.shot
    hx, hy = x - s.hand_x, y - s.hand_y
    finger = np.abs((hx / 0.13) % 1 - 0.5)
    length = 0.30 - 0.9 * hx * hx - 1.6 * finger * finger
    shape = np.minimum(np.minimum(hy + length, 0.26 - np.abs(hx)), hy + 1)
    tone = face.person.skin * (0.62 + 0.35 * s.ambient) * (1 - 0.5 * np.maximum(finger - 0.38, 0) * (hy < 0.1) * 8)
    face.paint(tone, face.cover(shape) * s.hand)


def _camera(scene: Floats, shot: Shots, grain: Floats) -> Floats:
    """Blur, contrast, brightness and noise; clipped to 0 … 1."""
    side = 0.33 * shot.blur
    for axis in (1, 2):
        width = [(0, 0), (0, 0), (0, 0)]
        width[axis] = (1, 1)
        wide = np.pad(scene, width, mode="edge")
        before, after = (wide[:, :-2], wide[:, 2:]) if axis == 1 else (wide[:, :, :-2], wide[:, :, 2:])
        scene = scene * (1 - 2 * side) + (before + after) * side
    grey = (scene - 0.5) * shot.contrast + 0.5 + shot.brightness + grain * shot.noise
    clipped: Floats = np.clip(grey, 0, 1)
    return clipped
