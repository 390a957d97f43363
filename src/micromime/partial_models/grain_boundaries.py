"""Bent boundaries: each edge between two grains is one cubic spline that both of them share."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import Field
from scipy.interpolate import CubicSpline

from micromime.arrays import Edges, Grey, Indices, Mask, Points, Reals
from micromime.partial_model import PartialModel

STEPS = 32
"""Straight pieces that stand for a spline, for the longest edges; a power of two."""


class GrainBoundaries(PartialModel):
    """Course and look of the boundaries (Trampert et al. 2021, section 3.2.1)."""

    control_points: int = Field(3, ge=1, le=6, description="Inner control points of each edge's spline.")
    waviness: float = Field(0.05, ge=0, le=0.2, description="Sd of a control point's displacement / edge length.")
    thickness_px: float = Field(ge=1, le=16, description="Median thickness of the image's boundaries, px.")
    thickness_spread: float = Field(0.0, ge=0, le=0.6, description="Sigma of the log-normal thickness of edges.")
    darkness: float = Field(ge=0, le=1, description="Mean share of the grey that a boundary takes away.")
    darkness_spread: float = Field(0.0, ge=0, le=0.5, description="Sd of the darkness between edges.")


class Boundaries(NamedTuple):
    """n bent edges. Along an edge of length L, at s = L k / STEPS, the curve lies `heights[:, k]` to the left."""

    edges: Edges
    heights: NDArray[np.float64]
    """(n, STEPS + 1), px; 0 at both ends, where edges meet."""
    thickness_px: Reals
    darkness: Reals


def bend(model: GrainBoundaries, edges: Edges, rng: np.random.Generator) -> Boundaries:
    """Return the edges as natural cubic splines through displaced control points, with their looks.

    Displacements are across the edge, Gaussian, at most two standard deviations.
    """
    count = len(edges.left)
    offsets = np.clip(rng.standard_normal((count, model.control_points)), -2, 2) * model.waviness
    length = np.hypot(*(edges.end - edges.start).T)
    heights = np.einsum("ek,kj->ej", offsets * length[:, None], _spline_basis(model.control_points))
    thickness = model.thickness_px * np.exp(model.thickness_spread * rng.standard_normal(count))
    darkness = np.clip(model.darkness + model.darkness_spread * rng.standard_normal(count), 0, 1)
    return Boundaries(edges, heights, np.clip(thickness, 1, 24), darkness)


def _spline_basis(control_points: int) -> NDArray[np.float64]:
    """Return (control_points, STEPS + 1): the spline that is 1 at one control point and 0 at all others."""
    knots = np.linspace(0, 1, control_points + 2)
    basis: NDArray[np.float64] = CubicSpline(knots, np.eye(control_points + 2)[1:-1].T, bc_type="natural")(
        np.linspace(0, 1, STEPS + 1)
    ).T
    basis[:, [0, -1]] = 0.0
    return basis


def near(edges: Edges, rows: int, cols: int, reach_px: float) -> Edges:
    """Return the edges that can touch an image of (rows, cols) when they bend or spread up to `reach_px`."""
    low = np.minimum(edges.start, edges.end) - reach_px
    high = np.maximum(edges.start, edges.end) + reach_px
    touching = (high >= 0).all(axis=1) & (low <= np.array([rows, cols])).all(axis=1)
    return Edges(*(each[touching] for each in edges))


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
        labels, wrong = _swap_cells(straight, boundaries._replace(heights=heights))
        if not wrong.any():
            return labels, boundaries._replace(heights=heights)
        times += wrong
        heights[wrong] *= np.where(times[wrong] < 5, 0.5, 0.0)[:, None]


def _swap_cells(straight: Indices, boundaries: Boundaries) -> tuple[Indices, NDArray[np.bool_]]:
    labels = straight.copy()
    claims = np.full(straight.shape, -1, dtype=np.int32)
    wrong = np.zeros(len(boundaries.heights), dtype=np.bool_)
    edges = boundaries.edges
    _swap(labels, claims, wrong, straight, edges.start, edges.end, edges.left, edges.right, boundaries.heights)
    return labels, wrong


def draw_lines(boundaries: Boundaries, rows: int, cols: int) -> tuple[Mask, Grey]:
    """Return the boundaries' mask and the share of grey they take away, each (rows, cols).

    A pixel belongs to the mask when its centre lies within half the thickness of the curve; the darkness
    runs out over one pixel at the line's sides. Where lines meet, the darkest counts.
    """
    mask = np.zeros((rows, cols), dtype=np.bool_)
    taken = np.zeros((rows, cols), dtype=np.float32)
    edges = boundaries.edges
    half = boundaries.thickness_px / 2
    _stamp(mask, taken, edges.start, edges.end, boundaries.heights, half, boundaries.darkness)
    return mask, taken


@njit(cache=True, inline="always")  # type: ignore[untyped-decorator]
def _height(heights: Any, edge: int, along: float) -> float:  # pragma: no cover - compiled
    """Return the curve's height over its chord at the share `along` of its length."""
    place = along * STEPS
    k = min(int(place), STEPS - 1)
    return heights[edge, k] + (place - k) * (heights[edge, k + 1] - heights[edge, k])  # type: ignore[no-any-return]


@njit(cache=True)  # type: ignore[untyped-decorator]
def _swap(
    labels: Indices, claims: Indices, wrong: Any, straight: Indices,
    start: Points, end: Points, left: Indices, right: Indices, heights: Any,
) -> None:  # pragma: no cover - compiled  # fmt: skip
    """Give the pixels between each chord and its curve to the cell on the chord's other side."""
    rows, cols = labels.shape
    for e in range(len(left)):
        dr, dc = end[e, 0] - start[e, 0], end[e, 1] - start[e, 1]
        length = np.sqrt(dr * dr + dc * dc)
        up, down = heights[e].max(), heights[e].min()
        if length < 1e-9 or (up <= 0 and down >= 0):
            continue
        dr, dc = dr / length, dc / length
        # The curve stays in a box about the chord: its corners bound the pixels to look at.
        top = min(start[e, 0], end[e, 0]) + min(0.0, -dc * up, -dc * down)
        bottom = max(start[e, 0], end[e, 0]) + max(0.0, -dc * up, -dc * down)
        west = min(start[e, 1], end[e, 1]) + min(0.0, dr * up, dr * down)
        east = max(start[e, 1], end[e, 1]) + max(0.0, dr * up, dr * down)
        for row in range(max(0, int(np.ceil(top))), min(rows - 1, int(np.floor(bottom))) + 1):
            for col in range(max(0, int(np.ceil(west))), min(cols - 1, int(np.floor(east))) + 1):
                r, c = row - start[e, 0], col - start[e, 1]
                height = c * dr - r * dc
                along = (r * dr + c * dc) / length
                if not (down <= height <= up and 0.0 < along < 1.0):
                    continue
                curve = _height(heights, e, along)
                if 0.0 < height <= curve:
                    own, other = left[e], right[e]
                elif curve <= height < 0.0:
                    own, other = right[e], left[e]
                else:
                    continue
                if straight[row, col] == own and claims[row, col] < 0:
                    labels[row, col] = other
                    claims[row, col] = e
                else:
                    wrong[e] = True
                    if claims[row, col] >= 0:
                        wrong[claims[row, col]] = True


@njit(cache=True)  # type: ignore[untyped-decorator]
def _stamp(
    mask: Any, taken: Any, start: Points, end: Points, heights: Any, half: Reals, darkness: Reals
) -> None:  # pragma: no cover - compiled
    """Darken the pixels about each curve by their distance to its straight pieces."""
    rows, cols = mask.shape
    for e in range(len(half)):
        dr, dc = end[e, 0] - start[e, 0], end[e, 1] - start[e, 1]
        length = np.sqrt(dr * dr + dc * dc)
        if length < 1e-9:
            continue
        step = STEPS  # Pieces of about 3 px: the longer the edge, the more of the spline's points.
        while step > 1 and length * step / STEPS > 3.0:
            step //= 2
        nr, nc = -dc / length, dr / length
        reach = half[e] + 0.5
        r0, c0 = start[e, 0], start[e, 1]
        for k in range(step, STEPS + 1, step):
            h = heights[e, k]
            r1 = start[e, 0] + dr * k / STEPS + nr * h
            c1 = start[e, 1] + dc * k / STEPS + nc * h
            pr, pc = r1 - r0, c1 - c0
            inverse = 1.0 / max(pr * pr + pc * pc, 1e-12)
            for row in range(max(0, int(np.ceil(min(r0, r1) - reach))), min(rows - 1, int(max(r0, r1) + reach)) + 1):
                for col in range(
                    max(0, int(np.ceil(min(c0, c1) - reach))), min(cols - 1, int(max(c0, c1) + reach)) + 1
                ):
                    r, c = row - r0, col - c0
                    along = min(max((r * pr + c * pc) * inverse, 0.0), 1.0)
                    r, c = r - along * pr, c - along * pc
                    square = r * r + c * c
                    if square >= reach * reach:
                        continue
                    distance = np.sqrt(square)
                    if distance <= half[e]:
                        mask[row, col] = True
                    dark = darkness[e] * min(reach - distance, 1.0)
                    if dark > taken[row, col]:
                        taken[row, col] = dark
            r0, c0 = r1, c1
