"""What a metallurgist reads off a label map: diameters, mean linear intercept, ASTM number, each with its uncertainty.

Grain sizes after ASTM E112 (doi 10.1520/E0112-13), Heyn's intercept procedure, for equiaxed grains: where they are
elongated, rows and columns have different means and the interval says so by its width. Test lines are rows and columns
of pixels. In a label map a boundary has no width: each change of number along a test line is one intersection, and its
ends, that lie within grains, are none.

E112 (section 15) takes n fields that do not depend on one another and their standard deviation s; the 95 % interval of
their mean is t s / sqrt(n), t of n - 1 degrees of freedom. Here the fields are test lines of one picture. Neighbouring
rows cut the same grains: with all of them for n, the interval would hold the true mean in less than half of pictures,
not in 95 % of them (test_grain_size.py counts it on simulated grains). So n are lines that lie `LINES_APART` mean
intercepts from one another; the mean itself is that of all lines. An interval speaks of all grains of which the picture
is a fair sample, not of other places of a specimen that is not alike everywhere: those take more pictures.
"""

import math
from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micromime.judging.statistics import half_interval, mean, sd
from micromime.scenario.arrays import Labels, Reals

E112_SLOPE, E112_OFFSET = -6.643856, -3.288
"""G = slope * log10(mean linear intercept, mm) + offset; the slope is -2 / log10(2): half the intercept is G + 2."""

CONFIDENCE = 0.95
"""Of the intervals, as E112 has it."""

LINES_APART = 1.5
"""Distance of the lines that count as fields / mean linear intercept: about the size of a grain."""

FOUND = (
    *("grains", "grains_ratio", "diameter_px", "diameter_ratio", "intercept_px"),
    *("astm_difference", "astm_absolute_difference", "no_intercept"),
)
"""What `compare_sizes` says of every baseline and arm."""


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


def astm_number(intercept_mm: float) -> float:
    """Return the ASTM grain-size number G of a mean linear intercept in mm on the specimen; finer grains, larger G.

    G = -6.643856 log10(intercept) - 3.288 (ASTM E112); 0.32 mm is G 0, 0.02 mm is G 8. NaN of NaN. Raises ValueError
    for an intercept of 0 or below.
    """
    return E112_SLOPE * math.log10(intercept_mm) + E112_OFFSET


def astm_difference(found_px: float, true_px: float) -> float:
    """Return G(found) - G(true) of two mean linear intercepts in one picture: its scale cancels out. NaN of NaN.

    Raises ValueError for an intercept of 0 or below.
    """
    return E112_SLOPE * (math.log10(found_px) - math.log10(true_px))


def diameters_px(labels: Labels) -> Reals:
    """Return the diameter of the circle that has the area of the grain, px, for each grain (n,), in their order.

    Grains that the picture's border cuts off are smaller than they are: compare diameters of one picture, found and
    true.
    """
    areas = np.bincount(labels.ravel())[1:]
    return 2 * np.sqrt(areas[areas > 0] / np.pi)


def label_intercept_px(labels: Labels) -> float | None:
    """Return the mean linear intercept, px, every row and every column a test line; None for fewer than two grains.

    Raises ValueError where some pixels, but not all, belong to no grain.
    """
    down, across = _changes(labels)
    changes = int(np.count_nonzero(down) + np.count_nonzero(across))
    return 2 * labels.size / changes if changes else None


def grain_size(labels: Labels) -> dict[str, Any]:
    """Return the number of grains, their mean diameter and mean linear intercept, None where there is none."""
    diameters = diameters_px(labels)
    return {
        "grains": len(diameters),
        "diameter_px": float(diameters.mean()) if len(diameters) else None,
        "intercept_px": label_intercept_px(labels),
    }


def crossings_per_px(labels: Labels, spacing_px: float) -> Reals:
    """Return for each test line its intersections / its length in px: rows, then columns, about `spacing_px` apart.

    As many lines as fit: those of a direction are evenly spaced, half of that distance from the border; one at least.
    """
    down, across = _changes(labels)
    rows, cols = (_places(side, spacing_px) for side in labels.shape)
    along_rows, along_cols = across[rows].sum(axis=1), down[:, cols].sum(axis=0)
    return np.concatenate([along_rows / labels.shape[1], along_cols / labels.shape[0]])


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
    half = half_interval(lines.tolist(), CONFIDENCE) if lines.any() else None
    per_px = 1 / intercept_px
    return MeanIntercept(
        intercept_px=intercept_px,
        lo_px=None if half is None else 1 / (per_px + half),
        hi_px=None if half is None or half >= per_px else 1 / (per_px - half),
        relative_accuracy=None if half is None else half / per_px,
        n_lines=len(lines),
        spacing_px=spacing_px,
    )


def astm_number_of(intercept: MeanIntercept, um_per_px: float) -> AstmNumber:
    """Return the ASTM number G of a mean intercept, given the picture's scale, and those of its interval's ends.

    Finer grains, larger G: `lo` belongs to `hi_px`. Raises ValueError for a scale of 0 or below.
    """
    low, number, high = (
        None if px is None else astm_number(px * um_per_px / 1000)
        for px in (intercept["hi_px"], intercept["intercept_px"], intercept["lo_px"])
    )
    assert number is not None, "there is an intercept"
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
    differences = (found * found_px - real * true_px).tolist()
    half = half_interval(differences, CONFIDENCE) if found.any() and real.any() else None
    number = astm_difference(found_px, true_px)
    if half is None:
        return AstmNumber(number=number, lo=None, hi=None, n_lines=len(real))
    spread = -E112_SLOPE / math.log(10) * half
    return AstmNumber(number=number, lo=number - spread, hi=number + spread, n_lines=len(real))


def true_size(grains: Labels, um_per_px: float | None) -> dict[str, Any]:
    """Return the true grains' mean linear intercept (`intercept`) and ASTM number (`astm`), with 95 % intervals.

    See `MeanIntercept` and `AstmNumber`; None where there are fewer than two grains, or no scale.
    """
    intercept = mean_intercept(grains)
    known = intercept is not None and um_per_px is not None
    return {"intercept": intercept, "astm": astm_number_of(intercept, um_per_px) if known else None}  # type: ignore[arg-type]


def astm_by_picture(answers: pd.DataFrame, truths: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return for each picture and arm the mean over runs of G(found) - G(true) and of its 95 % interval's ends.

    `answers` has a row for every arm, run and picture: picture, source, arm, run, intercept_px (NaN where nothing was
    crossed), astm_lo and astm_hi (NaN also where there is no interval; see `astm_difference_of`); `truths` has the
    `true_size` of each picture. Numbers are None where no run has any: n_known says how many of n_runs have a
    difference, n_intervals how many an interval.
    """
    true_px = {name: (size["intercept"] or {"intercept_px": np.nan})["intercept_px"] for name, size in truths.items()}
    rows = answers.astype({"intercept_px": float, "astm_lo": float, "astm_hi": float})
    rows = rows.assign(difference=_differences(rows["intercept_px"], rows["picture"].map(true_px)))
    parts = rows.groupby(["source", "picture", "arm"], sort=False)
    means = parts[["difference", "astm_lo", "astm_hi"]].mean().rename(columns={"astm_lo": "lo", "astm_hi": "hi"})
    means = means.assign(n_known=parts["difference"].count(), n_intervals=parts["astm_lo"].count(), n_runs=parts.size())
    found = means.reset_index().to_dict("records")
    return [{str(key): None if value != value else value for key, value in row.items()} for row in found]


def compare_sizes(sizes: pd.DataFrame) -> dict[str, Any]:
    """Return the grains of every baseline and arm beside the truth's, over `all` pictures and `by_source`.

    `sizes` has a row for everything measured: kind ("truth", "baseline" or "arm"), name, run (0 unless arm), picture,
    source, grains, diameter_px (their mean equivalent diameter), intercept_px (both NaN where none) and um_per_px (NaN
    where unknown). Each part holds n (pictures); truth: mean grains, diameter_px, intercept_px, and astm_number over
    the n_astm pictures with a scale; for each of baselines and arms what FOUND names: means over the pictures that have
    it (ratio: found / true; differences: found - true), and in how many pictures no_intercept was found. For arms, mean
    and sd over runs of these. None where there is none. Raises ValueError where a picture has no truth, or two.
    """
    rows = _beside_truth(sizes)
    by_source = {str(source): _part(part) for source, part in rows.groupby("source", sort=False)}
    return {"all": _part(rows), "by_source": by_source}


def _beside_truth(sizes: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with what follows from each and its picture's truth."""
    rows = sizes.astype(dict.fromkeys(("diameter_px", "intercept_px", "um_per_px"), float))  # None alone is no number
    truth = rows[rows["kind"] == "truth"].set_index("picture")
    if sorted(truth.index) != sorted(rows["picture"].unique()):
        raise ValueError("every picture needs one row of its truth")
    true = {each: rows["picture"].map(truth[each]) for each in ("grains", "diameter_px", "intercept_px")}
    difference = _differences(rows["intercept_px"], true["intercept_px"])
    return rows.assign(
        grains_ratio=rows["grains"] / true["grains"].where(true["grains"] > 0),
        diameter_ratio=rows["diameter_px"] / true["diameter_px"],
        astm_number=(rows["intercept_px"] * rows["um_per_px"] / 1000).map(astm_number),
        astm_difference=difference,
        astm_absolute_difference=np.abs(difference),
        no_intercept=rows["intercept_px"].isna(),
    )


def _differences(found_px: "pd.Series[float]", true_px: "pd.Series[float]") -> list[float]:
    return [astm_difference(found, true) for found, true in zip(found_px, true_px, strict=True)]


def _part(rows: pd.DataFrame) -> dict[str, Any]:
    truth = rows[rows["kind"] == "truth"]
    measures = ("grains", "diameter_px", "intercept_px", "astm_number")
    means = {what: _summary(truth[what])["mean"] for what in measures}
    baselines, arms = (_by_run(rows[rows["kind"] == kind]) for kind in ("baseline", "arm"))
    return {
        "n": len(truth),
        "truth": means | {"n_astm": int(truth["astm_number"].count())},
        "baselines": {name: {what: _summary(runs[what])["mean"] for what in FOUND} for name, runs in baselines.items()},
        "arms": {name: {what: _summary(runs[what]) for what in FOUND} for name, runs in arms.items()},
    }


def _by_run(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return for each name a table with a row for every run: its means over the pictures."""
    how = {what: "sum" if what == "no_intercept" else "mean" for what in FOUND}
    return {str(name): part.groupby("run").agg(how) for name, part in rows.groupby("name", sort=False)}


def _summary(values: "pd.Series[float]") -> dict[str, float | None]:
    known = values.dropna().tolist()
    return {"mean": mean(known) if known else None, "sd": sd(known)}


def _places(side_px: int, spacing_px: float) -> NDArray[np.intp]:
    count = max(int(side_px // spacing_px), 1)
    return ((np.arange(count) + 0.5) * side_px / count).astype(np.intp)


def _changes(labels: Labels) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where the number changes to the next row, and to the next column."""
    if labels.ndim != 2 or 0 < np.count_nonzero(labels) < labels.size:
        raise ValueError("every pixel of a label map must belong to a grain, or none: a boundary would count twice")
    return labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
