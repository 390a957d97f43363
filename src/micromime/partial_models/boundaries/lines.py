"""Draws bent boundaries: which pixels are theirs, and the share of the grey that they take away."""

from typing import Any

import numpy as np
from numba import njit

from micromime.scenario.arrays import STEPS, Boundaries, Grey, Mask, Reals


def draw_lines(boundaries: Boundaries, rows: int, cols: int, mask_px: Reals | None = None) -> tuple[Mask, Grey]:
    """Return the boundaries' mask and the share of grey they take away (below 0 where brighter), each (rows, cols).

    A pixel belongs to the mask when its centre lies within half of `mask_px` of the curve: (n,) widths, those of the
    lines if none are given; 0 leaves an edge out. The darkness runs out over one pixel at the line's sides. Where lines
    meet, what differs most from the grain counts.
    """
    mask = np.zeros((rows, cols), dtype=np.bool_)
    taken = np.zeros((rows, cols), dtype=np.float32)
    _stamp(mask, taken, boundaries, boundaries.thickness_px if mask_px is None else mask_px)
    return mask, taken


@njit(cache=True, inline="always")
def chord(edges: Any, e: int) -> Any:
    """Return (row, col, direction's row, direction's col, length) of a straight edge."""
    dr, dc = edges.end[e, 0] - edges.start[e, 0], edges.end[e, 1] - edges.start[e, 1]
    length = max(np.sqrt(dr * dr + dc * dc), 1e-9)
    return edges.start[e, 0], edges.start[e, 1], dr / length, dc / length, length


@njit(cache=True, inline="always")
def strip(line: Any, span: Any, row: int, box: Any) -> Any:
    """Return from where to where, within the box, a row's pixels lie within the span of distances to a line's left."""
    r0, c0, dr, dc, _ = line
    if abs(dr) < 1e-6:
        return box
    one, two = c0 + (span[0] + (row - r0) * dc) / dr, c0 + (span[1] + (row - r0) * dc) / dr
    return max(box[0], min(one, two)), min(box[1], max(one, two))


@njit(cache=True)
def _stamp(mask: Any, taken: Any, bent: Any, mask_px: Any) -> None:
    """Draw each curve piece by piece."""
    for e in range(len(bent.heights)):
        r0, c0, dr, dc, length = chord(bent.edges, e)
        step = _step(bent.heights[e], length)
        half, half_mask = bent.thickness_px[e] / 2, mask_px[e] / 2
        before = (r0, c0)
        for k in range(step, STEPS + 1, step):
            along, height = length * k / STEPS, bent.heights[e, k]
            after = (r0 + dr * along - dc * height, c0 + dc * along + dr * height)
            darkness = (bent.darkness[e, k - step] + bent.darkness[e, k]) / 2
            _stamp_piece(mask, taken, before, after, (half, half_mask, darkness))
            before = after


@njit(cache=True)
def _step(heights: Any, length: float) -> int:
    """Return every how many points to draw: pieces up to 6 px long that pass no point by more than 0.1 px."""
    step = STEPS // 4
    while step > 1:
        missed = 0.0
        for k in range(STEPS):
            first = k - k % step
            rise = (heights[first + step] - heights[first]) / step
            missed = max(missed, abs(heights[first] + rise * (k % step) - heights[k]))
        if missed <= 0.1 and length * step / STEPS <= 6.0:
            break
        step //= 2
    return step


@njit(cache=True, inline="always")
def _stamp_piece(mask: Any, taken: Any, one: Any, two: Any, look: Any) -> None:
    """Darken the pixels about a straight piece by their distance to it, and mark those of its mask."""
    rows, cols = mask.shape
    half, half_mask, darkness = look
    reach = max(half + 0.5, half_mask)
    pr, pc = two[0] - one[0], two[1] - one[1]
    inverse = 1.0 / max(pr * pr + pc * pc, 1e-12)
    top, bottom = min(one[0], two[0]) - reach, max(one[0], two[0]) + reach
    west, east = min(one[1], two[1]) - reach, max(one[1], two[1]) + reach
    for row in range(max(0, int(np.ceil(top))), min(rows - 1, int(np.floor(bottom))) + 1):
        for col in range(max(0, int(np.ceil(west))), min(cols - 1, int(np.floor(east))) + 1):
            r, c = row - one[0], col - one[1]
            along = min(max((r * pr + c * pc) * inverse, 0.0), 1.0)
            r, c = r - along * pr, c - along * pc
            square = r * r + c * c
            if square <= reach * reach:
                distance = np.sqrt(square)
                mask[row, col] |= half_mask > 0 and distance <= half_mask
                here = np.float32(darkness * min(max(half + 0.5 - distance, 0.0), 1.0))
                if abs(here) > abs(taken[row, col]):
                    taken[row, col] = here
