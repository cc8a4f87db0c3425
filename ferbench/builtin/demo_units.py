"""From emotions to facial action units, after the prototypes of FACS (Ekman, Friesen & Hager 2002, EMFACS table)."""

from __future__ import annotations

import numpy as np

from ferbench.builtin.demo_random import Draws, Floats, Ints

UNITS = (1, 2, 4, 5, 6, 7, 9, 12, 15, 20, 23, 25, 26)
"""The units that the demo draws: brow raisers and lowerer, lids, cheeks, nose, lip corners, lips, jaw."""

# For each emotion, in the order of the classes: unit → (how often it shows, how strongly when it does, 0 to 1).
PROTOTYPES: dict[str, dict[int, tuple[float, float]]] = {
    "anger": {4: (1.0, 0.9), 5: (0.5, 0.4), 7: (0.9, 0.7), 23: (0.9, 0.85), 9: (0.2, 0.3), 25: (0.25, 0.35)},
    "disgust": {9: (1.0, 0.9), 15: (0.7, 0.55), 4: (0.6, 0.45), 7: (0.7, 0.6), 6: (0.4, 0.4), 25: (0.45, 0.5)},
    "fear": {
        1: (1.0, 0.85),
        2: (0.7, 0.5),
        4: (0.9, 0.6),
        5: (0.95, 0.85),
        20: (0.95, 0.85),
        25: (0.9, 0.75),
        26: (0.6, 0.35),
    },
    "happiness": {6: (0.9, 0.8), 12: (1.0, 0.9), 25: (0.7, 0.8), 26: (0.2, 0.3)},
    "sadness": {1: (1.0, 0.85), 4: (0.7, 0.5), 15: (1.0, 0.85), 7: (0.3, 0.35), 25: (0.1, 0.25)},
    "surprise": {1: (1.0, 0.85), 2: (1.0, 0.9), 5: (0.9, 0.8), 25: (0.9, 0.7), 26: (0.95, 0.9)},
    "neutral": {},
}


def draw_units(draws: Draws, emotions: Ints, classes: tuple[str, ...]) -> Floats:
    """Intensities of the action units of faces that show ``emotions`` (class indices, int64 [n]), float32 [n, 13].

    0 is absent, 1 the most that a face can do. How far an emotion shows at all differs from face to face, single units
    stay out or come on top, so that classes overlap as they do among people.
    """
    n = len(emotions)
    shown = 0.28 + 0.72 * draws.unit(n)
    units = np.zeros((n, len(UNITS)), np.float32)
    for column, unit in enumerate(UNITS):
        table = [PROTOTYPES[name].get(unit, (0.0, 0.0)) for name in classes]
        often = np.array([row[0] for row in table], np.float32)[emotions]
        strength = np.array([row[1] for row in table], np.float32)[emotions]
        present = draws.unit(n) < often
        stray = draws.chance(n, 0.10) * draws.uniform(n, 0.0, 0.4)
        units[:, column] = np.where(present, strength * shown * (0.75 + 0.5 * draws.unit(n)), stray)
    return np.clip(units, 0, 1)
