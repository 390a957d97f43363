"""Pits and inclusions: small dark spots anywhere."""

from typing import Any

import numpy as np
from numba import njit
from pydantic import Field

from micromime.scenario.arrays import Grey
from micromime.scenario.partial_model import PartialModel

LARGEST_RADIUS_PX = 24.0


class Inclusions(PartialModel):
    """Round and oval spots, most of them small."""

    per_10000_px: float = Field(0.0, ge=0, le=100, description="Mean number in 10,000 px of the picture.")
    radius_px: float = Field(1.3, ge=0.5, le=8, description="Median radius, px.")
    radius_spread: float = Field(0.5, ge=0, le=1, description="Sigma of the log-normal radius.")
    darkness: float = Field(0.6, ge=0, le=1, description="Largest share of the grey that a spot takes away.")
    hollow: float = Field(0.0, ge=0, le=1, description="How much brighter the middle of a large spot is; 0: no more.")


def spots(model: Inclusions, rows: int, cols: int, rng: np.random.Generator) -> Grey:
    """Return the share of the grey that spots take away, (rows, cols); where they meet, the darkest counts.

    Their number is Poisson's, their places are uniform (also just outside), their radii log-normal, up to 24 px.
    """
    taken = np.zeros((rows, cols), dtype=np.float32)
    plane = np.array([rows, cols]) + 2 * LARGEST_RADIUS_PX
    count = int(rng.poisson(model.per_10000_px * plane.prod() / 10_000))
    places = rng.random((count, 2)) * plane - LARGEST_RADIUS_PX
    radius = np.clip(model.radius_px * np.exp(model.radius_spread * rng.standard_normal(count)), 0.5, LARGEST_RADIUS_PX)
    # One axis up to 1.6 times the other, turned anyhow; some spots hardly show.
    shape = np.column_stack([rng.uniform(0, np.pi, count), rng.uniform(1, 1.6, count)])
    darkness = model.darkness * rng.uniform(0.4, 1, count)
    _stamp(taken, places, radius, shape, (darkness, model.hollow))
    return taken


@njit(cache=True)
def _stamp(taken: Any, places: Any, radius: Any, shape: Any, look: Any) -> None:
    rows, cols = taken.shape
    darkness, hollow = look
    for n in range(len(places)):
        reach = radius[n] * shape[n, 1] + 1
        cos, sin = np.cos(shape[n, 0]), np.sin(shape[n, 0])
        for row in range(max(0, int(places[n, 0] - reach)), min(rows, int(places[n, 0] + reach) + 2)):
            for col in range(max(0, int(places[n, 1] - reach)), min(cols, int(places[n, 1] + reach) + 2)):
                r, c = row - places[n, 0], col - places[n, 1]
                u, v = (r * cos + c * sin) / shape[n, 1], c * cos - r * sin
                distance = np.sqrt(u * u + v * v)
                share = min(max(radius[n] + 0.5 - distance, 0.0), 1.0) * darkness[n]
                if radius[n] > 3:
                    share *= 1 - hollow * max(0.0, 1 - distance / (0.6 * radius[n]))
                taken[row, col] = max(taken[row, col], np.float32(share))
