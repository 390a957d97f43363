"""Grain sizes that were found beside the true ones, by source: counts, mean linear intercepts and ASTM numbers."""

from typing import Any

import numpy as np
import pandas as pd

from micromime.judging.grain_size import astm_difference, astm_number
from micromime.judging.statistics import mean, sd

FOUND = (
    *("grains", "grains_ratio", "diameter_px", "diameter_ratio", "intercept_px"),
    *("astm_difference", "astm_absolute_difference", "no_intercept"),
)
"""What is said of every baseline and arm."""


def compare_sizes(sizes: pd.DataFrame) -> dict[str, Any]:
    """Return the grains of every baseline and arm beside the truth's, over `all` pictures and `by_source`.

    `sizes` has a row for everything measured: kind ("truth", "baseline" or "arm"), name, run (0 unless arm), picture,
    source, grains, diameter_px (their mean equivalent diameter), intercept_px (both NaN where none) and um_per_px (NaN
    where unknown). Each part holds n (pictures); truth: mean grains, diameter_px, intercept_px, and astm_number over
    the n_astm pictures with a scale; for each of baselines and arms what FOUND names: means over the pictures that have
    it (ratio: found / true; differences: found - true), and in how many pictures no_intercept was found. For arms, mean
    and sd over runs of these. None where there is none.
    Raises ValueError where a picture has no truth, or two.
    """
    rows = _beside_truth(sizes)
    by_source = {str(source): _part(part) for source, part in rows.groupby("source", sort=False)}
    return {"all": _part(rows), "by_source": by_source}


def _beside_truth(sizes: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with what follows from each and its picture's truth."""
    rows = sizes.astype(
        dict.fromkeys(("diameter_px", "intercept_px", "um_per_px"), float)
    )  # a column of nothing but None is no number yet
    truth = rows[rows["kind"] == "truth"].set_index("picture")
    if sorted(truth.index) != sorted(rows["picture"].unique()):
        raise ValueError("every picture needs one row of its truth")
    true = {each: rows["picture"].map(truth[each]) for each in ("grains", "diameter_px", "intercept_px")}
    difference = [astm_difference(*pair) for pair in zip(rows["intercept_px"], true["intercept_px"], strict=True)]
    return rows.assign(
        grains_ratio=rows["grains"] / true["grains"].where(true["grains"] > 0),
        diameter_ratio=rows["diameter_px"] / true["diameter_px"],
        astm_number=(rows["intercept_px"] * rows["um_per_px"] / 1000).map(astm_number),
        astm_difference=difference,
        astm_absolute_difference=np.abs(difference),
        no_intercept=rows["intercept_px"].isna(),
    )


def _part(rows: pd.DataFrame) -> dict[str, Any]:
    truth = rows[rows["kind"] == "truth"]
    means = {column: _mean(truth[column]) for column in ("grains", "diameter_px", "intercept_px", "astm_number")}
    baselines, arms = (_by_run(rows[rows["kind"] == kind]) for kind in ("baseline", "arm"))
    return {
        "n": len(truth),
        "truth": means | {"n_astm": int(truth["astm_number"].count())},
        "baselines": {name: {what: _mean(runs[what]) for what in FOUND} for name, runs in baselines.items()},
        "arms": {
            name: {what: {"mean": _mean(runs[what]), "sd": _sd(runs[what])} for what in FOUND}
            for name, runs in arms.items()
        },
    }


def _by_run(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return for each name a table with a row for every run: its means over the pictures."""
    how = {what: "sum" if what == "no_intercept" else "mean" for what in FOUND}
    return {str(name): part.groupby("run").agg(how) for name, part in rows.groupby("name", sort=False)}


def _mean(values: "pd.Series[float]") -> float | None:
    known = values.dropna().tolist()
    return mean(known) if known else None


def _sd(values: "pd.Series[float]") -> float | None:
    known = values.dropna().tolist()
    return sd(known) if known else None
