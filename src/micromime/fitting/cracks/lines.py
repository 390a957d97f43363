"""From a mask to the centre line of every crack in it: skeleton, longest path, gaps closed, smoothed."""

from itertools import combinations
from typing import Any

import numpy as np
from numba import njit
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
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
    rows, cols = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return []
    lines, box = [], mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    for region in regionprops(label(box, connectivity=2)):
        if region.area >= LEAST_AREA_PX:
            piece = np.pad(region.image, 1)
            corner = np.array([rows[0], cols[0]]) + region.bbox[:2] - 1
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
    pixels = np.argwhere(skeleton)
    graph = csr_array(_neighbours(skeleton, pixels), shape=(len(pixels), len(pixels)))
    first = int(dijkstra(graph, indices=0).argmax())
    far, before = dijkstra(graph, indices=first, return_predecessors=True)
    way = [int(far.argmax())]
    while way[-1] != first:
        way.append(int(before[way[-1]]))
    return pixels[way].astype(np.float64)


@njit(cache=True)
def _neighbours(skeleton: Any, pixels: Any) -> Any:
    """Return distances, places and first entries of a sparse matrix: how far each pixel is from those that touch it."""
    number = np.full(skeleton.shape, -1, dtype=np.int32)
    for k in range(len(pixels)):
        number[pixels[k, 0], pixels[k, 1]] = k
    distances, places = np.empty(8 * len(pixels)), np.empty(8 * len(pixels), dtype=np.int32)
    first, count = np.zeros(len(pixels) + 1, dtype=np.int32), 0
    for k in range(len(pixels)):
        for row in range(max(pixels[k, 0] - 1, 0), min(pixels[k, 0] + 2, skeleton.shape[0])):
            for col in range(max(pixels[k, 1] - 1, 0), min(pixels[k, 1] + 2, skeleton.shape[1])):
                if number[row, col] >= 0 and number[row, col] != k:
                    distances[count] = np.sqrt(float(abs(row - pixels[k, 0]) + abs(col - pixels[k, 1])))
                    places[count] = number[row, col]
                    count += 1
        first[k + 1] = count
    return distances[:count], places[:count], first


def _to_the_tips(line: Points, piece: Mask) -> Points:
    """Return the line with straight ends that reach as far as the piece.

    A skeleton stops short of a tapered end and runs into a corner of a blunt one: half the width is cut off before.
    """
    half = float(np.median(_to_the_rim(piece, line.astype(np.int64))))
    cut = min(round(half), (len(line) - 1) // 4)
    line = line[cut : len(line) - cut]
    for _ in range(2):
        steps = line[-1] + np.arange(1, 60)[:, None] * _heading(line)
        at = np.clip(np.rint(steps).astype(int), 0, np.array(piece.shape) - 1)  # the rim of a piece is empty
        inside = int(np.argmin(piece[tuple(at.T)]))
        line = np.concatenate([line, steps[:inside]])[::-1]
    return line


@njit(cache=True)
def _to_the_rim(piece: Any, pixels: Any) -> Any:
    """Return (n,): how far from each of these pixels of a piece the nearest one outside lies, px.

    The distance transform of the whole piece took a tenth of the time of measuring.
    """
    found = np.empty(len(pixels))
    for k in range(len(pixels)):
        row, col = pixels[k]
        nearest, reach = np.inf, 1
        while reach * reach < nearest:  # all beyond this square are farther away than its sides
            for r in range(max(row - reach, 0), min(row + reach, len(piece) - 1) + 1):
                beside = 1 if abs(r - row) == reach else 2 * reach
                for c in range(col - reach, col + reach + 1, beside):
                    if 0 <= c < piece.shape[1] and not piece[r, c]:
                        nearest = min(nearest, float((r - row) ** 2 + (c - col) ** 2))
            reach += 1
        found[k] = np.sqrt(nearest)
    return found


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
