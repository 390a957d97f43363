"""What measured cracks say together: the numbers by which simulated cracks are compared with real ones."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from micromime.fitting.cracks.simulation import FURTHER_COURSES
from micromime.scenario.arrays import Reals

FITTED = ("segments", "segment_px", "bend_deg", "direction_deg", "width_px", "depth")
"""Parameters that differ from crack to crack: each gets a law."""
POOLED = ("segment_spread", "bend_spread", "return_share", "depth_spread", "depth_correlation_px", "taper_px")
"""Parameters of how things differ within a crack: each gets one value for all cracks."""
UNSEEN = {"bend_deg": 1.0, "segment_spread": 0.3, "bend_spread": 0.3, "return_share": 0.5, "taper_px": 0.0}
"""What a parameter is taken to be where no crack shows it: none has a bend, or an end inside its picture."""
MOVED = (*(key for key in FITTED if key != "direction_deg"), *POOLED)
"""Parameters that are told apart only together: what measuring does to one depends on the others."""
STATISTICS = (*MOVED, "depth_likeness", *FURTHER_COURSES)
"""What tells them apart. At one tolerance many short segments with small bends look like few long ones; at several
they do not."""
LEAST = 1e-3
"""Pooled values below this count as this: they are compared by their logarithms."""
LEAST_SHARE = 0.02
"""Shares stay this far from 0 and 1, and likeness from -1 and 1, where log odds and z end."""
SHRUNK = 0.05
"""Share of a covariance that is taken from its diagonal alone, because few cracks say little of the rest."""


class Summary(NamedTuple):
    """Centre and spread over cracks of each fitted parameter (of logarithms, but for the direction), and the pooled."""

    centre: dict[str, float]
    spread: dict[str, float]
    pooled: dict[str, float]


def summary(cracks: pd.DataFrame, whole: bool) -> Summary:
    """Return what a table of measured cracks says of all parameters.

    Where the pictures do not show the cracks `whole`, the number of segments is segments seen / (ends seen / 2).
    """
    centre, spread = {}, {}
    for key in [*FITTED, *(each for each in FURTHER_COURSES if _course(each) in FITTED)]:
        values = straight(key, cracks[key].dropna().to_numpy(dtype=np.float64))
        centre[key] = float(values.mean()) if len(values) else math.log(UNSEEN[_course(key)])
        spread[key] = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        if not whole and _course(key) == "segments":
            ends = max(float(cracks["ends"].sum()), 0.5)  # none seen: longer than all that was seen
            centre[key] = math.log(cracks[key].sum() / (ends / 2))
    pooled = [*POOLED, "depth_likeness", *(each for each in FURTHER_COURSES if _course(each) in POOLED)]
    return Summary(centre, spread, {key: _pooled(cracks, key) for key in pooled})


def straight(key: str, values: Any) -> Any:
    """Return values on the scale on which they are moved: logarithms, but for the direction."""
    return values if key == "direction_deg" else np.log(np.maximum(values, 1e-6))


def vector(said: Summary, keys: Sequence[str]) -> Reals:
    """Return the centres and pooled values by these names as logarithms, shares as log odds, likeness as Fisher's z."""
    return np.array([said.centre[key] if key in said.centre else _raised(key, said.pooled[key]) for key in keys])


def with_vector(said: Summary, keys: Sequence[str], values: Reals) -> Summary:
    """Return the summary with other centres and pooled values by these names, given as `vector` returns them."""
    new = dict(zip(keys, values.tolist(), strict=True))
    centre = {key: new.get(key, value) for key, value in said.centre.items()}
    return said._replace(centre=centre, pooled=dict(said.pooled) | _lowered(new, said.pooled))


def covariance(cracks: pd.DataFrame, whole: bool) -> Reals:
    """Return (statistics, statistics): the covariance of `vector`, by what each crack does to it (the delta method).

    A little is added to the diagonal, so that it can be inverted whatever the cracks are.
    """
    by_crack = np.stack([_influence(cracks, key, whole) for key in STATISTICS], axis=1)
    seen: Reals = by_crack.T @ by_crack / len(cracks) ** 2
    return (1 - SHRUNK) * seen + np.diag(SHRUNK * np.diag(seen) + LEAST**2)


def _influence(cracks: pd.DataFrame, key: str, whole: bool) -> Reals:
    """Return (cracks,): by how much, times their number, each crack moves a statistic."""
    values = cracks[key].to_numpy(dtype=np.float64)
    if _course(key) == "segments" and not whole:
        ends = cracks["ends"].to_numpy(dtype=np.float64)
        moves: Reals = values / values.mean() - ends / max(ends.mean(), 0.5 / len(ends))
        return moves
    fitted = _course(key) in FITTED
    values = straight(key, values) if fitted else values
    weights = np.isfinite(values) * (1.0 if fitted else cracks["segments"].to_numpy(dtype=np.float64))
    values = np.nan_to_num(values)
    middle = float(weights @ values / max(weights.sum(), LEAST))
    moves = len(cracks) * weights * (values - middle) / max(weights.sum(), LEAST)
    return moves if fitted else moves / _slope(key, middle)


def _slope(key: str, value: float) -> float:
    """Return what a small change of a pooled value is divided by on the scale on which it is compared."""
    if key == "depth_likeness":
        return max(1 - value**2, LEAST_SHARE)
    return max(value * (1 - value), LEAST_SHARE) if _course(key) == "return_share" else max(value, LEAST)


def _course(key: str) -> str:
    """Return the parameter that a statistic belongs to, at whatever tolerance it was measured."""
    return key.partition("_at_")[0]


def _pooled(cracks: pd.DataFrame, key: str) -> float:
    """Return the mean over cracks, each with the weight of its segments."""
    rows = cracks[cracks[key].notna()]
    return float(np.average(rows[key], weights=rows["segments"])) if len(rows) else UNSEEN[_course(key)]


def _raised(key: str, value: float) -> float:
    """Return a pooled value on the scale on which it is compared."""
    if key == "depth_likeness":
        return math.atanh(min(max(value, LEAST_SHARE - 1), 1 - LEAST_SHARE))
    if _course(key) != "return_share":
        return math.log(max(value, LEAST))
    share = min(max(value, LEAST_SHARE), 1 - LEAST_SHARE)
    return math.log(share / (1 - share))


def _lowered(new: Mapping[str, float], pooled: Mapping[str, float]) -> dict[str, float]:
    return {
        key: 1 / (1 + math.exp(-value)) if _course(key) == "return_share" else math.exp(value)
        for key, value in new.items()
        if key in pooled
    }
