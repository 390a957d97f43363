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

Labels = NDArray[np.uint16]
"""(rows, cols): the object every pixel belongs to, numbered 1 to n without gaps."""

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


class Tessellation(NamedTuple):
    """A plane divided into cells: pixel x belongs to the cell with the least |x - nucleus|^2 - weight."""

    nuclei: Points
    weights: Reals
    """Squared pixels; all equal in a Voronoi tessellation, differing in a power diagram."""
    edges: Edges
    diameter_px: float
    """Diameter of the circle that has the mean area of a cell."""
