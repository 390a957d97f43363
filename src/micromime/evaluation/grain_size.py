"""What a metallurgist reads off a boundary mask: how many grains there are, and how large they are (ASTM E112).

A grain is a region between boundaries, connected through its pixels' sides: a boundary one pixel wide parts two grains
on a diagonal too. A region below `LEAST_GRAIN_PX` is a pocket in a line and counts as boundary. Truth and prediction
are measured by the same rules. How wide a boundary is drawn says nothing about the grains, so sizes are measured on
centre lines. On masks as they are, wide lines swallow junctions and the test lines that run along them: rendered masks
lose more than a tenth of their intersections, centre lines a few hundredths (test_grain_size.py holds them to that).
"""

import math

import numpy as np
from scipy.ndimage import label
from skimage.morphology import remove_small_objects, skeletonize

from micromime.arrays import Mask

LEAST_GRAIN_PX = 25
"""Least area of a grain, px: a square of 5 px, as wide as a line in a mask (they are 2 to 10 px wide)."""

E112_SLOPE, E112_OFFSET = -6.643856, -3.288
"""G = slope * log10(mean linear intercept, mm) + offset; the slope is -2 / log10(2): half the intercept is G + 2."""


def count_grains(mask: Mask) -> int:
    """Return the number of grains; 1 where the mask (true on a boundary) is empty, 0 where it has no room for one.

    A grain that the picture's border cuts off counts whole. Raises ValueError for a mask that is not boolean.
    """
    _, count = label(_grains(mask))  # its default is connection through sides
    return int(count)


def mean_intercept_px(mask: Mask) -> float | None:
    """Return the mean linear intercept, px: length of all test lines / intersections with boundaries (ASTM E112, Heyn).

    Every row and every column is a test line. Each run of a centre line's pixels along it is one intersection, a half
    where it touches an end of the test line, and none where it fills the whole line: that runs along a boundary and
    crosses nothing. Triple points count once, not one and a half times. None where nothing is crossed, or no grain is.
    Raises ValueError for a mask that is not boolean.
    """
    grain = _grains(mask)
    if not grain.any():
        return None
    lines = skeletonize(~grain)
    # A run begins and ends with a change; at the end of a test line one of the two is missing.
    changes = np.count_nonzero(lines[:, 1:] != lines[:, :-1]) + np.count_nonzero(lines[1:] != lines[:-1])
    return float(2 * lines.size / (changes / 2)) if changes > 0 else None


def astm_number(intercept_mm: float) -> float:
    """Return the ASTM grain-size number G of a mean linear intercept in mm on the specimen; finer grains, larger G.

    G = -6.643856 log10(intercept) - 3.288 (ASTM E112, doi 10.1520/E0112-13); 0.32 mm is G 0, 0.02 mm is G 8. NaN of
    NaN. Raises ValueError for an intercept of 0 or below.
    """
    return E112_SLOPE * math.log10(intercept_mm) + E112_OFFSET


def astm_difference(found_px: float, true_px: float) -> float:
    """Return G(found) - G(true) of two mean linear intercepts in one picture: its scale cancels out. NaN of NaN.

    Raises ValueError for an intercept of 0 or below.
    """
    return E112_SLOPE * (math.log10(found_px) - math.log10(true_px))


def _grains(mask: Mask) -> Mask:
    """Return what belongs to a grain: all that is neither boundary nor a pocket in one."""
    if mask.dtype != np.bool_:
        raise ValueError(f"a mask must be boolean, not {mask.dtype}")  # ~ of 0 and 255 would be labels
    grain: Mask = remove_small_objects(~mask, max_size=LEAST_GRAIN_PX - 1, connectivity=1)
    return grain
