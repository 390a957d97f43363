"""From a mask to the centre line of every crack in it: skeleton, longest path, gaps closed, smoothed."""

from itertools import combinations
from typing import Any

import numpy as np
from numba import njit
from scipy.ndimage import distance_transform_edt, gaussian_filter1d
from scipy.sparse.csgraph import dijkstra
from skimage.graph import pixel_graph
from skimage.measure import label, regionprops
from skimage.morphology import skeletonize

from micromime.scenario.arrays import Mask, Points, Reals

LEAST_AREA_PX = 12
"""Pieces of a mask below this area are specks."""
LEAST_LENGTH_PX = 20.0
"""Centre lines below this length are specks: too short to tell a direction from."""
LARGEST_GAP_PX = 15.0
"""Pieces in line with one another are one crack where no more is missing between them."""
LARGEST_TURN_DEG = 60.0
"""Turn from a piece into the gap beside it up to which the two are in line."""
CLOSE_PX = 4.0
"""Ends as near as this are one place: their direction says nothing."""
END_PX = 15
"""Points at an end of a line that tell its direction there."""


def centre_lines(mask: Mask) -> list[Points]:
    """Return the centre line of each crack: (n, 2) points 1 px apart, from left to right, smoothed over about 5 px.

    A line with branches or loops is the longest of the shortest ways between two of its pixels; it runs as far as the
    mask does, not only as its skeleton. Pieces at most 15 px apart and in line are one crack. Lines below 20 px and
    pieces below 12 px of area are left out. Empty for a mask without cracks.
    """
    lines = []
    for region in regionprops(label(mask, connectivity=2)):
        if region.area >= LEAST_AREA_PX:
            piece = np.pad(region.image, 1)
            corner = np.array(region.bbox[:2]) - 1
            lines.append(_to_the_tips(_longest_path(skeletonize(piece)), piece) + corner)
    return [evened(line, sigma_px=2.0) for line in _joined(lines) if length_px(line) >= LEAST_LENGTH_PX]


def evened(line: Points, sigma_px: float) -> Points:
    """Return the line smoothed by a Gaussian along it, its ends in place, as points 1 px apart from left to right."""
    line = _spaced(line)
    width = min(int(4 * sigma_px) + 1, len(line) - 1)
    padded = np.pad(line, ((width, width), (0, 0)), mode="reflect", reflect_type="odd")
    line = _spaced(gaussian_filter1d(padded, sigma_px, axis=0)[width:-width])
    return line if line[-1, 1] >= line[0, 1] else line[::-1].copy()


def length_px(line: Points) -> float:
    """Return the length of a line of straight pieces, px."""
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


def normals(line: Points) -> Points:
    """Return (n, 2): the unit vectors across a line at its points."""
    down, right = np.gradient(line, axis=0).T
    long = np.maximum(np.hypot(down, right), 1e-12)
    return np.stack([right, -down], axis=1) / long[:, None]


def _spaced(line: Points) -> Points:
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = np.linspace(0, along[-1], max(2, round(along[-1]) + 1))
    return np.stack([np.interp(at, along, line[:, axis]) for axis in (0, 1)], axis=1)


@njit(cache=True)
def corners(line: Any, tolerance_px: float) -> Any:
    """Return (n,): which points of a line are corners, all others being no farther than the tolerance from the pieces.

    By Douglas and Peucker (1973, doi 10.3138/FM57-6770-U75U-7727): skimage's `approximate_polygon`, compiled. That took
    a third of the time of measuring.
    """
    kept = np.zeros(len(line), dtype=np.bool_)
    kept[0] = kept[-1] = True
    ahead = [(0, len(line) - 1)]
    while ahead:
        first, last = ahead.pop()
        (r0, c0), (r1, c1) = line[first], line[last]
        long = np.hypot(r1 - r0, c1 - c0)
        most, corner = tolerance_px, -1
        for k in range(first + 1, last):
            r, c = line[k]
            beyond_first = (r - r0) * (r1 - r0) + (c - c0) * (c1 - c0) > 0
            if beyond_first and (r - r1) * (r1 - r0) + (c - c1) * (c1 - c0) < 0:
                away = abs((c - c0) * (r1 - r0) - (r - r0) * (c1 - c0)) / long
            else:
                away = min(np.hypot(r - r0, c - c0), np.hypot(r - r1, c - c1))
            if away > most:
                most, corner = away, k
        if corner > 0:
            kept[corner] = True
            ahead.append((first, corner))
            ahead.append((corner, last))
    return kept


def _longest_path(skeleton: Mask) -> Points:
    """Return the pixels of the longest of all shortest ways along a connected skeleton."""
    graph, pixels = pixel_graph(skeleton, connectivity=2)
    first = int(dijkstra(graph, indices=0).argmax())
    far, before = dijkstra(graph, indices=first, return_predecessors=True)
    way = [int(far.argmax())]
    while way[-1] != first:
        way.append(int(before[way[-1]]))
    return np.stack(np.unravel_index(pixels[way], skeleton.shape), axis=1).astype(np.float64)


def _to_the_tips(line: Points, piece: Mask) -> Points:
    """Return the line with straight ends that reach as far as the piece.

    A skeleton stops short of a tapered end and runs into a corner of a blunt one: half the width is cut off before.
    """
    half = float(np.median(distance_transform_edt(piece)[tuple(line.astype(int).T)]))
    cut = min(round(half), (len(line) - 1) // 4)
    line = line[cut : len(line) - cut]
    for _ in range(2):
        steps = line[-1] + np.arange(1, 60)[:, None] * _heading(line)
        at = np.clip(np.rint(steps).astype(int), 0, np.array(piece.shape) - 1)  # the rim of a piece is empty
        inside = int(np.argmin(piece[tuple(at.T)]))
        line = np.concatenate([line, steps[:inside]])[::-1]
    return line


def _heading(line: Points) -> Reals:
    """Return the unit vector in which a line leaves its last point; (0, 0) for a single point."""
    step = line[-1] - line[max(len(line) - 1 - END_PX, 0)]
    return step / max(float(np.hypot(*step)), 1e-12)


def _joined(lines: list[Points]) -> list[Points]:
    """Return the lines, with those that continue one another made into one, the nearest ends first."""
    while True:
        found = [
            (gap, one, other, joined)
            for one, other in combinations(range(len(lines)), 2)
            for gap, joined in _joints(lines[one], lines[other])
        ]
        if not found:
            return lines
        _, one, other, joined = min(found, key=lambda each: each[0])
        lines = [line for k, line in enumerate(lines) if k not in (one, other)] + [joined]


def _joints(one: Points, other: Points) -> list[tuple[float, Points]]:
    """Return the gap in px, and the whole line, for each pair of ends at which two lines continue one another."""
    found = []
    for first in (one, one[::-1]):
        for second in (other, other[::-1]):
            step = second[0] - first[-1]
            gap = float(np.hypot(*step))
            ahead = min(float(_heading(first) @ step), float(-_heading(second[::-1]) @ step))
            in_line = gap <= CLOSE_PX or ahead >= gap * np.cos(np.deg2rad(LARGEST_TURN_DEG))
            if gap <= LARGEST_GAP_PX and in_line:
                found.append((gap, np.concatenate([first, second])))
    return found
