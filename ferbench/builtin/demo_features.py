"""The parts of a drawn face, painted one over the other in the coordinates of the face.

Every part is an analytic shape: a signed distance, scaled to pixels and clipped, is the share of the pixel that it
covers, so that edges are smooth without drawing at a higher resolution. Action units move the shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ferbench.builtin.demo_people import People, Shots
from ferbench.builtin.demo_random import Floats

EYES = -0.10
MOUTH = 0.43
"""Heights of the eyes and of the mouth on the face, downwards, in halves of the picture's height."""


@dataclass(frozen=True)
class Face:
    """A batch of pictures while they are painted.

    ``canvas`` [n, size, size], grey in 0 … 1, is painted in place. ``u`` (rightwards), ``v`` (downwards): where on the
    face each pixel lies, in halves of the picture's height; ``side`` = |u|; ``pixel``: pixels per unit, [n, 1, 1].
    ``light``: brightness of the skin's surface. ``on``: share of the pixel that the head covers. ``units``: intensity
    of each action unit, [n, 1, 1].
    """

    canvas: Floats
    u: Floats
    v: Floats
    side: Floats
    pixel: Floats
    light: Floats
    on: Floats
    units: Mapping[int, Floats]
    person: People
    shot: Shots

    def cover(self, distance: Floats) -> Floats:
        """Share of each pixel inside a shape, from the signed distance to its edge (positive inside)."""
        share: Floats = np.clip(distance * self.pixel + 0.5, 0, 1)
        return share

    def paint(self, tone: Floats | float, alpha: Floats) -> None:
        """Lay a tone over the canvas, where ``alpha`` is 1 wholly."""
        canvas = self.canvas
        canvas += (tone - canvas) * alpha

    def dim(self, alpha: Floats) -> None:
        """Darken the canvas by a share."""
        canvas = self.canvas
        canvas *= 1 - alpha

    def lift(self, amount: Floats) -> None:
        """Brighten the canvas by an amount."""
        canvas = self.canvas
        canvas += amount


def blob(square: Floats) -> Floats:
    """A soft spot, 1 at its centre and 0 from two radii on, of the squared distance in radii."""
    t = np.maximum(1 - square * 0.25, 0)
    t *= t
    t *= t
    return t


def spot(face: Face, x: Floats | float, y: Floats | float, rx: Floats | float, ry: Floats | float) -> Floats:
    """A soft spot on both sides of the face, ``x`` from its middle."""
    a = (face.side - x) / rx
    b = (face.v - y) / ry
    a *= a
    b *= b
    a += b
    return blob(a)


def draw_relief(face: Face) -> None:
    """Sockets, cheeks, chin and the folds that action units cut into the skin."""
    au, p = face.units, face.person
    brow = EYES - p.brow_height
    face.dim(0.16 * spot(face, p.eye_distance - 0.03, EYES - 0.05, 0.17, 0.10))
    cheek = 0.10 + 0.16 * au[6] + 0.05 * au[12]
    face.lift(cheek * p.skin * face.light * spot(face, 0.33, EYES + 0.31 - 0.07 * au[6], 0.13, 0.10))
    face.dim((0.04 + 0.14 * au[6]) * spot(face, p.eye_distance, EYES + 0.125, 0.14, 0.03))
    # The fold from the wing of the nose to the corner of the mouth: smiling, sneering and age deepen it.
    depth = np.minimum(0.06 * p.age + 0.26 * au[12] + 0.34 * au[9] + 0.08 * au[20], 0.36)
    fall = face.v - (EYES + p.nose_length - 0.04)
    line = np.abs(face.side - 0.135 - 0.55 * fall - 0.03 * au[12]) / 0.035
    face.dim(depth * blob(line * line) * blob(((fall - 0.09) / 0.09) ** 2))
    # Frown lines between the brows, wrinkles across the nose's root and across the forehead.
    frown = np.abs(face.side - 0.05) / 0.024
    face.dim(0.5 * au[4] * blob(frown * frown) * blob(((face.v - brow - 0.02) / 0.07) ** 2))
    wave = np.abs((face.v - EYES) / 0.075 % 1 - 0.5) * 2
    face.dim(0.55 * au[9] * wave * spot(face, 0.0, EYES + 0.07, 0.10, 0.10))
    ridge = np.abs((face.v - brow) / 0.085 % 1 - 0.5) * 2
    reach = 0.14 + 0.16 * au[2]
    face.dim((0.12 + 0.12 * p.age) * np.maximum(au[1], au[2]) * ridge * spot(face, 0.0, brow - 0.17, reach, 0.07))
    # Chin: a light ball, a shadow under the lower lip.
    face.lift(0.07 * face.light * spot(face, 0.0, 0.67 + 0.1 * au[26], 0.15, 0.08))


def draw_nose(face: Face) -> None:
    """Ridge, wings and nostrils; the light's side decides which flank lies in shadow."""
    au, p, s = face.units, face.person, face.shot
    tip = EYES + p.nose_length - 0.035 * au[9]
    along = np.clip((face.v - EYES) / (tip - EYES), 0, 1)
    # The nose stands out of the face, so turning the head moves it further than the skin behind it.
    x = face.u - s.yaw * 0.16 * along
    wide = p.nose_width * (0.42 + 0.58 * along * along)
    flank = x / wide
    body = blob(flank * flank) * blob(((face.v - tip + 0.13) / 0.15) ** 2)
    face.dim(-0.42 * body * flank * s.light_x)
    ridge = x / 0.035
    face.lift(0.11 * face.light * blob(ridge * ridge) * blob(((face.v - tip + 0.10) / 0.10) ** 2))
    ball = (x / (0.6 * p.nose_width)) ** 2 + ((face.v - tip + 0.02) / 0.045) ** 2
    face.lift(0.12 * face.light * blob(ball))
    face.dim(0.30 * blob((x / (1.05 * p.nose_width)) ** 2 + ((face.v - tip - 0.05) / 0.028) ** 2))
    wing = np.abs(x) - 0.5 * p.nose_width * (1 + 0.25 * au[9])
    face.dim(0.55 * blob((wing / 0.034) ** 2 + ((face.v - tip - 0.03) / 0.022) ** 2))


def draw_eyes(face: Face) -> None:
    """Eyeballs between two lids. AU5 lifts the upper lid, AU7 tightens both, AU6 pushes the lower one up."""
    au, p, s = face.units, face.person, face.shot
    half = 0.135 * p.eye_size
    across = (face.side - p.eye_distance) / half
    arc = np.maximum(1 - across * across, 0)
    root = np.sqrt(arc)
    squint = np.minimum(au[7] + 0.6 * au[4] * (1 - au[5]) + 0.7 * au[9], 1)
    up = p.eye_size * np.maximum(0.075 + 0.062 * au[5] - 0.032 * squint - 0.012 * au[6] - 0.012 * au[12], 0.022)
    low = p.eye_size * np.maximum(0.050 + 0.012 * au[5] - 0.024 * au[7] - 0.044 * au[6] - 0.02 * au[9], -0.004)
    slant = (p.eye_tilt + 0.10 * au[4] * (1 - au[1]) - 0.16 * au[1] * np.minimum(au[4] + au[15], 1)) * half
    level = face.v - EYES + slant * across
    top = level + up * root
    bottom = low * (0.45 * arc + 0.55 * root) - level
    inside = np.minimum(np.minimum(top, bottom), half * (1 - across * across))
    alpha = face.cover(inside)
    # White, iris, pupil and the lamp's reflection.
    toward = np.where(face.u > 0, s.gaze, -s.gaze)
    ix = face.side - p.eye_distance - toward
    iy = level + 0.012
    far = np.sqrt(ix * ix + iy * iy)
    ball = (0.62 + 0.38 * face.light) * (0.93 - 0.30 * blob((top / 0.035) ** 2))
    iris = face.cover(0.068 * p.eye_size - far)
    ball += (p.iris - ball) * iris
    ball += (0.03 - ball) * face.cover(0.030 * p.eye_size - far)
    ball += 0.75 * blob(
        ((face.u - np.sign(face.u) * p.eye_distance + 0.022) / 0.02) ** 2 + ((level + 0.036) / 0.02) ** 2
    )
    face.paint(ball, alpha)
    # Lashes along the upper lid, a fine lower lid, and the crease above.
    within = face.cover(half * (1.1 - np.abs(across)))
    thick = 0.010 + 0.012 * p.lashes
    lid = face.cover(thick - np.abs(top + thick * 0.4)) * within
    face.dim(0.80 * lid * (0.55 + 0.45 * p.lashes))
    face.dim((0.22 + 0.16 * np.maximum(au[7], au[6])) * face.cover(0.012 - np.abs(bottom + 0.008)) * within)
    crease = (top + 0.040 - 0.012 * au[5]) / 0.016
    face.dim(0.20 * blob(crease * crease) * within)


def draw_brows(face: Face) -> None:
    """AU1 lifts the inner ends, AU2 the outer ones, AU4 draws both down and together."""
    au, p = face.units, face.person
    start = 0.095 - 0.045 * au[4]
    along = (face.side - start) / (p.eye_distance + 0.20 - start)
    t = np.clip(along, 0, 1)
    inner = (1 - t) * (1 - t)
    lift = 0.145 * au[1] * inner + 0.125 * au[2] * t * (1.5 - 0.5 * t) + 0.05 * np.minimum(au[1], au[2])
    fall = au[4] * (1 - 0.75 * au[1]) * (0.165 * inner + 0.05) + 0.06 * au[9] * inner
    curve = EYES - p.brow_height - lift + fall - p.brow_arch * 4 * t * (1 - t) * (1 - 0.5 * au[4]) + 0.02 * t
    thick = p.brow_thick * (1.1 - 0.75 * t * t) * np.minimum(0.45 + 3 * t, 1)
    shape = np.minimum(thick - np.abs(face.v - curve), 0.4 * np.minimum(along, 1 - along))
    tone = np.minimum(0.75 * p.hair, 0.55 * p.skin) * (0.35 + 0.65 * face.light)
    face.paint(tone, 0.92 * face.cover(shape))


def draw_mouth(face: Face) -> None:
    """AU12 pulls the corners up and out, AU15 down, AU20 sideways; AU23 presses the lips, AU25 and AU26 part them."""
    au, p = face.units, face.person
    closed = 1 - 0.85 * np.minimum(au[25] + au[26], 1)
    round_ = au[26] * (1 - au[12]) * (1 - 0.8 * au[20])
    half = p.mouth_width * (1 + 0.42 * au[12] + 0.36 * au[20] + 0.06 * au[15] - 0.20 * au[23] - 0.28 * round_)
    across = face.u / half
    bow = across * across
    arc = np.maximum(1 - bow, 0)
    root = np.sqrt(arc)
    corners = 0.115 * au[12] - 0.115 * au[15] - 0.075 * au[20] + p.mouth_rest
    centre = MOUTH + 0.03 * au[12] - 0.05 * au[15] - 0.02 * au[9] + 0.03 * au[26]
    level = face.v - (centre - corners * (bow - 0.35))
    up = (0.022 + 0.02 * au[9]) * au[25] + 0.05 * round_
    low = 0.085 * au[25] * (1 - 0.35 * au[15]) + 0.03 * au[25] * au[12] + 0.15 * au[26]
    top = level + up * root
    bottom = low * root - level
    # Lips: cupid's bow above, a fuller lip below, both thin when pressed or stretched.
    thin = 1 - 0.72 * au[23] - 0.32 * au[12] - 0.3 * au[20]
    upper = p.lips * np.maximum(thin - 0.2 * au[9], 0.15) * arc * (1 - 0.35 * blob((face.u / 0.05) ** 2))
    lower = p.lips * 1.15 * np.maximum(thin, 0.2) * (0.4 * arc + 0.6 * root)
    fence = half * (1.0 - np.abs(across))
    lips = face.cover(np.minimum(np.minimum(top + upper, bottom + lower), fence))
    shine = 1 + 0.30 * blob(((bottom + 0.55 * lower) / 0.022) ** 2) * blob((across / 0.5) ** 2) - 0.12 * (level < 0)
    face.dim(0.20 * blob(((bottom + lower + 0.045) / 0.03) ** 2) * blob((across / 0.42) ** 2))
    face.paint(p.skin * face.light * p.red * shine, lips * 0.9)
    # The opening: teeth above, tongue below, darkness between.
    hole = face.cover(np.minimum(np.minimum(top, bottom), fence)) * np.minimum((au[25] + au[26]) * 6, 1)
    dark = 0.10 + 0.20 * blob((across / 0.6) ** 2) * blob((bottom / 0.05) ** 2) * au[26]
    face.paint(dark, hole)
    show = 0.075 * au[25] * (1 - 0.75 * round_) + 0.02 * au[12]
    teeth = face.cover(show * root - top) * hole * np.minimum(show * 40, 1)
    face.paint((0.55 + 0.40 * face.light) * (1 - 0.10 * bow), teeth * 0.95)
    # The line between closed lips, and the corners' dimples.
    seam = face.cover(0.012 - np.abs(level)) * face.cover(fence) * closed
    face.dim(0.62 * seam)
    dimple = ((np.abs(face.u) - half) / 0.035) ** 2 + ((face.v - centre + corners * 0.65) / 0.04) ** 2
    face.dim((0.22 + 0.25 * np.maximum(au[12], au[15])) * blob(dimple))


def draw_beard(face: Face) -> None:
    """Beard along the jaw and moustache, left out over the lips."""
    p = face.person
    tone = (0.8 * p.hair + 0.2 * p.skin) * (0.3 + 0.7 * face.light)
    jaw = np.clip((face.v + 0.55 * face.side - 0.50) / 0.14, 0, 1)
    open_ = spot(face, 0.0, MOUTH + 0.03, p.mouth_width * 0.75, 0.085)
    face.paint(tone, 0.80 * p.beard * jaw * (1 - np.minimum(1.3 * open_, 1)))
    face.paint(tone, 0.75 * p.moustache * spot(face, 0.06, MOUTH - 0.105, 0.09, 0.030))


def draw_glasses(face: Face) -> None:
    """Two thin rims and a bridge, with a faint reflection."""
    p = face.person
    x = (face.side - p.eye_distance) / 0.195
    y = (face.v - EYES - 0.015) / 0.155
    far = np.sqrt(np.sqrt(x * x * x * x + y * y * y * y))
    rim = face.cover(0.017 - np.abs(far - 1) * 0.17)
    bridge = face.cover(0.014 - np.abs(face.v - EYES + 0.03)) * face.cover(0.085 - face.side)
    temple = face.cover(0.014 - np.abs(face.v - EYES + 0.05)) * face.cover(face.side - p.eye_distance - 0.19)
    face.paint(0.10, 0.85 * p.glasses * np.maximum(np.maximum(rim, bridge), temple) * face.on)
    face.lift(0.10 * p.glasses * face.cover(0.03 - np.abs(x * 0.19 + y * 0.15 + 0.05)) * (far < 0.95))
