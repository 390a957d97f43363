"""Where networks fail on synthetic samples: the worst of them, and what their parameters have in common."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from micromime.judging.metrics import LOWER_IS_BETTER
from micromime.reporting.words import title
from micromime.scenario.arrays import Mask

SCORE = "score"
"""The column of a scoring set that says how good networks are on a sample; the worst have the least of it."""

WORST_SHARE = 0.1
"""Share of the samples that count as the worst (Trampert et al. 2021, section 3.3)."""


def goodness(values: "pd.Series[float]", metric: str) -> "pd.Series[float]":
    """Return how good networks are by a metric: its values, or 1 less them where less of it is better."""
    return 1 - values if metric in LOWER_IS_BETTER else values


def score_title(metric: str) -> str:
    """Return what `goodness` is by a metric, in words: `mean IoU`, `pixel accuracy`."""
    return {"pixel_error": "pixel accuracy"}.get(metric, title(metric))


def parameters(scoring: pd.DataFrame) -> list[str]:
    """Return the columns that are numeric parameters and not the same in all samples, in order."""
    return [
        name
        for name in parameter_columns(scoring.columns)
        if pd.api.types.is_numeric_dtype(scoring[name]) and scoring[name].nunique() > 1
    ]


def parameter_columns(columns: Iterable[Any]) -> list[str]:
    """Return the columns that are parameters, `partial_model.parameter`, and not scores."""
    return [name for name in map(str, columns) if "." in name and not name.startswith(("score.", "before."))]


def worst(scoring: pd.DataFrame) -> Mask:
    """Return (n,): true for the tenth of the samples with the lowest scores, at least one; of ties the first."""
    return scoring.index.isin(lowest(scoring, math.ceil(WORST_SHARE * len(scoring))).index)


def lowest(scoring: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return the samples with the lowest scores, the worst first, no more than `most`; of ties the first."""
    return scoring.sort_values(SCORE, kind="stable").head(most)


def percentile(scoring: pd.DataFrame, parameter: str, value: Any) -> float | None:
    """Return how many of 100 samples lie below the value, those of the same value counted half.

    None where that says nothing: the parameter has no column, is no number, or is the same in all samples.
    """
    if not parameters(scoring[scoring.columns.intersection([parameter])]):
        return None
    values = scoring[parameter].to_numpy(dtype=np.float64)
    return float(100 * np.mean((values < value) + 0.5 * (values == value)))


def in_common(scoring: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each numeric parameter: how the worst tenth differs from all, the largest difference first.

    Columns: parameter; rank_correlation (Spearman's, with the score, -1 to 1); median of all; worst_median; and
    worst_percentile, the mean over the worst tenth of where its values lie among all, 0 to 100: 50 if nothing differs.
    """
    names, chosen = parameters(scoring), worst(scoring)
    values = scoring[names]
    ranks = values.rank()
    table = pd.DataFrame(
        {
            "parameter": names,
            "rank_correlation": [ranks[name].corr(scoring[SCORE].rank()) for name in names],
            "median": values.median().to_numpy(),
            "worst_median": values[chosen].median().to_numpy(),
            "worst_percentile": (100 * (ranks[chosen].mean() - 0.5) / len(scoring)).to_numpy(),
        }
    )
    distance = (table["worst_percentile"] - 50).abs()
    return table.loc[distance.sort_values(ascending=False, kind="stable").index].reset_index(drop=True)
