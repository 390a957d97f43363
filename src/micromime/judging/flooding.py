"""Floods of a landscape: which hollows are deep, and which of them each pixel drains to. Neighbours share a side.

Both give what scikit-image's `reconstruction` and `watershed` give, pixel by pixel, also among equal heights.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from micromime.scenario.arrays import Reals

Numbers = NDArray[np.int32]


def filled(height: Reals, depth: float) -> Reals:
    """Return the heights after hollows are filled by `depth`, or up to where they overflow if that is less.

    It is the reconstruction by erosion of height + depth above height (Vincent 1993, doi 10.1109/83.217222), of the
    heights' dtype: two sweeps, and then a queue of what they could not yet know.
    """
    level = height + depth
    _drain(level, np.ascontiguousarray(height))
    return level


def flooded(height: Reals, markers: NDArray[np.integer]) -> Numbers:
    """Return the watershed from markers (Meyer 1994, doi 10.1016/0165-1684(94)90060-4): a marker's number a pixel.

    `markers` has a number above 0 at one pixel or more. Of pixels as high the one comes first that was reached first.
    """
    rows, cols = height.shape
    numbers = np.full((rows + 2, cols + 2), -1, dtype=np.int32)  # all around: nobody's
    numbers[1:-1, 1:-1] = markers
    _flood(np.pad(height, 1).ravel(), numbers.ravel(), cols + 2)
    return numbers[1:-1, 1:-1]


@njit(cache=True)
def _drain(level, height):  # type: ignore[no-untyped-def]
    """Lower `level` everywhere to the highest place on the lowest way out; never below `height`."""
    rows, cols = level.shape
    for r in range(rows):
        for c in range(cols):
            low = min(level[r, c], level[max(r - 1, 0), c], level[r, max(c - 1, 0)])
            level[r, c] = max(low, height[r, c])
    queue = np.empty((level.size, 2), np.int32)
    end = 0
    for r in range(rows - 1, -1, -1):
        for c in range(cols - 1, -1, -1):
            below, right = min(r + 1, rows - 1), min(c + 1, cols - 1)
            low = max(min(level[r, c], level[below, c], level[r, right]), height[r, c])
            level[r, c] = low
            if level[below, c] > max(low, height[below, c]) or level[r, right] > max(low, height[r, right]):
                queue[end, 0], queue[end, 1] = r, c  # a row as a whole takes three seconds to compile
                end += 1
    _spread(level, height, queue, end)


@njit(cache=True)
def _spread(level, height, queue, end):  # type: ignore[no-untyped-def]
    """Lower the neighbours of what is in the queue, a ring that holds each pixel once, and theirs in turn."""
    rows, cols = level.shape
    waiting = np.zeros(level.shape, np.bool_)
    for place in range(end):
        waiting[queue[place, 0], queue[place, 1]] = True
    start, size = 0, len(queue)
    count = end
    end %= size
    while count:
        r, c = queue[start]
        start = (start + 1) % size
        count -= 1
        waiting[r, c] = False
        for step in range(4):
            nr, nc = r + (step == 0) - (step == 1), c + (step == 2) - (step == 3)
            if 0 <= nr < rows and 0 <= nc < cols:
                low = max(level[r, c], height[nr, nc])
                if low < level[nr, nc]:
                    level[nr, nc] = low
                    if not waiting[nr, nc]:
                        waiting[nr, nc] = True
                        queue[end, 0], queue[end, 1] = nr, nc
                        end = (end + 1) % size
                        count += 1


@njit(cache=True)
def _flood(height, numbers, width):  # type: ignore[no-untyped-def]
    """Give each pixel whose number is 0 that of the neighbour from which it is reached first.

    The queue is a heap of (level, turn, place): markers come first among equals, then what came in first. It is that
    of scikit-image, as markers that are as high leave it in an order that only a heap knows.
    """
    size = numbers.size
    queue = np.empty(size, height.dtype), np.empty(size, np.int32), np.empty(size, np.int32)
    count, dry = 0, 0
    for place in range(size):
        if numbers[place] > 0:
            _push(queue, count, height[place], 0, place)
            count += 1
        dry += numbers[place] == 0
    turn = 0
    while count and dry:
        level, place = queue[0][0], queue[2][0]
        count -= 1
        _pop(queue, count)
        for step in (-width, -1, 1, width):
            beside = place + step
            if numbers[beside] == 0:
                numbers[beside] = numbers[place]
                turn += 1
                dry -= 1
                _push(queue, count, max(height[beside], level), turn, beside)
                count += 1


@njit(cache=True, inline="always")
def _push(queue, count, level, turn, place):  # type: ignore[no-untyped-def]
    """Put what is younger than all else at the end of a heap of `count`, and let it rise above what is higher."""
    levels, turns, places = queue
    at = count
    while at > 0 and level < levels[(at - 1) >> 1]:
        above = (at - 1) >> 1
        levels[at], turns[at], places[at] = levels[above], turns[above], places[above]
        at = above
    levels[at], turns[at], places[at] = level, turn, place


@njit(cache=True, inline="always")
def _pop(queue, count):  # type: ignore[no-untyped-def]
    """Take the first of a heap, of which `count` stay: the last sinks from its place."""
    levels, turns, places = queue
    level, turn, place = levels[count], turns[count], places[count]
    at = 0
    while 2 * at + 1 < count:
        least, right = 2 * at + 1, 2 * at + 2
        if right < count and _before(levels[right], turns[right], levels[least], turns[least]):
            least = right
        if not _before(levels[least], turns[least], level, turn):
            break
        levels[at], turns[at], places[at] = levels[least], turns[least], places[least]
        at = least
    levels[at], turns[at], places[at] = level, turn, place


@njit(cache=True, inline="always")
def _before(level, turn, other_level, other_turn):  # type: ignore[no-untyped-def]
    return level < other_level or (level == other_level and turn < other_turn)
