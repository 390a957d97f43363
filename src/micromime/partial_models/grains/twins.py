"""Straight bands within grains: twins, and the lamellae of two phases."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import Field

from micromime.scenario.arrays import Grey, Indices, Mask, Points
from micromime.scenario.partial_model import PartialModel

REACH_DIAMETERS = 0.45
"""Bands lie within this distance of a grain's nucleus."""


class Twins(PartialModel):
    """Parallel bands of another grey in some of the grains."""

    share: float = Field(0.0, ge=0, le=1, description="Share of the grains that have bands.")
    most_bands: int = Field(3, ge=1, le=12, description="Bands in a grain, at most; each number is equally likely.")
    width: float = Field(0.15, ge=0.01, le=0.5, description="Median width of a band / grain diameter.")
    contrast_grey: float = Field(30.0, ge=0, le=120, description="Sd of a grain's difference between bands and rest.")
    line_darkness: float = Field(0.0, ge=0, le=1, description="Share of the grey that a band's sides take away.")
    line_px: float = Field(2.0, ge=1, le=8, description="Thickness of a band's sides, px.")
    labelled: int = Field(0, ge=0, le=1, description="1: a band is a grain of its own, its sides are boundaries.")


class Bands(NamedTuple):
    """The bands of n grains: band k of a grain lies between sides[:, 2k] and sides[:, 2k + 1]."""

    middle: Points
    across: NDArray[np.float64]
    """(n, 2): the unit vector across a grain's bands."""
    sides: NDArray[np.float64]
    """(n, 2 most_bands): px from the middle, in order; infinite where there are no more."""
    grey: NDArray[np.float64]


def bands(model: Twins, nuclei: Points, diameter_px: float, rng: np.random.Generator) -> Bands:
    """Return the bands of the grains about these nuclei; those of a grain may touch but not overlap."""
    count, most = len(nuclei), model.most_bands
    angle = rng.uniform(0, np.pi, count)
    has = rng.random(count) < model.share
    number = np.where(has, rng.integers(1, most, size=count, endpoint=True), 0)
    grey = model.contrast_grey * rng.standard_normal(count)
    centre = rng.uniform(-REACH_DIAMETERS, REACH_DIAMETERS, (count, most)) * diameter_px
    centre[np.arange(most) >= number[:, None]] = np.inf
    centre.sort(axis=1)
    half = model.width * diameter_px / 2 * np.exp(0.4 * rng.standard_normal((count, most)))
    sides = np.stack([centre - half, centre + half], axis=2).reshape(count, 2 * most)
    return Bands(nuclei, np.column_stack([np.sin(angle), np.cos(angle)]), np.maximum.accumulate(sides, axis=1), grey)


def lay_bands(model: Twins, laid: Bands, grains: Indices, mask_px: float) -> tuple[Grey, Grey, Mask, Indices]:
    """Return what bands do to a (rows, cols) map of grains.

    The grey they add, the share of the grey that their sides take away, which pixels lie within half of `mask_px` of
    their sides, and the map in which each band, and each rest of its grain, has a number of its own: that of the grain
    plus a multiple of the number of grains.
    """
    added, taken = np.zeros(grains.shape, np.float32), np.zeros(grains.shape, np.float32)
    sides, numbers = np.zeros(grains.shape, np.bool_), grains.copy()
    _lay(added, taken, sides, numbers, (grains, laid, model.line_px / 2, mask_px / 2, model.line_darkness))
    return added, taken, sides, numbers


@njit(cache=True)
def _lay(added: Any, taken: Any, sides: Any, numbers: Any, given: Any) -> None:
    grains, laid, half, half_mask, darkness = given
    rows, cols = grains.shape
    count, most = laid.sides.shape
    for row in range(rows):
        for col in range(cols):
            g = grains[row, col]
            if laid.sides[g, 0] == np.inf:
                continue
            r, c = row - laid.middle[g, 0], col - laid.middle[g, 1]
            place, passed, nearest = r * laid.across[g, 0] + c * laid.across[g, 1], 0, np.inf
            for k in range(most):
                passed += place >= laid.sides[g, k]
                nearest = min(nearest, abs(place - laid.sides[g, k]))
            numbers[row, col] = g + passed * count
            if passed % 2 == 1:
                added[row, col] = laid.grey[g]
            sides[row, col] = nearest <= half_mask
            taken[row, col] = darkness * min(max(half + 0.5 - nearest, 0.0), 1.0)
