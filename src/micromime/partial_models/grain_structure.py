"""Which grain is where: random nuclei, relaxed, and the cells of their power diagram."""

from typing import Any

import numpy as np
from numba import njit
from pydantic import Field
from scipy.spatial import ConvexHull

from micromime.arrays import Edges, Indices, Points, Reals, Tessellation
from micromime.partial_model import PartialModel

MARGIN_DIAMETERS = 2.0
"""Nuclei are laid this far beyond the image, so that no cell within it knows of the border."""

RADIUS_PER_DIAMETER = 0.35
"""Median radius of a weight. Larger ones hide more nuclei: here at most half of them, at the widest spread."""


class GrainStructure(PartialModel):
    """Size and regularity of the grains (Trampert et al. 2021, section 3.2.1)."""

    diameter_px: float = Field(ge=4, le=400, description="Diameter of the circle with the mean grain area, px.")
    relaxation_steps: int = Field(3, ge=0, le=20, description="Steps that move each nucleus to its cell's centroid.")
    size_spread: float = Field(
        0.0, ge=0, le=0.8, description="Sigma of the log-normal weights' radii; 0 is a plain Voronoi tessellation."
    )


def tessellate(model: GrainStructure, rows: int, cols: int, rng: np.random.Generator) -> Tessellation:
    """Return cells that cover (rows, cols) pixels and a margin around them.

    Nuclei are uniform in the plane; a relaxation step is one of Lloyd's algorithm. Sizes spread through
    a power diagram of log-normal radii (Aurenhammer 1987, doi:10.1137/0216006); some nuclei then own no
    cell, and the plane is scaled so that the mean cell area is that of a circle of `diameter_px`.
    """
    cell_area = np.pi / 4 * model.diameter_px**2
    margin = MARGIN_DIAMETERS * model.diameter_px
    low = np.array([-margin, -margin])
    high = np.array([rows + margin, cols + margin])
    # Wide size spreads hide nuclei behind heavy neighbours: lay a larger plane, to be scaled down below.
    grow = 1 + model.size_spread
    middle, half = (low + high) / 2, (high - low) / 2 * grow
    count = max(4, round(4 * half[0] * half[1] / cell_area))
    nuclei = middle + half * rng.uniform(-1, 1, (count, 2))
    radii = RADIUS_PER_DIAMETER * model.diameter_px * np.exp(model.size_spread * rng.standard_normal(count))
    weights = radii**2
    for _ in range(model.relaxation_steps):
        nuclei = _centroids(nuclei, _edges(nuclei, weights), middle, half)
    edges = _edges(nuclei, weights)
    cells = np.union1d(edges.left, edges.right).size
    scale = np.sqrt(cells / count) if model.size_spread > 0 else 1.0
    return _scaled(Tessellation(nuclei, weights, edges, model.diameter_px), middle, max(scale, 1 / grow))


def _scaled(cells: Tessellation, middle: Points, scale: float) -> Tessellation:
    """Return the tessellation shrunk by `scale` about a point, to scale with its diameter."""
    nuclei, start, end = (
        middle + (each - middle) * scale for each in (cells.nuclei, cells.edges.start, cells.edges.end)
    )
    return Tessellation(nuclei, cells.weights * scale**2, cells.edges._replace(start=start, end=end), cells.diameter_px)


def _edges(nuclei: Points, weights: Reals) -> Edges:
    """Return the edges of the power diagram: the lower convex hull of the lifted nuclei, seen from below."""
    origin = nuclei.mean(axis=0)
    flat = nuclei - origin
    hull = ConvexHull(np.column_stack([flat, (flat**2).sum(axis=1) - weights]))
    lower = hull.equations[:, 2] < -1e-9
    vertices = np.full((len(lower), 2), np.nan)
    vertices[lower] = hull.equations[lower, :2] / (-2 * hull.equations[lower, 2:3]) + origin
    triangle, corner = np.nonzero(lower[:, None] & lower[hull.neighbors])
    other = hull.neighbors[triangle, corner]
    once = triangle < other
    triangle, corner, other = triangle[once], corner[once], other[once]
    one = hull.simplices[triangle, (corner + 1) % 3]
    two = hull.simplices[triangle, (corner + 2) % 3]
    start, end = vertices[triangle], vertices[other]
    left_is_two = _cross(end - start, nuclei[two] - nuclei[one]) > 0
    left, right = np.where(left_is_two, two, one), np.where(left_is_two, one, two)
    return Edges(start, end, left.astype(np.int32), right.astype(np.int32))


def _centroids(nuclei: Points, edges: Edges, middle: Points, half: Points) -> Points:
    """Return each nucleus moved to its cell's centroid, where the cell lies within the plane laid out."""
    area = np.zeros(len(nuclei))
    moment = np.zeros((2, len(nuclei)))
    for cell, sign in ((edges.left, 1.0), (edges.right, -1.0)):
        one, two = edges.start - nuclei[cell], edges.end - nuclei[cell]
        triangle = sign * _cross(one, two) / 2
        area += np.bincount(cell, triangle, len(nuclei))
        for axis in range(2):
            moment[axis] += np.bincount(cell, triangle * (one + two)[:, axis] / 3, len(nuclei))
    inside = np.ones(len(nuclei), dtype=bool)
    for point in (edges.start, edges.end):
        out = (np.abs(point - middle) > half).any(axis=1)
        inside[edges.left[out]] = inside[edges.right[out]] = False
    movable = inside & (area > 0)
    moved = nuclei.copy()
    moved[movable] += (moment[:, movable] / area[movable]).T
    return moved


def _cross(a: Points, b: Points) -> Reals:
    """Return the cross product, positive where b lies to the left of a (rows point down, cols right)."""
    product: Reals = a[:, 1] * -b[:, 0] + a[:, 0] * b[:, 1]
    return product


def label_cells(cells: Tessellation, rows: int, cols: int) -> Indices:
    """Return the (rows, cols) map of which cell holds each pixel centre, int32."""
    first, neighbours = _adjacency(cells.edges, len(cells.nuclei))
    owner = np.unique(np.concatenate([cells.edges.left, cells.edges.right]))
    start = owner[np.argmin((cells.nuclei[owner] ** 2).sum(axis=1) - cells.weights[owner])]
    labels = np.empty((rows, cols), dtype=np.int32)
    _walk_rows(labels, cells, first, neighbours, int(start))
    return labels


def _adjacency(edges: Edges, count: int) -> tuple[Indices, Indices]:
    """Return the neighbours of cell i as neighbours[first[i]:first[i + 1]]."""
    cell = np.concatenate([edges.left, edges.right])
    neighbour = np.concatenate([edges.right, edges.left])
    first = np.zeros(count + 1, dtype=np.int32)
    first[1:] = np.cumsum(np.bincount(cell, minlength=count))
    return first, neighbour[np.argsort(cell, kind="stable")]


@njit(cache=True)
def _walk_rows(labels: Any, cells: Any, first: Any, neighbours: Any, start: int) -> None:  # pragma: no cover - compiled
    """Fill each row run by run: a cell ends where its first neighbour to the right comes as near as itself."""
    rows, cols = labels.shape
    for row in range(rows):
        start = here = _nearest(cells, first, neighbours, row, start)
        col = 0
        while col < cols:
            end, after = float(cols), here
            for k in range(first[here], first[here + 1]):
                other = neighbours[k]
                ahead = cells.nuclei[other, 1] - cells.nuclei[here, 1]
                if ahead > 0:
                    crossing = (_power(cells, other, row) - _power(cells, here, row)) / (2 * ahead)
                    if crossing < end:
                        end, after = crossing, other
            while col < cols and col <= end:
                labels[row, col] = here
                col += 1
            here = after


@njit(cache=True, inline="always")
def _power(cells: Any, cell: int, row: int) -> float:  # pragma: no cover - compiled
    """Return |x - nucleus|^2 - weight at x = (row, 0)."""
    r, c = cells.nuclei[cell, 0] - row, cells.nuclei[cell, 1]
    return r * r + c * c - cells.weights[cell]  # type: ignore[no-any-return]


@njit(cache=True)
def _nearest(cells: Any, first: Any, neighbours: Any, row: int, start: int) -> int:  # pragma: no cover - compiled
    """Return the cell of pixel (row, 0): from `start` on to nearer neighbours until none is nearer."""
    here = start
    while True:
        best = here
        for k in range(first[here], first[here + 1]):
            if _power(cells, neighbours[k], row) < _power(cells, best, row):
                best = neighbours[k]
        if best == here:
            return here
        here = best
