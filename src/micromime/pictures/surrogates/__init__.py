"""Stand-ins for real pictures, from simulators that share nothing with the scenarios: one file each, with `write`."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from micromime.scenario.arrays import Mask, Points

FINE = 2
"""Everything is simulated at twice the resolution and averaged by the camera; "fine" pixels are halves."""


def shrunk(field: Points | Mask) -> Points:
    """Return the means of the fine pixels of each pixel, (rows, cols)."""
    rows, cols = field.shape[0] // FINE, field.shape[1] // FINE
    return np.asarray(field.reshape(rows, FINE, cols, FINE).mean(axis=(1, 3)))


def write_table(file: Path, lines: Sequence[Sequence[object]]) -> None:
    """Write a list of pictures, CSV in UTF-8, the names of its columns first."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened, lineterminator="\n").writerows(lines)
