"""Which parameters of synthetic samples go with their scores, how strongly; and what a sampler made of that.

Everything here tells what goes together in one table of scores, of samples that were drawn at random: a parameter that
lowers the score of synthetic samples need not be what lowers it on real pictures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial import KDTree
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold

from micromime.datasets.store import Dataset
from micromime.judging.statistics import holm, paired_t_test, student_interval
from micromime.reporting.failures import SCORE, goodness, in_common, parameter_columns
from micromime.reporting.failures import parameters as numeric
from micromime.scenario.arrays import Reals

STYLE, BEFORE = "style", "before"
"""Columns of a scoring set: the style that a sample was drawn from; its score by the networks gone on from."""

LEAST_FREE = 8
"""Degrees of freedom, of 10 samples of one style, below which Student's t says little of ranks: there is no p value."""

LEAST_R2 = 0.005
"""Variance that a forest has to explain of unseen scores: less is written as 0."""

LEAST_SAMPLES = 20
"""A forest is grown from; fewer would be left out four at a time, to be explained by a handful."""

FOLDS, TREES, SHUFFLES = 5, 100, 10
LEAST_LEAF = 3

LIKE_SHARE = 0.25
"""Share of the scored samples, but for those that were varied, that counts as like what was requested."""

VARIED, LIKE, REST = "varied", "like", "rest"


@dataclass(frozen=True)
class Explanation:
    """What the parameters of a scoring set say about its scores."""

    table: pd.DataFrame
    """A row for each parameter that varies, see `explained`."""
    r2: float
    """What a forest explains of unseen scores, see `held_out`; NaN where there is none."""

    @property
    def explains(self) -> bool:
        """Whether the forest explains anything of scores that it has not seen; else no importance is to be read."""
        return self.r2 >= LEAST_R2


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
    kept, column = [name for name in table if _parameter(name)], column_of(metric, run)
    scoring = table[["id", *kept]].assign(**{SCORE: goodness(table[SCORE + column], metric)})
    before = table.get(BEFORE + column)
    if before is None and earlier is not None and SCORE + column in earlier:
        before = table["id"].map(earlier.set_index("id")[SCORE + column])
    return scoring if before is None else scoring.assign(**{BEFORE: goodness(before, metric)})


def _parameter(name: Any) -> bool:
    return name == STYLE or bool(parameter_columns([name]))


def worded(scoring: pd.DataFrame) -> list[str]:
    """Return the columns of words that vary: the style, where there are several."""
    words = (name for name in scoring if _parameter(name) and not pd.api.types.is_numeric_dtype(scoring[name]))
    return [str(name) for name in words if scoring[name].nunique() > 1]


def factors(scoring: pd.DataFrame) -> list[str]:
    """Return the columns that can explain a score: words and numbers that vary."""
    return worded(scoring) + numeric(scoring)


def explained(scoring: pd.DataFrame) -> Explanation:
    """Return what the parameters say about the scores: the style first, then the most important parameters.

    Where there are several styles, their parameters differ and so do their scores: any parameter would stand in for the
    style. So parameters are told of among samples of the same style, and the style by itself. Where no forest explains
    anything, the strongest rank correlations come first.

    Columns of the table: parameter; rank_correlation and p of `association`; p_holm, corrected for the number of
    parameters (Holm 1979); importance and always of `held_out`; and from `failures.in_common` median, worst_median and
    worst_percentile, NaN for words.
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


def held_out(inputs: pd.DataFrame, scores: Reals, styles: "pd.Series[str]") -> tuple[float, pd.DataFrame]:
    """Return what forests explain of each fifth of the samples that have learnt from the other four.

    First R2: 1 - squared error / squared deviation from the mean, over all samples, each asked of the forest without
    its fifth; 1 at best, 0 for a forest that does as well as the mean, below 0 for one that does worse. Then a row for
    each parameter: `importance`, by how much R2 falls when its values are shuffled in the samples left out, the mean
    over 10 shuffles; and `always`, whether it falls in every fifth of the samples.

    Importance is by permutation (Breiman 2001, doi 10.1023/A:1010933404324). Numbers are shuffled among samples of the
    same style (Strobl et al. 2008, doi 10.1186/1471-2105-9-307): a parameter that differs between styles would else be
    as important as the style that it tells of. NaN and False for fewer than 20 samples, and where all scores are the
    same.
    """
    if len(inputs) < LEAST_SAMPLES or inputs.empty or np.ptp(scores) == 0:
        return math.nan, pd.DataFrame({"importance": math.nan, "always": False}, index=inputs.columns)
    parts, rng = columns(inputs), np.random.default_rng(0)
    x, ends = np.hstack(parts), np.cumsum([part.shape[1] for part in parts])
    among = {True: [np.flatnonzero(styles == each) for each in styles.unique()], False: [np.arange(len(x))]}
    wrong, harm, sizes = np.zeros(len(x)), list[Reals](), list[int]()
    for learn, ask in KFold(FOLDS, shuffle=True, random_state=0).split(x):
        forest = grown(x[learn], scores[learn])
        wrong[ask] = (forest.predict(x[ask]) - scores[ask]) ** 2
        again = np.tile(x[ask], (len(parts), SHUFFLES, 1, 1))
        for place, (name, end) in enumerate(zip(inputs, ends, strict=True)):
            own = slice(end - parts[place].shape[1], end)
            for shuffled in again[place]:
                shuffled[:, own] = x[_order(among[pd.api.types.is_numeric_dtype(inputs[name])], rng)[ask], own]
        errors = (forest.predict(again.reshape(-1, x.shape[1])).reshape(again.shape[:3]) - scores[ask]) ** 2
        harm.append(errors.mean(axis=(1, 2)) - wrong[ask].mean())
        sizes.append(len(ask))
    by_fold = np.array(harm).T / scores.var()
    told = {"importance": np.average(by_fold, axis=1, weights=sizes), "always": (by_fold > 0).all(axis=1)}
    return float(1 - wrong.mean() / scores.var()), pd.DataFrame(told, index=inputs.columns)


class Forest(RandomForestRegressor):
    """One that is often asked about few samples: scikit-learn takes longer to check and hand on than the trees."""

    def predict(self, X: Reals | pd.DataFrame) -> Reals:
        """Return (n,): the mean of what the trees say of samples, what scikit-learn returns to the last digit."""
        seen = np.ascontiguousarray(X, dtype=np.float32)
        return sum(tree.tree_.predict(seen)[:, 0] for tree in self.estimators_) / len(self.estimators_)


def grown(x: Reals | pd.DataFrame, scores: "Reals | pd.Series[float]") -> Forest:
    """Return a forest that has learnt the scores of (n, columns) samples."""
    return Forest(TREES, min_samples_leaf=LEAST_LEAF, random_state=0, n_jobs=1).fit(x, scores)


def columns(inputs: pd.DataFrame) -> list[Reals]:
    """Return (n, k) columns for each parameter: a number as it is, of words a column of 0 and 1 for each."""
    return [
        values.to_numpy(np.float64)[:, None]
        if pd.api.types.is_numeric_dtype(values)
        else pd.get_dummies(values, dtype=np.float64).to_numpy()
        for _, values in inputs.items()
    ]


def _order(groups: Sequence[NDArray[np.intp]], rng: np.random.Generator) -> NDArray[np.intp]:
    """Return (n,) places of samples, each group's shuffled among themselves."""
    order = np.empty(sum(map(len, groups)), dtype=np.intp)
    for group in groups:
        order[group] = rng.permutation(group)
    return order


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
