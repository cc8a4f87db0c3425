"""Small recordings in the layouts that written data sets read, and other made-up clips and signals."""

from __future__ import annotations

from pathlib import Path

import numpy as np

EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
ELECTRODES = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")


def write_clips(folder: Path, subjects: int = 5) -> Path:
    """A clip of each class by every subject, five to nine frames of 64 × 64 pixels; classes differ in brightness."""
    for label, name in enumerate(EMOTIONS):
        (folder / name).mkdir(parents=True)
        for subject in range(subjects):
            levels = [20 + 30 * label + 2 * frame + subject for frame in range(5 + (label + subject) % 5)]
            write_clip(folder / name / f"s{subject}_1.y4m", levels)
    return folder


def write_clip(path: Path, levels: list[int], side: int = 64) -> None:
    """Grey frames of one level each, uncompressed (YUV4MPEG2)."""
    colours = np.full(side * side // 2, 128, np.uint8).tobytes()
    frames = [b"FRAME\n" + np.full(side * side, level, np.uint8).tobytes() + colours for level in levels]
    path.write_bytes(f"YUV4MPEG2 W{side} H{side} F25:1 Ip A1:1 C420jpeg\n".encode() + b"".join(frames))


def write_eeg(folder: Path, subjects: int = 4, trials: int = 4) -> Path:
    """Trials of four seconds at 128 Hz, in volts; classes differ in their rhythm."""
    rng, time = np.random.default_rng(0), np.arange(4 * 128) / 128
    for subject in range(subjects):
        for label, name in enumerate(("negative", "neutral", "positive")):
            place = folder / f"s{subject}" / name
            place.mkdir(parents=True)
            for trial in range(trials):
                wave = np.sin(2 * np.pi * (5 + 8 * label) * time + rng.uniform(0, 6))
                signal = 1e-5 * (2 * wave + rng.standard_normal((len(ELECTRODES), len(time))))
                np.savez(place / f"{trial}.npz", signal=signal, rate=128, channels=np.array(ELECTRODES))
    return folder
