"""Who is drawn, and how the picture was taken."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np

from ferbench.builtin.demo_random import Draws, Floats, Ints


@dataclass(frozen=True)
class People:
    """Looks of persons, each float32 [persons]. Lengths are in halves of the picture's height."""

    skin: Floats
    width: Floats
    height: Floats
    taper: Floats
    square: Floats
    eye_distance: Floats
    eye_size: Floats
    eye_tilt: Floats
    iris: Floats
    brow_thick: Floats
    brow_height: Floats
    brow_arch: Floats
    nose_length: Floats
    nose_width: Floats
    mouth_width: Floats
    mouth_rest: Floats
    lips: Floats
    red: Floats
    lashes: Floats
    hair: Floats
    hairline: Floats
    parting: Floats
    volume: Floats
    long: Floats
    beard: Floats
    moustache: Floats
    glasses: Floats
    age: Floats


@dataclass(frozen=True)
class Shots:
    """Conditions under which pictures were taken, each float32 [n]. Angles are tangents of half (``roll``) or sines."""

    roll: Floats
    scale: Floats
    shift_x: Floats
    shift_y: Floats
    yaw: Floats
    pitch: Floats
    crooked: Floats
    gaze: Floats
    light_x: Floats
    light_y: Floats
    ambient: Floats
    backdrop: Floats
    backdrop_slope: Floats
    clothes: Floats
    hand: Floats
    hand_x: Floats
    hand_y: Floats
    strand: Floats
    contrast: Floats
    brightness: Floats
    blur: Floats
    noise: Floats


def draw_people(draws: Draws, n: int) -> People:
    """Invent ``n`` persons."""
    long = draws.chance(n, 0.45)
    bearded = draws.chance(n, 0.38) * (1 - long)
    skin = draws.uniform(n, 0.52, 0.86)
    fair = draws.unit(n)
    # Dark skin rarely goes with fair hair.
    hair = 0.07 + (0.10 + 0.45 * (skin > 0.6)) * fair * fair
    bald = draws.chance(n, 0.15) * (1 - long)
    return People(
        skin=skin,
        width=draws.bell(n, 0.62, 0.025),
        height=draws.bell(n, 0.80, 0.025),
        taper=draws.bell(n, 0.17, 0.06) + 0.04 * long,
        square=np.clip(draws.bell(n, 0.35, 0.25) - 0.2 * long, 0, 1),
        eye_distance=draws.bell(n, 0.268, 0.018),
        eye_size=draws.bell(n, 1.0, 0.09) + 0.08 * long,
        eye_tilt=draws.bell(n, 0.02, 0.05),
        iris=draws.uniform(n, 0.08, 0.42),
        brow_thick=draws.bell(n, 0.036, 0.007) - 0.010 * long,
        brow_height=draws.bell(n, 0.225, 0.018),
        brow_arch=draws.bell(n, 0.035, 0.014),
        nose_length=draws.bell(n, 0.31, 0.025),
        nose_width=draws.bell(n, 0.115, 0.014),
        mouth_width=draws.bell(n, 0.225, 0.018),
        mouth_rest=draws.bell(n, 0.0, 0.012),
        lips=draws.bell(n, 0.052, 0.009) + 0.008 * long,
        red=draws.uniform(n, 0.62, 0.8) - 0.10 * long,
        lashes=0.4 + 0.6 * long,
        hair=hair,
        hairline=draws.bell(n, -0.575, 0.045) - 0.5 * bald,
        parting=draws.uniform(n, -0.35, 0.35),
        volume=draws.uniform(n, 0.05, 0.12) * (1 - bald) + 0.05 * long,
        long=long,
        beard=bearded * draws.uniform(n, 0.3, 1.0),
        moustache=bearded * draws.chance(n, 0.8) * draws.uniform(n, 0.4, 1.0),
        glasses=draws.chance(n, 0.2),
        age=draws.uniform(n, 0.1, 1.0),
    )


def draw_shots(draws: Draws, n: int) -> Shots:
    """Take ``n`` pictures."""
    return Shots(
        roll=draws.bell(n, 0.0, 0.05),
        scale=draws.bell(n, 1.15, 0.05),
        shift_x=draws.bell(n, 0.0, 0.035),
        shift_y=draws.bell(n, 0.0, 0.035),
        yaw=draws.bell(n, 0.0, 0.15),
        pitch=draws.bell(n, 0.0, 0.06),
        crooked=draws.bell(n, 0.0, 0.05),
        gaze=draws.bell(n, 0.0, 0.025),
        light_x=draws.uniform(n, -0.75, 0.75),
        light_y=draws.uniform(n, -0.75, 0.15),
        ambient=draws.uniform(n, 0.36, 0.62),
        backdrop=draws.uniform(n, 0.15, 0.88),
        backdrop_slope=draws.uniform(n, -0.12, 0.12),
        clothes=draws.uniform(n, 0.05, 0.9),
        hand=draws.chance(n, 0.06),
        hand_x=draws.uniform(n, -0.45, 0.45),
        hand_y=draws.uniform(n, 0.25, 0.6),
        strand=draws.chance(n, 0.06),
        contrast=draws.uniform(n, 0.7, 1.15),
        brightness=draws.bell(n, 0.0, 0.05),
        blur=np.maximum(draws.uniform(n, -0.7, 0.75), 0),
        noise=draws.uniform(n, 0.0, 0.03),
    )


Things = TypeVar("Things", People, Shots)


def rows_of(things: Things, rows: Ints) -> Things:
    """The given rows, shaped [n, 1, 1] so that they spread over pictures."""
    return type(things)(**{f.name: getattr(things, f.name)[rows].reshape(-1, 1, 1) for f in fields(things)})
