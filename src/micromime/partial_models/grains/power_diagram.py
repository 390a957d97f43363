"""The edges of a power diagram, from its dual, the regular triangulation, made by inserting nucleus after nucleus.

A nucleus x with a weight is lifted to the height |x|^2 - weight; a triangle stands where none lies below the plane
through its lifted corners (Aurenhammer 1987, doi:10.1137/0216006). Inserting takes away the triangles whose planes the
nucleus lies below, and joins it to what is around them (Bowyer 1981, doi:10.1093/comjnl/24.2.162). In the order of
rows that run to and fro, a nucleus is found some triangles away from the one before: about linear in their number.

A row of `triangles` has the corners, the triangle across from each, and the nucleus that took it away or -1; a row of
`planes` has (slope down the rows, slope along them, height at 0), so half of the slopes is a corner of the diagram.
"""

from typing import Any

import numpy as np
from numba import njit

from micromime.scenario.arrays import Edges, Points, Reals

FAR = 40.0
"""All lies in a triangle whose corners are this many times further away than the furthest nucleus."""


def edges_between(nuclei: Points, weights: Reals) -> Edges:
    """Return the edges between the cells of least |x - nucleus|^2 - weight, but those that are endless.

    A nucleus that a heavier one hides has no cell.
    """
    origin = nuclei.mean(axis=0)
    flat = nuclei - origin
    far = FAR * np.abs(flat).max()
    flat = np.concatenate([flat, [[-far, -far], [2 * far, -far], [-far, 2 * far]]])
    height = (flat**2).sum(axis=1)
    height[:-3] -= weights
    triangles, planes = np.full((2 * len(flat), 7), -1), np.empty((2 * len(flat), 3))
    free = np.arange(len(triangles))[::-1].copy()
    left = _triangulate(triangles, planes, np.column_stack([flat, height]), _to_and_fro(nuclei), free)
    triangles[free[:left], 0] = -1
    return Edges(*_dual(triangles, planes, nuclei, origin))


def _to_and_fro(nuclei: Points) -> Any:
    """Return the order of the nuclei in rows of two or three deep, each second one backwards."""
    low, sides = nuclei.min(axis=0), np.ptp(nuclei, axis=0)
    row = ((nuclei[:, 0] - low[0]) / np.sqrt(3 * max(sides.prod(), 1e-9) / len(nuclei))).astype(np.int64)
    return np.lexsort([np.where(row % 2 == 0, nuclei[:, 1], -nuclei[:, 1]), row])


@njit(cache=True)
def _triangulate(triangles: Any, planes: Any, points: Any, order: Any, free: Any) -> int:
    """Make triangles and planes of lifted points, the last three of which lie around.

    `free` has the rows without a triangle, and is used from its end; returns how many are left. Rows are copied number
    by number: as whole arrays they take longer to compile than all of this.
    """
    count = len(points)
    gone, rim, of = np.empty(2 * count, np.int64), np.empty((2 * count, 3), np.int64), np.empty(count, np.int64)
    here, left = free[-1], len(free) - 1
    _set_triangle(triangles, here, (count - 3, count - 2, count - 1), -1)
    _set_plane(planes[here], points, triangles[here])
    for p in order:
        here = _found(triangles, points, here, p)
        if not _below(points[p], planes[here]):
            continue  # hidden
        took, around = _cavity(triangles, planes, (points[p], p, here), gone, rim)
        for n in range(took):
            free[left + n] = gone[n]
        left += took
        for n in range(around):
            left -= 1
            here = free[left]
            of[rim[n, 0]] = here
            _set_triangle(triangles, here, (p, rim[n, 0], rim[n, 1]), rim[n, 2])
            _set_plane(planes[here], points, triangles[here])
        for n in range(around):
            before, after = of[rim[n, 0]], of[rim[n, 1]]
            triangles[before, 4], triangles[after, 5] = after, before
    return left


@njit(cache=True, inline="always")
def _set_triangle(triangles: Any, here: int, corners: Any, beyond: int) -> None:
    """Write a triangle that has another beyond the side across from its first corner, or -1, and let that know."""
    triangles[here, 0], triangles[here, 1], triangles[here, 2] = corners
    triangles[here, 3], triangles[here, 4], triangles[here, 5], triangles[here, 6] = beyond, -1, -1, -1
    for k in range(3):
        if beyond >= 0 and triangles[beyond, k] != corners[1] and triangles[beyond, k] != corners[2]:
            triangles[beyond, 3 + k] = here


@njit(cache=True)
def _found(triangles: Any, points: Any, here: int, p: int) -> int:
    """Return the triangle that point p lies in: from one to the next, across a side that it lies beyond."""
    r, c, k = points[p, 0], points[p, 1], 0
    while k < 3:
        one, two = triangles[here, (k + 1) % 3], triangles[here, (k + 2) % 3]
        down, across = points[two, 0] - points[one, 0], points[two, 1] - points[one, 1]
        if down * (c - points[one, 1]) - across * (r - points[one, 0]) < 0 and triangles[here, 3 + k] >= 0:
            here, k = triangles[here, 3 + k], 0
        else:
            k += 1
    return here


@njit(cache=True, inline="always")
def _below(point: Any, plane: Any) -> bool:
    """Return whether a lifted point lies below a plane."""
    return point[2] < plane[0] * point[0] + plane[1] * point[1] + plane[2]


@njit(cache=True)
def _cavity(triangles: Any, planes: Any, own: Any, gone: Any, rim: Any) -> Any:
    """Put into `gone` the triangles whose planes a point lies below, and the sides around them into `rim`.

    A side has its two corners, in the order of the triangle that goes, and the triangle beyond. Returns their numbers.
    """
    point, p, here = own
    gone[0], triangles[here, 6], took, around, n = here, p, 1, 0, 0
    while n < took:
        here = gone[n]
        n += 1
        for k in range(3):
            beyond = triangles[here, 3 + k]
            if beyond >= 0 and triangles[beyond, 6] == p:
                continue
            if beyond >= 0 and _below(point, planes[beyond]):
                gone[took], triangles[beyond, 6] = beyond, p
                took += 1
            else:
                rim[around, 0], rim[around, 1] = triangles[here, (k + 1) % 3], triangles[here, (k + 2) % 3]
                rim[around, 2] = beyond
                around += 1
    return took, around


@njit(cache=True, inline="always")
def _set_plane(plane: Any, points: Any, triangle: Any) -> None:
    """Lay a plane through the lifted corners of a triangle."""
    r, c, z = points[triangle[0]]
    r1, c1, z1 = points[triangle[1], 0] - r, points[triangle[1], 1] - c, points[triangle[1], 2] - z
    r2, c2, z2 = points[triangle[2], 0] - r, points[triangle[2], 1] - c, points[triangle[2], 2] - z
    twice = r1 * c2 - r2 * c1
    plane[0], plane[1] = (z1 * c2 - z2 * c1) / twice, (r1 * z2 - r2 * z1) / twice
    plane[2] = z - plane[0] * r - plane[1] * c


@njit(cache=True)
def _dual(triangles: Any, planes: Any, nuclei: Any, origin: Any) -> Any:
    """Return start, end, left and right of the edges dual to the sides between two triangles."""
    most = 3 * len(nuclei)
    start, end = np.empty((most, 2)), np.empty((most, 2))
    left, right = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.int32)
    count = 0
    for one in range(len(triangles)):
        for k in range(3):
            two = triangles[one, 3 + k]
            if (
                two < one
                or triangles[one, 0] < 0
                or _outside(triangles[one], nuclei)
                or _outside(triangles[two], nuclei)
            ):
                continue
            for axis in range(2):
                start[count, axis] = planes[one, axis] / 2 + origin[axis]
                end[count, axis] = planes[two, axis] / 2 + origin[axis]
            p, q = triangles[one, (k + 1) % 3], triangles[one, (k + 2) % 3]
            r, c = end[count, 0] - start[count, 0], end[count, 1] - start[count, 1]
            # Rows point down: b lies to the left of a where a_row b_col - a_col b_row is positive.
            q_is_left = r * (nuclei[q, 1] - nuclei[p, 1]) - c * (nuclei[q, 0] - nuclei[p, 0]) > 0
            left[count], right[count] = (q, p) if q_is_left else (p, q)
            count += 1
    return start[:count].copy(), end[:count].copy(), left[:count].copy(), right[:count].copy()


@njit(cache=True, inline="always")
def _outside(triangle: Any, nuclei: Any) -> bool:
    """Return whether a triangle has one of the three corners that lie around all."""
    return max(triangle[0], triangle[1], triangle[2]) >= len(nuclei)
