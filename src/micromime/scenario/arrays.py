"""Names for the kinds of arrays that files and functions hand to one another.

Positions are always (row, col) in pixels; pixel (0, 0) has its centre at (0.0, 0.0).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""A finished picture: (rows, cols), grey 0 to 255."""

Grey = NDArray[np.float32]
"""A picture in the making: (rows, cols), grey levels, not yet clipped to 0..255."""

Mask = NDArray[np.bool_]
"""(rows, cols): true where the pixel belongs to what is looked for (a boundary, a crack)."""

Probability = NDArray[np.float32]
"""(rows, cols), 0 to 1: how likely each pixel belongs to what is looked for."""

Labels = NDArray[np.uint16 | np.uint32]
"""(rows, cols): the object every pixel belongs to, numbered 1 to n without gaps; uint32 where there are over 65,535."""

Points = NDArray[np.float64]
"""(n, 2): positions as (row, col)."""

Reals = NDArray[np.float64]
"""(n,): one number for each of n things."""

Indices = NDArray[np.int32]
"""(n,): numbers of things, counted from 0."""


class Edges(NamedTuple):
    """n straight edges, each between two cells. Seen from `start` to `end`, `left` lies to the left."""

    start: Points
    end: Points
    left: Indices
    right: Indices

    def only(self, kept: NDArray[np.bool_]) -> "Edges":
        """Return some of the edges, (n,) true where one is kept."""
        return Edges(self.start[kept], self.end[kept], self.left[kept], self.right[kept])


class Tessellation(NamedTuple):
    """A plane divided into cells: pixel x belongs to the cell with the least |x - nucleus|^2 - weight.

    Lengths are measured by `metric`: |(r, c)|^2 = m0 r^2 + 2 m1 r c + m2 c^2.
    """

    nuclei: Points
    weights: Reals
    """Squared pixels; all equal in a Voronoi tessellation, differing in a power diagram."""
    edges: Edges
    diameter_px: float
    """Diameter of the circle that has the mean area of a cell."""
    metric: tuple[float, float, float] = (1.0, 0.0, 1.0)


STEPS = 32
"""Straight pieces that stand for a bent edge, for the longest edges; a power of two."""


class Boundaries(NamedTuple):
    """n bent edges. Along an edge of length L, at s = L k / STEPS, the curve lies `heights[:, k]` to the left."""

    edges: Edges
    heights: NDArray[np.float64]
    """(n, STEPS + 1), px; 0 at both ends, where edges meet."""
    thickness_px: Reals
    darkness: NDArray[np.float64]
    """(n, STEPS + 1): share of the grey that is taken away along an edge; below 0 the edge is brighter."""

    def only(self, kept: NDArray[np.bool_]) -> "Boundaries":
        """Return some of the edges, (n,) true where one is kept."""
        return Boundaries(self.edges.only(kept), self.heights[kept], self.thickness_px[kept], self.darkness[kept])
