"""Numbers of what is measured on pictures: where one changes, FITTING in project/results.py must be raised.

The pictures are made up: straight dark lines with corners, on smooth noise.
"""

from typing import Any
from unittest.mock import patch

import numpy as np
from scipy.ndimage import gaussian_filter

from micromime.fitting.cracks import statistics
from micromime.fitting.exemplars import calibrated, cut_dictionary
from micromime.pictures.tiles import Tile
from micromime.scenario.streams import stream

VERSION, RTOL = "FITTING", 1e-3

SIDE = 96
"""Half of a picture's, px."""


def numbers() -> dict[str, dict[str, float]]:
    pictures = [picture(n) for n in range(8)]
    with patch.multiple(statistics, GAINS=(1.0,), PLAIN=1):  # a round of the search is enough to see that it changed
        found = {name: statistics.crack_statistics(pictures, whole, 3, 4) for name, whole in KINDS.items()}
    return {name: laws(each) for name, each in found.items()} | {"dictionary": dictionary(pictures)}


KINDS = {"whole cracks": True, "cracks in tiles": False}


def members() -> set[str]:
    """What must have numbers."""
    return {*KINDS, "dictionary"}


def picture(number: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(number)
    noise = gaussian_filter(rng.standard_normal((2 * SIDE, 2 * SIDE)), 1.5)
    rows, cols = np.mgrid[: 2 * SIDE, : 2 * SIDE]
    course = SIDE + 20 * np.abs((cols + 9 * number) % 60 / 30 - 1) + number
    away, inside = np.abs(rows - course), (cols > 20) & (cols < 2 * SIDE - 20)
    dark = (0.3 + 0.03 * number) * np.exp(-(away**2) / 8) * inside
    grey = (190 + 20 * noise / noise.std()) * (1 - dark)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8), (away < 5) & inside


def laws(found: Any) -> dict[str, float]:
    numbers = {f"law {key}": value for key, value in plain(found.parameters).items()}
    means = found.cracks.select_dtypes("number").mean()
    return numbers | {f"measured {key}": float(value) for key, value in means.items()}


def plain(written: Any, name: str = "") -> dict[str, float]:
    if isinstance(written, dict):
        return {key: value for part in written for key, value in plain(written[part], f"{name} {part}").items()}
    return {name.strip(): float(written)} if isinstance(written, int | float) else {}


def dictionary(pictures: Any) -> dict[str, float]:
    tiles = []
    for n, (image, mask) in enumerate(pictures):
        for kind, top in (("intact", 0), ("crack", 80)):
            part = slice(top, top + 64), slice(40, 104)
            tiles.append(Tile(f"{kind}{n}", kind, f"p{n}", f"{n}.png", top, 40, image[part], mask[part]))
    made = calibrated(cut_dictionary(tiles, 300, stream(0, "dictionary")), 0)
    parts = {"patches": made.patches, "seeds": made.seeds, "gain": made.gain}
    return {f"{key} {what}": float(getattr(each, what)()) for key, each in parts.items() for what in ("mean", "std")}
