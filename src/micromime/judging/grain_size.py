"""The ASTM grain-size number (E112) of a mean linear intercept; see grain_sizes.py for how that is measured."""

import math

E112_SLOPE, E112_OFFSET = -6.643856, -3.288
"""G = slope * log10(mean linear intercept, mm) + offset; the slope is -2 / log10(2): half the intercept is G + 2."""


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
