"""From what measured cracks say together to the laws that rendered cracks are drawn from."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from micromime.fitting.cracks.summary import FITTED, POOLED, Summary, straight
from micromime.fitting.laws import Fit, empirical, fit_counts, fit_reals
from micromime.partial_models.cracks.crack import Crack
from micromime.scenario.arrays import Reals

LEAST, MOST = 1e-3, 0.98
"""Corrected values stay this far from the ends of their bounds, as a share of what lies between."""


class Laws(NamedTuple):
    """What is drawn, the values it was fitted to, and all laws that were tried."""

    parameters: dict[str, Any]
    """For every parameter of `Crack` a value or a distribution as params.yaml has it."""
    empirical: dict[str, Any]
    """For those that differ from crack to crack the corrected values themselves, or quantiles of them."""
    fits: pd.DataFrame
    """One row a law that was tried: parameter, law, parameters, aic, ks, chosen."""


def laws_of(cracks: pd.DataFrame, seen: Summary, truth: Summary, whole: bool) -> Laws:
    """Return the laws of cracks whose measured values are moved from seen to true."""
    parameters: dict[str, Any] = {}
    by_value: dict[str, Any] = {}
    fits = []
    for key in FITTED:
        values = straight(key, cracks[key].dropna().to_numpy(dtype=np.float64))
        if len(values) == 0 or (key == "segments" and not whole):
            values = np.array([seen.centre[key]])
        scale = truth.spread[key] / seen.spread[key] if seen.spread[key] > 0 else 0.0
        moved = truth.centre[key] + (values - seen.centre[key]) * scale
        corrected = moved if key == "direction_deg" else np.exp(np.minimum(moved, 20))
        fit = _fitted(key, corrected, truth)
        parameters[key] = fit.written
        by_value[key] = empirical(corrected, bounds_of(key, truth.centre["direction_deg"]), whole=key == "segments")
        fits.append(fit.candidates.assign(parameter=key))
    parameters |= {key: clipped(key, truth.pooled[key]) for key in POOLED}
    # Most cracks of a whole picture end in it once where they begin at an edge of the specimen. A frame cannot say.
    parameters["tips"] = 1 if whole and cracks["ends"].mean() < 1.5 else 2
    table = pd.concat([each for each in fits if not each.empty] or fits[:1], ignore_index=True)
    ordered = {key: parameters[key] for key in Crack.model_fields}
    return Laws(ordered, by_value, table[["parameter", *table.columns.drop("parameter")]])


def bounds_of(key: str, middle_deg: float = 0.0) -> tuple[float, float]:
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


def _fitted(key: str, values: Reals, truth: Summary) -> Fit:
    if key == "segments":
        return fit_counts(values, (1, 400))
    bounds = bounds_of(key, truth.centre["direction_deg"])
    return fit_reals(values, bounds, signed=key == "direction_deg")


def clipped(key: str, value: float) -> float:
    """Return the value, or the bound that it lies beyond, with five digits."""
    return float(f"{np.clip(value, *bounds_of(key)):.5g}")
