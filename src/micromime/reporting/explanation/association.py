"""How strongly scores go with one parameter, by ranks: of all samples, or among those of the same style."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from micromime.judging.statistics import holm

FEW = 10
"""Samples below which a p value comes from all orders of the ranks, or 9,999 of them, not from Student's t."""


def association(
    values: "pd.Series[Any]", scores: "pd.Series[float]", styles: "pd.Series[str] | None" = None
) -> tuple[float, float]:
    """Return how strongly scores go with values, by ranks, and the two-tailed p value of "not at all".

    Numbers: Spearman's rank correlation, -1 to 1; with `styles`, see `within`. Words: the square root of the share of
    the variance of the scores' ranks that lies between them, 0 to 1; p after Kruskal and Wallis. NaN where all scores
    are the same.
    """
    if scores.nunique() < 2:
        return np.nan, np.nan
    if not pd.api.types.is_numeric_dtype(values):
        h, p = stats.kruskal(*(group for _, group in scores.groupby(values)))
        return float(np.sqrt(h / (len(scores) - 1))), float(p)
    if styles is not None:
        return within(styles, values, scores)
    if len(scores) >= FEW:
        r, p = stats.spearmanr(values, scores)
        return float(r), float(p)
    orders = stats.PermutationMethod(n_resamples=9999, rng=np.random.default_rng(0))
    r, p = stats.pearsonr(stats.rankdata(values), stats.rankdata(scores), method=orders)
    return float(r), float(p)


def within(styles: "pd.Series[str]", values: "pd.Series[Any]", scores: "pd.Series[float]") -> tuple[float, float]:
    """Return the rank correlation of scores with values among samples of the same style, and its two-tailed p value.

    It is Pearson's, of ranks less the mean rank of their style: the partial rank correlation, given the style. Only
    styles in which the value varies are counted: n samples of k styles. p after Student's t with n - k - 1 degrees of
    freedom. NaN where there are none, or where nothing varies.
    """
    varies = values.groupby(styles).transform("nunique") > 1
    both = ranks_within(styles[varies], pd.DataFrame({"values": values[varies], "scores": scores[varies]}))
    free = len(both) - styles[varies].nunique() - 1
    if free < 1 or not both.any().all():
        return np.nan, np.nan
    r = float(both["values"].corr(both["scores"]))
    t = math.inf if abs(r) >= 1 else r * math.sqrt(free / (1 - r * r))
    return r, float(2 * stats.t.sf(abs(t), free))


def ranks_within(styles: "pd.Series[str]", columns: pd.DataFrame) -> pd.DataFrame:
    """Return the ranks of each column less the mean rank of their style."""
    ranks = columns.rank()
    return (ranks - ranks.groupby(styles).transform("mean")).round(9)  # 0 where nothing varies within any style


def corrected(p_values: Sequence[float]) -> list[float]:
    """Return the p values corrected for the number of those that there are (Holm 1979); NaN, no test, stays NaN."""
    known = iter(holm([p for p in p_values if not math.isnan(p)]))
    return [p if math.isnan(p) else next(known) for p in p_values]
