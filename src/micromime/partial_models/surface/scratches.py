"""Scratches that polishing has left: long, thin, most of them in one direction."""

import numpy as np
from pydantic import Field

from micromime.partial_models.boundaries.lines import add_scratches
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
    add_scratches(added, middle, along, half, (sigma, model.depth_grey * rng.standard_normal(count)))
    return added
