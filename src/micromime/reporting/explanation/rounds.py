"""What a sampler requested, and what that brought on samples like those."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from scipy.spatial import KDTree

from micromime.datasets.store import Dataset
from micromime.judging.statistics import paired_t_test, student_interval
from micromime.reporting.explanation.scores import BEFORE, columns, corrected, factors
from micromime.reporting.failures import SCORE
from micromime.reporting.failures import parameters as numeric
from micromime.scenario.arrays import Reals

LIKE_SHARE = 0.25
"""Share of the scored samples, but for those that were varied, that counts as like what was requested."""

VARIED, LIKE, REST = "varied", "like", "rest"


@dataclass(frozen=True)
class Round:
    """Requests beside the scoring set whose scores they were made by, and what they brought."""

    requests: Dataset
    """What a sampler requested, given the scores of a scoring set. Its description has the `sampler` with its settings,
    the `arm` whose scores it was given and their metric, `score`; `parent` in a row of its samples is the id of the
    scored sample that it varies, empty where it varies none."""
    shifts: pd.DataFrame
    """See `shifts`."""
    changes: pd.DataFrame
    """See `changes`; empty where the scores of the networks gone on from are not known."""
    difference: float
    """Mean change of those like what was requested - that of the rest; NaN where it is not known."""
    p: float
    """Of Welch's two-tailed t-test between these two; NaN where there is none."""


def beside(scoring: pd.DataFrame, requests: Dataset) -> Round:
    """Return what a sampler requested beside the scoring set, and what came of it."""
    requested = requests.samples
    if BEFORE not in scoring:
        return Round(requests, shifts(scoring, requested), pd.DataFrame(), math.nan, math.nan)
    far = pd.Series(distances(scoring, requested), index=scoring.index)
    kind = kinds(scoring["id"].isin(requested["parent"]), far)
    gained = (scoring[SCORE] - scoring[BEFORE]).round(9)  # equal ones are the same: there is no test
    like, rest = gained[kind == LIKE], gained[kind == REST]
    tested = len(like) > 1 and len(rest) > 1 and gained[kind != VARIED].nunique() > 1
    p = float(stats.ttest_ind(like, rest, equal_var=False).pvalue) if tested else math.nan
    difference = float(like.mean() - rest.mean())  # NaN where there are none
    return Round(requests, shifts(scoring, requested), changes(scoring, kind, far), difference, p)


def shifts(scoring: pd.DataFrame, requested: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each number that varies in both: how what was requested differs from the scoring set.

    Columns: parameter; median and requested_median; place, the median percentile of the requested values among those of
    the scoring set (0 to 100); distance, the largest difference between the shares below a value (Kolmogorov-Smirnov);
    p of its two-sample test, and p_holm, corrected for the number of parameters. The largest distance comes first.

    Variations of one sample have much in common, and a sample that was varied is like them: the test is between the
    first of each and the scored samples that were not varied. NaN where there are none of either.
    """
    first = (requested["parent"] == "") | ~requested["parent"].duplicated()
    others = ~scoring["id"].isin(requested["parent"])
    rows = []
    for name in numeric(pd.concat([scoring, requested], ignore_index=True, join="inner")):
        scored, values = scoring[name], requested[name]
        middle = scored.median(), values.median(), np.median(places(scored, values))
        p = stats.ks_2samp(values[first], scored[others]).pvalue if first.any() and others.any() else math.nan
        rows.append((name, *middle, stats.ks_2samp(scored, values).statistic, p))
    table = pd.DataFrame(rows, columns=["parameter", "median", "requested_median", "place", "distance", "p"])
    table["p_holm"] = corrected(table["p"].tolist())
    return table.sort_values("distance", ascending=False, kind="stable").reset_index(drop=True)


def places(scored: "pd.Series[Any]", values: "pd.Series[Any]") -> Reals:
    """Return for each value how many of 100 scored samples lie below it, those of the same value counted half."""
    known = np.sort(scored.to_numpy(np.float64))
    low, high = (np.searchsorted(known, values.to_numpy(np.float64), side=side) for side in ("left", "right"))
    return np.asarray(50 * (low + high) / len(known), dtype=np.float64)


def distances(scoring: pd.DataFrame, requested: pd.DataFrame) -> Reals:
    """Return for each scored sample how far from it the nearest sample lies that was requested, 0 to 100.

    It is the root mean square, over all parameters that vary in the scoring set, of the differences between places
    (percentiles in the scoring set); another style counts as 100.
    """
    names = factors(scoring)
    if not names:
        return np.zeros(len(scoring))
    both = pd.concat([scoring[names], requested[names]], ignore_index=True)
    numbers = both.select_dtypes(["number", "bool"]).apply(lambda values: places(scoring[values.name], values))
    words = columns(both.drop(columns=numbers.columns))  # corners of a cube, 100 apart
    spread = np.hstack([numbers, *(100 / math.sqrt(2) * each for each in words)])
    nearest, _ = KDTree(spread[len(scoring) :]).query(spread[: len(scoring)])
    return np.asarray(nearest / math.sqrt(len(names)), dtype=np.float64)


def kinds(varied: "pd.Series[bool]", far: "pd.Series[float]") -> "pd.Series[str]":
    """Return for each scored sample what it is to the round: `varied`, `like` what was requested, or `rest`.

    Like it are the quarter nearest to a sample that was requested (`far`: see `distances`), those varied left out.
    """
    kind = pd.Series(REST, index=far.index)
    near = far[~varied].sort_values(kind="stable")
    kind[near.index[: math.ceil(LIKE_SHARE * len(near))]] = LIKE
    kind[varied] = VARIED
    return kind


def changes(scoring: pd.DataFrame, kind: "pd.Series[str]", far: "pd.Series[float]") -> pd.DataFrame:
    """Return how scores changed from those of the networks gone on from: a row for each kind of sample that there is.

    Columns: kind; n; distance, the median; before and after, mean scores; lo and hi, the 99 % interval of the mean
    change (Student's t, n = samples); p of the paired two-tailed t-test, each sample its own control, and p_holm,
    corrected for the number of kinds. NaN where there is no interval or test.
    """
    rows = []
    for name in (VARIED, LIKE, REST):
        after, before = scoring[SCORE][kind == name], scoring[BEFORE][kind == name]
        if len(after):
            row = {"kind": name, "n": len(after), "distance": far[kind == name].median()}
            row |= {"before": before.mean(), "after": after.mean()}
            row |= dict(student_interval((after - before).tolist()) or {})
            rows.append(row | {"n": len(after), "p": paired_t_test(after.tolist(), before.tolist())["p_value"]})
    table = pd.DataFrame(rows, columns=["kind", "n", "distance", "before", "after", "lo", "hi", "p"])
    return table.astype({"lo": float, "hi": float, "p": float}).assign(p_holm=lambda t: corrected(t["p"].tolist()))
