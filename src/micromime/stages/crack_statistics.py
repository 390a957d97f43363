"""From photographs with cracks to the laws of a rendered crack's parameters, corrected for what measuring does to them.

The correction is indirect inference (Gourieroux, Monfort and Renault 1993, doi 10.1002/jae.3950080507): cracks are
drawn from the laws, rendered, measured by the same code, and the laws moved until simulated cracks measure as the
real ones do.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from micromime.arrays import Reals
from micromime.datasets.fits import Fit, empirical, fit_counts, fit_reals
from micromime.mistakes import Mistake
from micromime.partial_models.crack import Crack
from micromime.stages.crack_simulation import Picture, Scene, measured_table, simulate

FITTED = ("segments", "segment_px", "bend_deg", "direction_deg", "width_px", "depth")
"""Parameters that differ from crack to crack: each gets a law."""
POOLED = ("segment_spread", "bend_spread", "return_share", "depth_spread", "depth_correlation_px", "taper_px")
"""Parameters of how things differ within a crack: each gets one value for all cracks."""
UNSEEN = {"bend_deg": 1.0, "segment_spread": 0.3, "bend_spread": 0.3, "return_share": 0.5, "taper_px": 0.0}
"""What a parameter is taken to be where no crack shows it: none has a bend, or an end inside its picture."""
GAINS = (1.3, 1.3, 1.2, 1.0, 0.7, 0.5, 0.35)
"""Share of a difference by which each round moves a parameter: above 1 first, because what is measured changes by less
than the parameter does, then less and less, so that chance averages out."""
LEAST_SPREAD = 0.1
"""Share of the spread over cracks that is kept, even where measuring alone spreads them more than that."""
MOST_MOVED = 1.5
"""Largest ratio by which a round moves a pooled value."""
LEAST, MOST = 1e-3, 0.98
"""Corrected values stay this far from the ends of their bounds, as a share of what lies between."""


@dataclass(frozen=True)
class CrackStatistics:
    """What was found, and what shows whether it is right."""

    parameters: dict[str, Any]
    """For every parameter of `Crack` a value or a distribution as params.yaml has it."""
    empirical: dict[str, Any]
    """For those that differ from crack to crack the corrected values themselves, or quantiles of them."""
    cracks: pd.DataFrame
    """One row a measured crack, uncorrected (see `crack_simulation.measured_table`)."""
    fits: pd.DataFrame
    """One row a law that was tried: parameter, law, parameters, aic, ks, chosen."""
    simulated: pd.DataFrame
    """Cracks drawn from the parameters, rendered and measured: what `cracks` must look like."""


class _Summary(NamedTuple):
    """Centre and spread over cracks of each fitted parameter (of logarithms, but for the direction), and the pooled."""

    centre: dict[str, float]
    spread: dict[str, float]
    pooled: dict[str, float]


class _Laws(NamedTuple):
    """What is drawn, the values it was fitted to, and all laws that were tried."""

    parameters: dict[str, Any]
    empirical: dict[str, Any]
    fits: pd.DataFrame


def crack_statistics(pictures: Sequence[Picture], whole: bool, seed: int, simulated: int = 150) -> CrackStatistics:
    """Return the laws of all parameters of `Crack` for cracks as in these pictures (image, mask), corrected.

    `whole` says that the pictures show cracks from end to end; else they are frames through larger cracks, and the
    number of segments is one value for all: segments seen / (ends seen / 2), at most 400. The parameters are drawn
    independently when cracks are rendered; in reality width and depth belong together (wide cracks are deep ones),
    which is ignored. From 200 cracks, known widths, depths, bends and shares of returning bends are found again within
    5 %, numbers of segments within 10 %. Many short segments with small bends look like few long ones: lengths of
    segments are found within 12 %, the two spreads within a crack within 15 % (test_known_parameters_are_found_again).
    Each round of the correction simulates so many cracks. Raises Mistake if no picture shows a crack.
    """
    cracks = measured_table(pictures)
    if cracks.empty:
        raise Mistake("No crack of 20 px or more is marked in these pictures; give some whose masks show cracks.")
    middle = _axis(cracks["direction_deg"].to_numpy())
    seen = _summary(_unfolded(cracks, middle), whole)
    scene = Scene(cracks, () if whole else [image.shape for image, _ in pictures])
    truth = seen
    for number in range(len(GAINS)):
        laws = _laws(_unfolded(cracks, middle), seen, truth, whole)
        found = _unfolded(simulate(laws.parameters, scene, simulated, (seed, number)), middle)
        if not found.empty:
            truth = _moved(truth, seen, _summary(found, whole), GAINS[number])
            scene = _as_noisy(scene, cracks, found)
    laws = _laws(_unfolded(cracks, middle), seen, truth, whole)
    last = simulate(laws.parameters, scene, simulated, (seed, len(GAINS)))
    return CrackStatistics(laws.parameters, laws.empirical, cracks, laws.fits, last)


def _axis(directions_deg: Reals) -> float:
    """Return the mean direction of lines without an arrow, from -90 to 90 degrees."""
    return float(np.rad2deg(np.angle(np.exp(2j * np.deg2rad(directions_deg)).mean())) / 2)


def _unfolded(cracks: pd.DataFrame, middle_deg: float) -> pd.DataFrame:
    """Return the table with every direction given by the one of its two names nearest to the middle."""
    if cracks.empty:
        return cracks
    away = (cracks["direction_deg"] - middle_deg + 90) % 180 - 90
    return cracks.assign(direction_deg=middle_deg + away)


def _summary(cracks: pd.DataFrame, whole: bool) -> _Summary:
    centre, spread = {}, {}
    for key in FITTED:
        values = _straight(key, cracks[key].dropna().to_numpy(dtype=np.float64))
        centre[key] = float(values.mean()) if len(values) else math.log(UNSEEN[key])
        spread[key] = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    if not whole:
        ends = max(float(cracks["ends"].sum()), 0.5)  # none seen: longer than all that was seen
        centre["segments"] = math.log(cracks["segments"].sum() / (ends / 2))
    return _Summary(centre, spread, {key: _pooled(cracks, key) for key in POOLED})


def _as_noisy(scene: Scene, cracks: pd.DataFrame, found: pd.DataFrame) -> Scene:
    """Return the scene with its noise moved by the ratio of what is measured beside real and simulated cracks."""
    ratios = {key: np.clip(cracks[key].mean() / max(found[key].mean(), LEAST), 0.5, 2) for key in ("noise", "noise_px")}
    return scene._replace(cracks=scene.cracks.assign(**{key: scene.cracks[key] * each for key, each in ratios.items()}))


def _pooled(cracks: pd.DataFrame, key: str) -> float:
    """Return the mean over cracks, each with the weight of its segments."""
    rows = cracks[cracks[key].notna()]
    return float(np.average(rows[key], weights=rows["segments"])) if len(rows) else UNSEEN[key]


def _straight(key: str, values: Any) -> Any:
    """Return values on the scale on which they are moved: logarithms, but for the direction."""
    return values if key == "direction_deg" else np.log(np.maximum(values, 1e-6))


def _bounds(key: str, middle_deg: float = 0.0) -> tuple[float, float]:
    """Return between which values a parameter may be, a little within the bounds of its field."""
    if key == "direction_deg":
        return (max(middle_deg - 90, -180), min(middle_deg + 90, 180))
    bounds = {
        name: getattr(each, name)
        for each in Crack.model_fields[key].metadata
        for name in ("ge", "gt", "le")
        if hasattr(each, name)
    }
    low, high = float(bounds.get("ge", bounds.get("gt", 0))), float(bounds["le"])
    return (low, high) if key == "segments" else (max(low, LEAST * min(high, 1)), MOST * high)


def _laws(cracks: pd.DataFrame, seen: _Summary, truth: _Summary, whole: bool) -> _Laws:
    """Return the laws of cracks whose measured values are moved from seen to true."""
    parameters: dict[str, Any] = {}
    by_value: dict[str, Any] = {}
    fits = []
    for key in FITTED:
        values = _straight(key, cracks[key].dropna().to_numpy(dtype=np.float64))
        if len(values) == 0 or (key == "segments" and not whole):
            values = np.array([seen.centre[key]])
        scale = truth.spread[key] / seen.spread[key] if seen.spread[key] > 0 else 0.0
        moved = truth.centre[key] + (values - seen.centre[key]) * scale
        corrected = moved if key == "direction_deg" else np.exp(np.minimum(moved, 20))
        fit = _fitted(key, corrected, truth)
        parameters[key] = fit.written
        by_value[key] = empirical(corrected, _bounds(key, truth.centre["direction_deg"]), whole=key == "segments")
        fits.append(fit.candidates.assign(parameter=key))
    parameters |= {key: _clipped(key, truth.pooled[key]) for key in POOLED}
    # Most cracks of a whole picture end in it once where they begin at an edge of the specimen. A frame cannot say.
    parameters["tips"] = 1 if whole and cracks["ends"].mean() < 1.5 else 2
    table = pd.concat([each for each in fits if not each.empty] or fits[:1], ignore_index=True)
    ordered = {key: parameters[key] for key in Crack.model_fields}
    return _Laws(ordered, by_value, table[["parameter", *table.columns.drop("parameter")]])


def _fitted(key: str, values: Reals, truth: _Summary) -> Fit:
    if key == "segments":
        return fit_counts(values, (1, 400))
    bounds = _bounds(key, truth.centre["direction_deg"])
    return fit_reals(values, bounds, signed=key == "direction_deg")


def _clipped(key: str, value: float) -> float:
    return float(f"{np.clip(value, *_bounds(key)):.5g}")


def _moved(truth: _Summary, seen: _Summary, found: _Summary, gain: float) -> _Summary:
    """Return the truth moved by what simulated cracks measure less (found) or more than the real ones (seen).

    Centres of logarithms move by the difference, that is values by the ratio. Variances over cracks move by their
    difference, because measuring adds its own to them, to a quarter at least and never below a tenth of the seen
    spread; that of the segments is a Poisson law's at least, the narrowest law of counts there is (`fits.fit_counts`).
    Pooled values move by the ratio, the share of returning bends by the ratio of odds.
    """
    centre, spread, pooled = {}, {}, {}
    for key in FITTED:
        centre[key] = truth.centre[key] + gain * (seen.centre[key] - found.centre[key])
        variance = truth.spread[key] ** 2
        moved = variance + gain * (seen.spread[key] ** 2 - found.spread[key] ** 2)
        spread[key] = math.sqrt(max(moved, variance / 4, (LEAST_SPREAD * seen.spread[key]) ** 2))
    spread["segments"] = max(spread["segments"], math.exp(-centre["segments"] / 2))
    for key in POOLED:
        ratio = _ratio(key, seen.pooled[key], found.pooled[key])
        pooled[key] = _raised(key, _clipped(key, truth.pooled[key]), ratio**gain)
    return _Summary(centre, spread, pooled)


def _raised(key: str, value: float, ratio: float) -> float:
    """Return a pooled value times a ratio, within its bounds."""
    if key != "return_share":
        return _clipped(key, value * ratio)
    odds = value / (1 - value) * ratio
    return _clipped(key, odds / (1 + odds))


def _ratio(key: str, seen: float, found: float) -> float:
    """Return the ratio of two pooled values, of their odds for a share, at most 1.5 and at least 1/1.5."""
    if key == "return_share":
        one, other = (np.clip(value, 0.02, 0.98) for value in (seen, found))
        one, other = one / (1 - one), other / (1 - other)
    else:
        one, other = max(seen, LEAST), max(found, LEAST)
    return float(np.clip(one / other, 1 / MOST_MOVED, MOST_MOVED))
