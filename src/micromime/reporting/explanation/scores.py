"""Which parameters of synthetic samples go with their scores, how strongly, and how.

Everything here tells what goes together in one table of scores, of samples that were drawn at random: a parameter that
lowers the score of synthetic samples need not be what lowers it on real pictures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from micromime.judging.statistics import holm
from micromime.reporting.explanation.forest import held_out
from micromime.reporting.failures import SCORE, goodness, in_common
from micromime.reporting.failures import parameters as numeric

STYLE, BEFORE = "style", "before"
"""Columns of a scoring set: the style that a sample was drawn from; its score by the networks gone on from."""

LEAST_FREE = 8
"""Degrees of freedom, of 10 samples of one style, below which Student's t says little of ranks: there is no p value."""


LEAST_R2 = 0.005
"""Variance that a forest has to explain of unseen scores: less is written as 0."""


@dataclass(frozen=True)
class Explanation:
    """What the parameters of a scoring set say about its scores."""

    table: pd.DataFrame
    """A row for each parameter that varies, see `explained`."""
    r2: float
    """What a forest explains of unseen scores, see `forest.held_out`; NaN where there is none."""

    @property
    def styled(self) -> bool:
        """Whether samples are of several styles: parameters are then told of among samples of the same style."""
        return STYLE in set(self.table["parameter"])

    @property
    def explains(self) -> bool:
        """Whether the forest explains anything of scores that it has not seen; else no importance is to be read."""
        return self.r2 >= LEAST_R2


def column_of(metric: str, run: int | None) -> str:
    """Return how the columns of a metric end in a table of scores, those of a run or the means over all."""
    return f".{metric}" + ("" if run is None else f".run-{run:03d}")


def scoring_set(
    table: pd.DataFrame, metric: str, run: int | None = None, earlier: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return id, style and parameters of a table of scores, the score of a run (or the mean over all), and `before`.

    The score is the goodness by a metric (see `failures.goodness`); `before` is the same by the networks that these
    went on from (of a run: by its own predecessor). Where the table does not say, it comes from `earlier`, their table
    of the same samples, and is else left out.
    """
    kept, column = [name for name in table if _is_parameter(str(name))], column_of(metric, run)
    scoring = table[["id", *kept]].assign(**{SCORE: goodness(table[SCORE + column], metric)})
    before = table.get(BEFORE + column)
    if before is None and earlier is not None and SCORE + column in earlier:
        before = table["id"].map(earlier.set_index("id")[SCORE + column])
    return scoring if before is None else scoring.assign(**{BEFORE: goodness(before, metric)})


def _is_parameter(name: str) -> bool:
    return name == STYLE or ("." in name and not name.startswith(("score.", "before.")))


def worded(scoring: pd.DataFrame) -> list[str]:
    """Return the columns of words that vary: the style, where there are several."""
    words = (str(name) for name in scoring if not pd.api.types.is_numeric_dtype(scoring[name]))
    return [name for name in words if _is_parameter(name) and scoring[name].nunique() > 1]


def factors(scoring: pd.DataFrame) -> list[str]:
    """Return the columns that can explain a score: words and numbers that vary."""
    return worded(scoring) + numeric(scoring)


def explained(scoring: pd.DataFrame) -> Explanation:
    """Return what the parameters say about the scores: the style first, then the most important parameters.

    Where there are several styles, their parameters differ and so do their scores: any parameter would stand in for the
    style. So parameters are told of among samples of the same style, and the style by itself. Where no forest explains
    anything, the strongest rank correlations come first.

    Columns of the table: parameter; rank_correlation and p of `association`; p_holm, corrected for the number of
    parameters (Holm 1979); importance and always of `forest.held_out`; and from
    `failures.in_common` median, worst_median and worst_percentile, NaN for words.
    """
    names, scores = factors(scoring), scoring[SCORE]
    styles = scoring[STYLE] if STYLE in scoring else pd.Series("", index=scoring.index)
    r2, importance = held_out(scoring[names], scores.to_numpy(np.float64), styles)
    found = [association(scoring[name], scores, styles) for name in names]
    table = pd.DataFrame(found, columns=["rank_correlation", "p"], index=names, dtype=np.float64)
    table["p_holm"] = corrected(table["p"].tolist())
    table = table.join([importance, in_common(scoring).drop(columns="rank_correlation").set_index("parameter")])
    first = table["importance"] if r2 >= LEAST_R2 else table["rank_correlation"].abs()
    order = first.where(table.index != STYLE, math.inf).sort_values(ascending=False, kind="stable").index
    return Explanation(table.loc[order].rename_axis("parameter").reset_index(), r2)


def association(values: "pd.Series[Any]", scores: "pd.Series[float]", styles: "pd.Series[str]") -> tuple[float, float]:
    """Return how strongly scores go with values, by ranks, and the two-tailed p value of "not at all".

    Words: the square root of the share of the variance of the scores' ranks that lies between them, 0 to 1; p after
    Kruskal and Wallis. Numbers: Pearson's correlation, -1 to 1, of ranks less the mean rank of their style: the partial
    rank correlation, given the style, which is Spearman's where there is one style. Only styles in which the value
    varies are counted: n samples of k styles. p after Student's t with n - k - 1 degrees of freedom, NaN for fewer than
    8 of them. Both NaN where nothing varies.
    """
    if scores.nunique() < 2:
        return math.nan, math.nan
    if not pd.api.types.is_numeric_dtype(values):
        h, p = stats.kruskal(*(group for _, group in scores.groupby(values)))
        return float(np.sqrt(h / (len(scores) - 1))), float(p)
    varies = values.groupby(styles).transform("nunique") > 1
    ranks, within = pd.DataFrame({"values": values[varies], "scores": scores[varies]}).rank(), styles[varies]
    both = (ranks - ranks.groupby(within).transform("mean")).round(9)  # 0 where nothing varies within any style
    free = len(both) - within.nunique() - 1
    if free < 1 or not both.any().all():
        return math.nan, math.nan
    r = float(both["values"].corr(both["scores"]))
    t = math.inf if abs(r) >= 1 else r * math.sqrt(free / (1 - r * r))
    return r, float(2 * stats.t.sf(abs(t), free)) if free >= LEAST_FREE else math.nan


def corrected(p_values: Sequence[float]) -> list[float]:
    """Return the p values corrected for the number of those that there are (Holm 1979); NaN, no test, stays NaN."""
    known = iter(holm([p for p in p_values if not math.isnan(p)]))
    return [p if math.isnan(p) else next(known) for p in p_values]
