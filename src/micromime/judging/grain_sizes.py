"""What a metallurgist reads off a label map: diameters, mean linear intercept, ASTM number, each with its uncertainty.

Grain sizes after ASTM E112 (doi 10.1520/E0112-13), Heyn's intercept procedure, for equiaxed grains: where they are
elongated, rows and columns have different means and the interval says so by its width. Test lines are rows and columns
of pixels. In a label map a boundary has no width: each change of number along a test line is one intersection, and its
ends, that lie within grains, are none.

E112 (section 15) takes n fields that do not depend on one another and their standard deviation s; the 95 % interval of
their mean is t s / sqrt(n), t of n - 1 degrees of freedom. Here the fields are test lines of one picture. Neighbouring
rows cut the same grains: with all of them for n, the interval would hold the true mean in less than half of pictures,
not in 95 % of them (test_grain_sizes.py counts it on simulated grains). So n are lines that lie `LINES_APART` mean
intercepts from one another; the mean itself is that of all lines. An interval speaks of all grains of which the picture
is a fair sample, not of other places of a specimen that is not alike everywhere: those take more pictures.
"""

import math
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from micromime.judging.grain_size import E112_SLOPE, astm_difference, astm_number
from micromime.scenario.arrays import Labels, Reals

CONFIDENCE = 0.95
"""Of the intervals, as E112 has it."""

LINES_APART = 1.5
"""Distance of the lines that count as fields / mean linear intercept: about the size of a grain."""


class MeanIntercept(TypedDict):
    """The mean linear intercept of one picture with its 95 % interval, in px."""

    intercept_px: float
    lo_px: float | None
    hi_px: float | None
    """None where there is no interval (a single line), and `hi_px` where it has no upper end."""
    relative_accuracy: float | None
    """Half of the interval / mean, of intersections per length: E112's % RA / 100, of which 0.1 is mostly enough."""
    n_lines: int
    """Lines that count as fields, and how far they lie apart."""
    spacing_px: float


class AstmNumber(TypedDict):
    """An ASTM grain-size number G, or a difference of two, with its 95 % interval (None as above)."""

    number: float
    lo: float | None
    hi: float | None
    n_lines: int


def diameters_px(labels: Labels, whole_only: bool = False) -> Reals:
    """Return the diameter of the circle that has the area of the grain, px, for each grain (n,), in their order.

    Grains that the picture's border cuts off are smaller than they are; without them (`whole_only`) large grains are
    missing more often than small ones. So compare diameters of one picture, found and true, by the same rule.
    """
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    if whole_only:
        areas[np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))] = 0
    diameters: Reals = 2 * np.sqrt(areas[areas > 0] / np.pi)
    return diameters


def label_intercept_px(labels: Labels) -> float | None:
    """Return the mean linear intercept, px, every row and every column a test line; None for fewer than two grains.

    Raises ValueError where some pixels, but not all, belong to no grain.
    """
    down, across = _changes(labels)
    changes = int(np.count_nonzero(down) + np.count_nonzero(across))
    return 2 * labels.size / changes if changes else None


def crossings_per_px(labels: Labels, spacing_px: float) -> Reals:
    """Return for each test line its intersections / its length in px: rows, then columns, about `spacing_px` apart.

    As many lines as fit: those of a direction are evenly spaced, half of that distance from the border; one at least.
    """
    down, across = _changes(labels)
    rows, cols = (_places(side, spacing_px) for side in labels.shape)
    found: Reals = np.concatenate(
        [across[rows].sum(axis=1) / labels.shape[1], down[:, cols].sum(axis=0) / labels.shape[0]]
    )
    return found


def mean_intercept(labels: Labels) -> MeanIntercept | None:
    """Return the mean linear intercept with the 95 % interval of E112; None for fewer than two grains.

    What varies from line to line is intersections per length: its mean and interval are turned into lengths. So a line
    without any intersection counts too, and the interval is not symmetric in px. Raises ValueError as above.
    """
    intercept_px = label_intercept_px(labels)
    if intercept_px is None:
        return None
    spacing_px = LINES_APART * intercept_px
    lines = crossings_per_px(labels, spacing_px)
    # Where every one of these lines misses what few boundaries there are, their agreement means nothing.
    half, mean = _half_interval(lines) if lines.any() else None, 1 / intercept_px
    return MeanIntercept(
        intercept_px=intercept_px,
        lo_px=None if half is None else 1 / (mean + half),
        hi_px=None if half is None or half >= mean else 1 / (mean - half),
        relative_accuracy=None if half is None else half / mean,
        n_lines=len(lines),
        spacing_px=spacing_px,
    )


def astm_number_of(intercept: MeanIntercept, um_per_px: float) -> AstmNumber:
    """Return the ASTM number G of a mean intercept, given the picture's scale, and those of its interval's ends.

    Finer grains, larger G: `lo` belongs to `hi_px`. Raises ValueError for a scale of 0 or below.
    """
    low, high = (
        None if px is None else astm_number(px * um_per_px / 1000) for px in (intercept["hi_px"], intercept["lo_px"])
    )
    number = astm_number(intercept["intercept_px"] * um_per_px / 1000)
    return AstmNumber(number=number, lo=low, hi=high, n_lines=intercept["n_lines"])


def astm_difference_of(prediction: Labels, truth: Labels) -> AstmNumber | None:
    """Return G(found) - G(true) of one picture, for which no scale is needed, with its 95 % interval; above 0: finer.

    The n test lines are the same for both, as far apart as the truth's grains ask for. Uncertain is what the two
    disagree about from line to line, not which grains the picture shows: the interval is that of a ratio of two means
    by the delta method. None where either has fewer than two grains. Raises ValueError where the shapes differ.
    """
    if prediction.shape != truth.shape:
        raise ValueError(f"cannot compare grains of a picture of {prediction.shape} with those of {truth.shape}")
    found_px, true_px = label_intercept_px(prediction), label_intercept_px(truth)
    if found_px is None or true_px is None:
        return None
    found, real = (crossings_per_px(labels, LINES_APART * true_px) for labels in (prediction, truth))
    half = _half_interval(found * found_px - real * true_px) if found.any() and real.any() else None
    number = astm_difference(found_px, true_px)
    if half is None:
        return AstmNumber(number=number, lo=None, hi=None, n_lines=len(real))
    spread = -E112_SLOPE / math.log(10) * half
    return AstmNumber(number=number, lo=number - spread, hi=number + spread, n_lines=len(real))


def _half_interval(lines: Reals) -> float | None:
    """Return t s / sqrt(n), None for a single line."""
    n = len(lines)
    if n < 2:
        return None
    return float(student_t.ppf((1 + CONFIDENCE) / 2, df=n - 1) * lines.std(ddof=1) / math.sqrt(n))


def _places(side_px: int, spacing_px: float) -> NDArray[np.intp]:
    count = max(int(side_px // spacing_px), 1)
    places: NDArray[np.intp] = ((np.arange(count) + 0.5) * side_px / count).astype(np.intp)
    return places


def _changes(labels: Labels) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where the number changes to the next row, and to the next column."""
    if labels.ndim != 2 or 0 < np.count_nonzero(labels) < labels.size:
        raise ValueError("every pixel of a label map must belong to a grain, or none: a boundary would count twice")
    return labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
