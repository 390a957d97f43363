"""A Gaussian filter along one axis: scipy's `gaussian_filter1d`, to the last bit, several times as fast.

Its sums are in the same order, but of many columns side by side, which processors add at once.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

TRUNCATE = 4.0
"""Standard deviations beyond which the filter ends."""

Field = NDArray[np.float64]
"""(rows, cols)."""


def smoothed(values: Field, sigma_px: float, axis: int) -> Field:
    """Return (rows, cols): the values filtered along one axis, mirrored at its ends."""
    away = np.arange(-int(TRUNCATE * sigma_px + 0.5), int(TRUNCATE * sigma_px + 0.5) + 1)
    weights = np.exp(-0.5 / sigma_px**2 * away**2)
    half = (weights / weights.sum())[len(away) // 2 :]
    return (_down if axis == 0 else _across)(np.ascontiguousarray(values, dtype=np.float64), half)


@njit(cache=True)
def _down(values: Any, half: Any) -> Any:
    """Return the weighted sums down the columns; `half` has the weights from the middle outward."""
    found = np.empty_like(values)
    for row in range(len(values)):
        sums, middle = found[row], values[row]
        for col in range(len(sums)):
            sums[col] = middle[col] * half[0]
        for away in range(len(half) - 1, 0, -1):
            above, below = values[_mirrored(row - away, len(values))], values[_mirrored(row + away, len(values))]
            weight = half[away]  # read before, as for all that is known the sums might lie there
            for col in range(len(sums)):
                sums[col] += (above[col] + below[col]) * weight
    return found


@njit(cache=True)
def _across(values: Any, half: Any) -> Any:
    """Return the weighted sums along the rows."""
    found, reach, cols = np.empty_like(values), len(half) - 1, values.shape[1]
    line = np.empty(cols + 2 * reach)
    for row in range(len(values)):
        for place in range(len(line)):
            line[place] = values[row, _mirrored(place - reach, cols)]
        sums = found[row]
        for col in range(cols):
            sums[col] = line[col + reach] * half[0]
        for away in range(reach, 0, -1):
            left, right, weight = line[reach - away :], line[reach + away :], half[away]
            for col in range(cols):
                sums[col] += (left[col] + right[col]) * weight
    return found


@njit(cache=True)
def _mirrored(place: int, count: int) -> int:
    """Return the place within 0 to count - 1 that a mirror at either end shows: d c b a | a b c d | d c b a."""
    if not 0 <= place < count:  # hardly ever, and a division takes longer than all the rest
        place %= 2 * count
    return place if place < count else 2 * count - 1 - place
