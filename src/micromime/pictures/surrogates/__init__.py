"""Stand-ins for real pictures, from simulators that share nothing with the scenarios: one file each, with `write`."""

import csv
from collections.abc import Sequence
from pathlib import Path

FINE = 2
"""Everything is simulated at twice the resolution and averaged by the camera; "fine" pixels are halves."""


def write_table(file: Path, lines: Sequence[Sequence[object]]) -> None:
    """Write a list of pictures, CSV in UTF-8, the names of its columns first."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened, lineterminator="\n").writerows(lines)
