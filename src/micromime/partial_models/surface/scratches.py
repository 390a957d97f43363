"""Scratches that polishing has left: long, thin, most of them in one direction."""

from typing import Any

import numpy as np
from numba import njit
from pydantic import Field

from micromime.partial_models.boundaries.lines import strip
from micromime.scenario.arrays import Grey
from micromime.scenario.partial_model import PartialModel

LONGEST_SIGMA = 2
"""No scratch is longer than the median by more than this many sigma."""


class Scratches(PartialModel):
    """Straight thin lines across all grains."""

    per_100000_px: float = Field(0.0, ge=0, le=100, description="Mean number of middles in 100,000 px.")
    direction_deg: float = Field(0.0, ge=0, le=180, description="Prevailing direction: 0 along the rows, degrees.")
    direction_spread_deg: float = Field(8.0, ge=0, le=90, description="Sd of the direction, degrees.")
    length_px: float = Field(120.0, ge=8, le=1000, description="Median length, px.")
    width_px: float = Field(1.2, ge=0.5, le=6, description="Median width, px.")
    depth_grey: float = Field(15.0, ge=0, le=120, description="Sd of the change of grey in the middle, either way.")


def scratches(model: Scratches, rows: int, cols: int, rng: np.random.Generator) -> Grey:
    """Return the grey that scratches add, (rows, cols): each fades out towards its ends, two that cross add up.

    Their number is Poisson's, the middles are uniform on the picture and as far around it as the longest of them
    reaches, lengths and widths log-normal (sigma 0.5, 0.3).
    """
    added = np.zeros((rows, cols), dtype=np.float32)
    around = np.array([rows, cols]) + model.length_px * np.exp(0.5 * LONGEST_SIGMA)
    count = int(rng.poisson(model.per_100000_px * around.prod() / 100_000))
    middle = np.array([rows, cols]) / 2 + (rng.random((count, 2)) - 0.5) * around
    angle = np.deg2rad(model.direction_deg + model.direction_spread_deg * rng.standard_normal(count))
    along = np.column_stack([np.sin(angle), np.cos(angle)])
    half = model.length_px / 2 * np.exp(0.5 * np.clip(rng.standard_normal(count), -3, LONGEST_SIGMA))
    sigma = model.width_px / 2 * np.exp(0.3 * rng.standard_normal(count))
    _stamp(added, middle, along, half, (sigma, model.depth_grey * rng.standard_normal(count)))
    return added


@njit(cache=True)
def _stamp(added: Any, middle: Any, along: Any, half: Any, look: Any) -> None:
    rows, cols = added.shape
    sigma, depth = look
    for n in range(len(middle)):
        reach = 3 * sigma[n]
        down, beside = abs(along[n, 0]) * half[n] + reach, abs(along[n, 1]) * half[n] + reach
        line = (middle[n, 0], middle[n, 1], along[n, 0], along[n, 1], half[n])
        for row in range(max(0, int(middle[n, 0] - down)), min(rows, int(middle[n, 0] + down) + 2)):
            first, last = strip(line, (-reach, reach), row, (middle[n, 1] - beside, middle[n, 1] + beside))
            for col in range(max(0, int(first)), min(cols, int(last) + 2)):
                r, c = row - middle[n, 0], col - middle[n, 1]
                away = c * along[n, 0] - r * along[n, 1]
                place = (r * along[n, 0] + c * along[n, 1]) / half[n]
                if abs(away) < reach and abs(place) < 1:
                    profile = np.exp(-(away * away) / (2 * sigma[n] * sigma[n])) * (1 - place * place)
                    added[row, col] += np.float32(depth[n] * profile)
