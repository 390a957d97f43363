"""Lines on pixels: which grain lies on which side of bent boundaries, which pixels are theirs, and scratches.

All compiled code that lines share is in this file: numba looks for changes in the file of a function that it keeps, and
not in those that the function takes others, or constants, from (tests/test_compiled.py).
"""

from typing import Any

import numpy as np
from numba import njit

from micromime.scenario.arrays import Boundaries, Grey, Indices, Mask, Reals


def draw_lines(boundaries: Boundaries, rows: int, cols: int, mask_px: Reals | None = None) -> tuple[Mask, Grey]:
    """Return the boundaries' mask and the share of grey they take away (below 0 where brighter), each (rows, cols).

    A pixel belongs to the mask when its centre lies within half of `mask_px` of the curve: (n,) widths, those of the
    lines if none are given; 0 leaves an edge out. The darkness runs out over one pixel at the line's sides. Where lines
    meet, what differs most from the grain counts.
    """
    mask = np.zeros((rows, cols), dtype=np.bool_)
    taken = np.zeros((rows, cols), dtype=np.float32)
    look = boundaries.thickness_px, boundaries.thickness_px if mask_px is None else mask_px, boundaries.darkness
    _stamp(mask, taken, (boundaries.edges.start, boundaries.edges.end), boundaries.heights, look)
    return mask, taken


@njit(cache=True, inline="always")
def chord(ends: Any, e: int) -> Any:
    """Return (row, col, direction's row, direction's col, length) of an edge of those between (starts, ends)."""
    start, end = ends
    dr, dc = end[e, 0] - start[e, 0], end[e, 1] - start[e, 1]
    length = max(np.sqrt(dr * dr + dc * dc), 1e-9)
    return start[e, 0], start[e, 1], dr / length, dc / length, length


@njit(cache=True, inline="always")
def strip(line: Any, span: Any, row: int, box: Any) -> Any:
    """Return from where to where, within the box, a row's pixels lie within the span of distances to a line's left."""
    r0, c0, dr, dc, _ = line
    if abs(dr) < 1e-6:
        return box
    one, two = c0 + (span[0] + (row - r0) * dc) / dr, c0 + (span[1] + (row - r0) * dc) / dr
    return max(box[0], min(one, two)), min(box[1], max(one, two))


@njit(cache=True)
def _stamp(mask: Any, taken: Any, ends: Any, heights: Any, look: Any) -> None:
    """Draw each curve piece by piece."""
    thickness_px, mask_px, darkness = look
    steps = heights.shape[1] - 1
    for e in range(len(heights)):
        r0, c0, dr, dc, length = chord(ends, e)
        half, half_mask = thickness_px[e] / 2, mask_px[e] / 2
        before, k = (r0, c0), 0
        while k < steps:
            step = _step(heights[e], k, length)
            dark = (darkness[e, k] + darkness[e, k + step]) / 2
            k += step
            along, height = length * k / steps, heights[e, k]
            after = (r0 + dr * along - dc * height, c0 + dc * along + dr * height)
            _stamp_piece(mask, taken, before, after, (half, half_mask, dark))
            before = after


@njit(cache=True)
def _step(heights: Any, first: int, length: float) -> int:
    """Return over how many points to go from the first: up to 6 px that pass no point by more than 0.1 px."""
    steps = len(heights) - 1
    step = steps // 4
    while step > 1:
        if first % step == 0 and length * step / steps <= 6.0:
            missed, rise = 0.0, (heights[first + step] - heights[first]) / step
            for k in range(1, step):
                missed = max(missed, abs(heights[first] + rise * k - heights[first + k]))
            if missed <= 0.1:
                break
        step //= 2
    return step


@njit(cache=True)
def _stamp_piece(mask: Any, taken: Any, one: Any, two: Any, look: Any) -> None:
    """Darken the pixels about a straight piece by their distance to it, and mark those of its mask.

    Without a branch, in single precision and by eight pixels at a time, which is compiled to vector instructions: what
    lies too far away gets nothing.
    """
    rows, cols = mask.shape
    half, half_mask, darkness = look
    reach = max(half + 0.5, half_mask)
    pr, pc = two[0] - one[0], two[1] - one[1]
    inverse = 1.0 / max(pr * pr + pc * pc, 1e-12)
    top = max(0, int(np.ceil(min(one[0], two[0]) - reach)))
    bottom = min(rows - 1, int(np.floor(max(one[0], two[0]) + reach)))
    west = max(0, int(np.ceil(min(one[1], two[1]) - reach)))
    wide = min(cols - 1, int(np.floor(max(one[1], two[1]) + reach))) - west + 1
    if wide <= 0:
        return
    wide = min((wide + 7) // 8 * 8, cols)
    west = min(west, cols - wide)
    zero, full, rim, dark = np.float32(0), np.float32(1), np.float32(half + 0.5), np.float32(darkness)
    square_mask = np.float32(half_mask * half_mask if half_mask > 0 else -1.0)
    down, across, rise, first = np.float32(pr), np.float32(pc), np.float32(pc * inverse), np.float32(west - one[1])
    for row in range(top, bottom + 1):
        r = np.float32(row - one[0])
        start = np.float32((row - one[0]) * pr * inverse)
        for k in range(wide):
            c = first + np.float32(k)
            at = np.uintp(west + k)
            along = min(max(start + c * rise, zero), full)
            away_r, away_c = r - along * down, c - along * across
            square = away_r * away_r + away_c * away_c
            mask[row, at] |= square <= square_mask
            takes = dark * min(max(rim - np.sqrt(square), zero), full)
            taken[row, at] = takes if abs(takes) > abs(taken[row, at]) else taken[row, at]


def label_grains(straight: Indices, boundaries: Boundaries) -> tuple[Indices, Boundaries]:
    """Return the map of which cell holds each pixel between bent edges, and the edges as they were drawn.

    A pixel between an edge's chord and its curve changes over to the cell across. Where two curves, or a
    curve and a third cell, would claim the same pixel (at acute corners), those curves are flattened by
    half, at last straightened, until none does: so every pixel has one cell, no gap opens, and labels
    change only at a curve.
    """
    edges, heights = boundaries.edges, boundaries.heights.copy()
    bent = (edges.start, edges.end), (edges.left, edges.right), heights
    labels, claims = straight.copy(), np.full(straight.shape, -1, np.int32)
    maps = straight, labels, claims
    times = np.zeros(len(heights), dtype=np.int32)
    wrong = np.ones(len(heights), dtype=np.bool_)
    while wrong.any():
        # All who claim a pixel with another are wrong, and a flatter curve claims no new one: the others stay.
        again, wrong = np.flatnonzero(wrong), np.zeros(len(heights), dtype=np.bool_)
        _swap(maps, wrong, bent, again, False)
        _swap(maps, wrong, bent, np.flatnonzero(wrong), True)
        times += wrong
        heights[wrong] *= np.where(times[wrong] < 5, 0.5, 0.0)[:, None]
    return labels, boundaries._replace(heights=heights)


@njit(cache=True)
def _swap(maps: Any, wrong: Any, bent: Any, some: Any, back: bool) -> None:
    """Give the pixels between the chords and curves of some edges to the cell on the chord's other side, or back.

    The maps are the labels before, those after, and the claims, which get the edge that claims a pixel; `wrong` gets
    which edges claim what is not theirs alone.
    """
    straight, labels, claims = maps
    rows, cols = labels.shape
    ends, (lefts, rights), curves = bent
    for e in some:
        heights = curves[e]
        up, down = heights.max(), heights.min()
        if up <= 0 and down >= 0:
            continue
        line = chord(ends, e)
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
                    own, other = (lefts[e], rights[e]) if side > 0 else (rights[e], lefts[e])
                    if not back:
                        _claim(labels, claims, wrong, e, (row, col, straight[row, col] == own, other))
                    elif claims[row, col] == e:
                        labels[row, col], claims[row, col] = own, -1


@njit(cache=True, inline="always")
def _side(line: Any, heights: Any, row: int, col: int) -> int:
    """Return whether a pixel lies between chord and curve: 1 to the chord's left, -1 to its right, 0 if not."""
    r0, c0, dr, dc, length = line
    r, c = row - r0, col - c0
    steps = len(heights) - 1
    along = (r * dr + c * dc) * (steps / length)
    height = c * dr - r * dc
    if along <= 0 or along >= steps or height == 0:
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
        if earlier >= 0 and (own or earlier < e):  # one that comes later would not have been there
            wrong[earlier] = True


@njit(cache=True)
def add_scratches(added: Any, middle: Any, along: Any, half: Any, look: Any) -> None:
    """Add straight lines that fade out towards their ends: `look` has their sigmas and the greys in their middles."""
    rows, cols = added.shape
    sigma, depth = look
    for n in range(len(middle)):
        reach = 3 * sigma[n]
        down, beside = abs(along[n, 0]) * half[n] + reach, abs(along[n, 1]) * half[n] + reach
        line = (middle[n, 0], middle[n, 1], along[n, 0], along[n, 1], half[n])
        for row in range(max(0, int(middle[n, 0] - down)), min(rows, int(middle[n, 0] + down) + 2)):
            first, last = strip(line, (-reach, reach), row, (middle[n, 1] - beside, middle[n, 1] + beside))
            for col in range(max(0, int(first)), min(cols, int(last) + 2)):
                r, c = row - middle[n, 0], col - middle[n, 1]
                away = c * along[n, 0] - r * along[n, 1]
                place = (r * along[n, 0] + c * along[n, 1]) / half[n]
                if abs(away) < reach and abs(place) < 1:
                    profile = np.exp(-(away * away) / (2 * sigma[n] * sigma[n])) * (1 - place * place)
                    added[row, col] += np.float32(depth[n] * profile)
