"""Which grain is where: random nuclei, relaxed, and the cells of their power diagram."""

from typing import Any

import numpy as np
from numba import njit
from pydantic import Field

from micromime.partial_models.grains.power_diagram import edges_between
from micromime.scenario.arrays import Edges, Indices, Tessellation
from micromime.scenario.partial_model import PartialModel

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
    margin = MARGIN_DIAMETERS * model.diameter_px
    low, high = np.array([-margin, -margin]), np.array([rows + margin, cols + margin])
    # Wide size spreads hide nuclei behind heavy neighbours: lay a larger plane, to be scaled down below.
    grow = 1 + model.size_spread
    middle, half = (low + high) / 2, (high - low) / 2 * grow
    count = max(4, round(4 * half[0] * half[1] / (np.pi / 4 * model.diameter_px**2)))
    nuclei = middle + half * rng.uniform(-1, 1, (count, 2))
    radii = RADIUS_PER_DIAMETER * model.diameter_px * np.exp(model.size_spread * rng.standard_normal(count))
    weights = radii**2
    for _ in range(model.relaxation_steps):
        edges = edges_between(nuclei, weights)
        ends, sides = (edges.start, edges.end), (edges.left, edges.right)
        _move(nuclei, ends, sides, (middle - half, middle + half))
    edges = edges_between(nuclei, weights)
    cells = np.union1d(edges.left, edges.right).size
    scale = max(np.sqrt(cells / count) if model.size_spread > 0 else 1.0, 1 / grow)
    nuclei, start, end = (middle + (each - middle) * scale for each in (nuclei, edges.start, edges.end))
    return Tessellation(nuclei, weights * scale**2, edges._replace(start=start, end=end), model.diameter_px)


def label_cells(cells: Tessellation, rows: int, cols: int) -> Indices:
    """Return the (rows, cols) map of which cell holds each pixel centre, int32."""
    first, neighbours = _adjacency(cells.edges, len(cells.nuclei))
    owner = np.unique(np.concatenate([cells.edges.left, cells.edges.right]))
    away = cells.nuclei[owner]
    m0, m1, m2 = cells.metric
    square = m0 * away[:, 0] ** 2 + 2 * m1 * away[:, 0] * away[:, 1] + m2 * away[:, 1] ** 2
    start = owner[np.argmin(square - cells.weights[owner])]
    labels = np.empty((rows, cols), dtype=np.int32)
    _walk_rows(labels, (cells.nuclei, cells.weights, cells.metric), first, neighbours, int(start))
    return labels


def _adjacency(edges: Edges, count: int) -> tuple[Indices, Indices]:
    """Return the neighbours of cell i as neighbours[first[i]:first[i + 1]]."""
    cell = np.concatenate([edges.left, edges.right])
    neighbour = np.concatenate([edges.right, edges.left])
    first = np.zeros(count + 1, dtype=np.int32)
    first[1:] = np.cumsum(np.bincount(cell, minlength=count))
    return first, neighbour[np.argsort(cell, kind="stable")]


@njit(cache=True)
def _move(nuclei: Any, ends: Any, sides: Any, plane: Any) -> None:
    """Move nuclei to the centroids of their cells, where these lie within the plane laid out.

    Sums over triangles of nucleus and edge, signed by orientation. `ends` are the edges' starts and ends, `sides` the
    cells to their left and right, `plane` its low and high corner.
    """
    area, moment = np.zeros(len(nuclei)), np.zeros((len(nuclei), 2))
    inside = np.ones(len(nuclei), dtype=np.bool_)
    (low_r, low_c), (high_r, high_c) = plane
    for e in range(len(sides[0])):
        start, end = ends[0][e], ends[1][e]
        out = min(start[0], end[0]) < low_r or max(start[0], end[0]) > high_r
        out |= min(start[1], end[1]) < low_c or max(start[1], end[1]) > high_c
        for cell, sign in ((sides[0][e], 1.0), (sides[1][e], -1.0)):
            inside[cell] &= not out
            r0, c0 = start[0] - nuclei[cell, 0], start[1] - nuclei[cell, 1]
            r1, c1 = end[0] - nuclei[cell, 0], end[1] - nuclei[cell, 1]
            triangle = sign * (r0 * c1 - c0 * r1) / 2
            area[cell] += triangle
            moment[cell, 0] += triangle * (r0 + r1) / 3
            moment[cell, 1] += triangle * (c0 + c1) / 3
    for cell in range(len(nuclei)):
        if inside[cell] and area[cell] > 0:
            for axis in range(2):
                nuclei[cell, axis] += moment[cell, axis] / area[cell]


@njit(cache=True)
def _walk_rows(labels: Any, cells: Any, first: Any, neighbours: Any, start: int) -> None:
    """Fill each row run by run: a cell ends where its first neighbour to the right comes as near as itself."""
    rows, cols = labels.shape
    for row in range(rows):
        start = here = _nearest(cells, first, neighbours, row, start)
        col = 0
        while col < cols:
            end, after = float(cols), here
            slope, power = _slope(cells, here, row), _power(cells, here, row)
            for k in range(first[here], first[here + 1]):
                other = neighbours[k]
                ahead = slope - _slope(cells, other, row)
                if ahead > 0:
                    crossing = (_power(cells, other, row) - power) / (2 * ahead)
                    if crossing < end:
                        end, after = crossing, other
            last = 1 + int(np.floor(min(max(end, col - 1.0), cols - 1.0)))
            labels[row, col:last] = here
            col, here = last, after


@njit(cache=True, inline="always")
def _power(cells: Any, cell: int, row: int) -> float:
    """Return |x - nucleus|^2 - weight at x = (row, 0)."""
    nuclei, weights, (m0, m1, m2) = cells
    r, c = nuclei[cell, 0] - row, nuclei[cell, 1]
    return m0 * r * r + 2 * m1 * r * c + m2 * c * c - weights[cell]


@njit(cache=True, inline="always")
def _slope(cells: Any, cell: int, row: int) -> float:
    """Return half of how fast |x - nucleus|^2 rises along the row at x = (row, 0); all cells have one curvature."""
    nuclei, _, (_, m1, m2) = cells
    r, c = nuclei[cell, 0] - row, nuclei[cell, 1]
    return -m1 * r - m2 * c


@njit(cache=True)
def _nearest(cells: Any, first: Any, neighbours: Any, row: int, start: int) -> int:
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
