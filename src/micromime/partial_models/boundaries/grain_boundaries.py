"""Bent boundaries: each edge between two grains is one cubic spline that both of them share."""

from functools import cache

import numpy as np
import scipy
from numpy.typing import NDArray
from pydantic import Field

from micromime.scenario.arrays import STEPS, Boundaries, Edges, Reals
from micromime.scenario.partial_model import PartialModel

LARGEST_BULGE = 0.6
"""No curve leaves its chord by more than this share of its length (2 sd of 0.2, and a spline's overshoot)."""
LONGEST_DIAMETERS = 3.0
"""Longer edges, as cells at the border of the plane have them, bend no further than one of this length."""
LARGEST_THICKNESS_PX = 24.0


class GrainBoundaries(PartialModel):
    """Course and look of the boundaries (Trampert et al. 2021, section 3.2.1)."""

    control_points: int = Field(3, ge=1, le=6, description="Inner control points of each edge's spline.")
    waviness: float = Field(0.05, ge=0, le=0.2, description="Sd of a control point's displacement / edge length.")
    thickness_px: float = Field(ge=1, le=16, description="Median thickness of the image's boundaries, px.")
    thickness_spread: float = Field(0.0, ge=0, le=0.6, description="Sigma of the log-normal thickness of edges.")
    darkness: float = Field(ge=0, le=1, description="Mean share of the grey that a boundary takes away.")
    darkness_spread: float = Field(0.0, ge=0, le=0.5, description="Sd of the darkness between edges.")


def bend(model: GrainBoundaries, edges: Edges, diameter_px: float, rng: np.random.Generator) -> Boundaries:
    """Return the edges as natural cubic splines through displaced control points, with their looks.

    Displacements are across the edge, Gaussian, at most two standard deviations.
    """
    count = len(edges.left)
    offsets = np.clip(rng.standard_normal((count, model.control_points)), -2, 2) * model.waviness
    length = _bending_length(edges, diameter_px)
    heights = np.einsum("ek,kj->ej", offsets * length[:, None], _spline_basis(model.control_points))
    thickness = model.thickness_px * np.exp(model.thickness_spread * rng.standard_normal(count))
    darkness = np.clip(model.darkness + model.darkness_spread * rng.standard_normal(count), 0, 1)
    evenly = np.repeat(darkness[:, None], STEPS + 1, axis=1)
    return Boundaries(edges, heights, np.clip(thickness, 1, LARGEST_THICKNESS_PX), evenly)


@cache
def _spline_basis(control_points: int) -> NDArray[np.float64]:
    """Return (control_points, STEPS + 1): the spline that is 1 at one control point and 0 at all others."""
    count = control_points + 2
    spline = scipy.interpolate.CubicSpline(np.linspace(0, 1, count), np.eye(count), bc_type="natural")
    basis: NDArray[np.float64] = spline(np.linspace(0, 1, STEPS + 1)).T[1:-1]
    basis[:, [0, -1]] = 0.0
    return basis


def _bending_length(edges: Edges, diameter_px: float) -> Reals:
    length: Reals = np.hypot(*(edges.end - edges.start).T)
    return np.minimum(length, LONGEST_DIAMETERS * diameter_px)


def near(edges: Edges, diameter_px: float, rows: int, cols: int) -> Edges:
    """Return the edges that can touch an image of (rows, cols), however they bend and however thick they are.

    Neither along the image's sides nor across the edge itself is there a gap wider than the edge's reach.
    """
    reach_px = LARGEST_BULGE * _bending_length(edges, diameter_px) + LARGEST_THICKNESS_PX / 2 + 1
    half = np.array([rows, cols]) / 2
    one, two = edges.start - half, edges.end - half
    low, high = np.minimum(one, two) - reach_px[:, None], np.maximum(one, two) + reach_px[:, None]
    touching = (high >= -half).all(axis=1) & (low <= half).all(axis=1)
    across = (two - one)[:, ::-1] * [-1, 1] / np.maximum(np.hypot(*(two - one).T), 1e-9)[:, None]
    touching &= np.abs((across * one).sum(axis=1)) <= np.abs(across) @ half + reach_px
    return edges.only(touching)
