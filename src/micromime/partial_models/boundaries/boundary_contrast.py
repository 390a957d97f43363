"""Boundaries that are not all alike: faint, bright and broken ones."""

from functools import cache

import numpy as np
import scipy
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import ndtr

from micromime.scenario.arrays import STEPS, Boundaries
from micromime.scenario.partial_model import PartialModel

NODES = 6
"""Places along an edge at which its look is drawn; it changes smoothly between them."""


class BoundaryContrast(PartialModel):
    """How the contrast differs from edge to edge and along an edge: an etchant takes each boundary differently."""

    faint_share: float = Field(0.0, ge=0, le=1, description="Share of the edges that are faint.")
    faintness: float = Field(0.8, ge=0, le=1, description="Share of its darkness that a faint edge lacks, at most.")
    bright_share: float = Field(0.0, ge=0, le=1, description="Share of the edges that are brighter than the grains.")
    fading: float = Field(0.0, ge=0, le=1, description="Share of its darkness that an edge lacks where it fades most.")
    broken: float = Field(0.0, ge=0, le=0.9, description="Share of the edges' length that is missing.")


def contrasted(model: BoundaryContrast, boundaries: Boundaries, rng: np.random.Generator) -> Boundaries:
    """Return the boundaries with their darkness changed; below 0 they are brighter than the grains.

    A faint edge keeps 1 - f of its darkness, with f uniform from half of `faintness` to all of it. Along an edge what
    is left lies between 1 - fading and 1, and is nothing where the same smooth noise is in its lowest share `broken`.
    """
    if model.faint_share == model.bright_share == model.fading == model.broken == 0:
        return boundaries
    count = len(boundaries.heights)
    chosen = rng.random((3, count))
    faint = 1 - model.faintness * (0.5 + 0.5 * chosen[0]) * (chosen[1] < model.faint_share)
    polarity = np.where(chosen[2] < model.bright_share, -1.0, 1.0)
    level = ndtr(rng.standard_normal((count, NODES)) @ _smooth())
    along = np.where(level < model.broken, 0.0, 1 - model.fading * (1 - level))
    return boundaries._replace(darkness=boundaries.darkness * (faint * polarity)[:, None] * along)


@cache
def _smooth() -> NDArray[np.float64]:
    """Return (NODES, STEPS + 1): what turns normal numbers at the nodes into normal numbers along an edge."""
    spline = scipy.interpolate.CubicSpline(np.linspace(0, 1, NODES), np.eye(NODES))
    basis: NDArray[np.float64] = spline(np.linspace(0, 1, STEPS + 1)).T
    basis /= np.sqrt((basis**2).sum(axis=0))
    return basis
