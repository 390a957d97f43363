"""Bent boundaries: each edge between two grains is one cubic spline that both of them share."""

from typing import Any

import numpy as np
import scipy
from numba import njit
from numpy.typing import NDArray
from pydantic import Field

from micromime.partial_models.boundaries.lines import chord, strip
from micromime.scenario.arrays import STEPS, Boundaries, Edges, Indices, Reals
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


def label_grains(straight: Indices, boundaries: Boundaries) -> tuple[Indices, Boundaries]:
    """Return the map of which cell holds each pixel between bent edges, and the edges as they were drawn.

    A pixel between an edge's chord and its curve changes over to the cell across. Where two curves, or a
    curve and a third cell, would claim the same pixel (at acute corners), those curves are flattened by
    half, at last straightened, until none does: so every pixel has one cell, no gap opens, and labels
    change only at a curve.
    """
    heights = boundaries.heights.copy()
    times = np.zeros(len(heights), dtype=np.int32)
    while True:
        labels, wrong = straight.copy(), np.zeros(len(heights), dtype=np.bool_)
        _swap(labels, np.full(straight.shape, -1, np.int32), wrong, straight, boundaries._replace(heights=heights))
        if not wrong.any():
            return labels, boundaries._replace(heights=heights)
        times += wrong
        heights[wrong] *= np.where(times[wrong] < 5, 0.5, 0.0)[:, None]


@njit(cache=True)
def _swap(labels: Any, claims: Any, wrong: Any, straight: Any, bent: Any) -> None:
    """Give the pixels between each chord and its curve to the cell on the chord's other side.

    `claims` gets the edge that claims a pixel, and `wrong` which of them claim what is not theirs alone.
    """
    rows, cols = labels.shape
    for e in range(len(wrong)):
        heights = bent.heights[e]
        up, down = heights.max(), heights.min()
        if up <= 0 and down >= 0:
            continue
        line = chord(bent.edges, e)
        r0, c0, dr, dc, length = line
        # The curve lies in a box about its chord, whose corners bound the pixels to look at.
        low, high = min(0.0, dr * length), max(0.0, dr * length)
        top, bottom = r0 + low + min(0.0, -dc * up, -dc * down), r0 + high + max(0.0, -dc * up, -dc * down)
        low, high = min(0.0, dc * length), max(0.0, dc * length)
        west, east = c0 + low + min(0.0, dr * up, dr * down), c0 + high + max(0.0, dr * up, dr * down)
        for row in range(max(0, int(np.ceil(top))), min(rows - 1, int(np.floor(bottom))) + 1):
            first, last = strip(line, (down, up), row, (west, east))
            for col in range(max(0, int(np.ceil(first))), min(cols - 1, int(np.floor(last))) + 1):
                side = _side(line, heights, row, col)
                if side != 0:
                    left, right = bent.edges.left[e], bent.edges.right[e]
                    own, other = (left, right) if side > 0 else (right, left)
                    _claim(labels, claims, wrong, e, (row, col, straight[row, col] == own, other))


@njit(cache=True, inline="always")
def _side(line: Any, heights: Any, row: int, col: int) -> int:
    """Return whether a pixel lies between chord and curve: 1 to the chord's left, -1 to its right, 0 if not."""
    r0, c0, dr, dc, length = line
    r, c = row - r0, col - c0
    along = (r * dr + c * dc) * (STEPS / length)
    height = c * dr - r * dc
    if along <= 0 or along >= STEPS or height == 0:
        return 0
    k = np.uintp(along)  # unsigned, as numba then need not ask whether it counts from the end
    curve = heights[k] + (along - k) * (heights[k + np.uintp(1)] - heights[k])
    return int(0 < height <= curve) - int(curve <= height < 0)


@njit(cache=True, inline="always")
def _claim(labels: Any, claims: Any, wrong: Any, e: int, pixel: Any) -> None:
    """Swap a pixel's cell, unless it is a third cell's or claimed already: then note whose curves are wrong."""
    row, col, own, other = pixel
    earlier = claims[row, col]
    if own and earlier < 0:
        labels[row, col] = other
        claims[row, col] = e
    else:
        wrong[e] = True
        if earlier >= 0:
            wrong[earlier] = True
