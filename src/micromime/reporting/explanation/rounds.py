"""What a sampler asked for, and what came of it on samples like those."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.spatial import KDTree

from micromime.judging.statistics import Interval, paired_t_test, student_interval
from micromime.reporting.explanation.association import corrected
from micromime.reporting.explanation.scores import BEFORE, factors
from micromime.reporting.failures import SCORE
from micromime.scenario.arrays import Reals

LIKE_SHARE = 0.25
"""Share of the scored samples, but for those that were varied, that counts as like what was asked for."""

QUARTILES = (10, 25, 50, 75, 90)
"""Percentiles of the asked samples' places that a chart shows."""


@dataclass(frozen=True)
class Round:
    """What a sampler asked for, given the scores of a scoring set."""

    name: str
    sampler: Mapping[str, Any]
    """Its name, with its settings."""
    scored_by: str
    """The arm whose scores it was given."""
    score: str
    """The metric that it went by."""
    samples: pd.DataFrame
    """A row for each sample asked for: every parameter, and `parent`, the id of the scored sample that it varies,
    empty where it varies none."""


class Change(NamedTuple):
    """How much better networks became on some samples of the scoring set."""

    n: int
    before: float
    after: float
    interval: Interval | None
    """99 %, of the mean change (Student's t, n = samples); None for one sample."""
    p: float
    """Of the paired two-tailed t-test, as it is; NaN where there is none."""


@dataclass(frozen=True)
class Outcome:
    """How much better networks became on samples like those asked for, and on the others."""

    groups: Mapping[str, Change]
    """Of `kinds`, those that there are."""
    p_holm: Mapping[str, float]
    """The p values of their paired tests, corrected for the number of groups."""
    difference: float
    """Mean change of those like what was asked for - that of the rest."""
    p: float
    """Of Welch's two-tailed t-test between these two; NaN where there is none."""


VARIED, LIKE, REST = "varied", "like", "rest"


@dataclass(frozen=True)
class Asked:
    """A round beside the scoring set that it was asked for by."""

    round_: Round
    shifts: pd.DataFrame
    """See `shifts`."""
    varied: pd.DataFrame
    """See `parents`."""
    n_fresh: int
    """Asked samples that vary no scored one."""
    n_others: int
    """Scored samples that were not varied."""
    distances: "pd.Series[float]"
    """Of each scored sample, see `distances`."""
    kinds: "pd.Series[str]"
    """Of each scored sample, see `kinds`."""
    outcome: Outcome | None
    """None where the scores of the networks gone on from are not known."""


def beside(scoring: pd.DataFrame, round_: Round) -> Asked:
    """Return what a sampler asked for beside the scoring set, and what came of it."""
    asked = round_.samples
    varied, far = parents(scoring, asked), pd.Series(distances(scoring, asked), index=scoring.index)
    kind = kinds(scoring["id"].isin(asked["parent"]), far)
    return Asked(
        round_=round_,
        shifts=shifts(scoring, asked),
        varied=varied,
        n_fresh=int((asked["parent"] == "").sum()),
        n_others=int((kind != VARIED).sum()),
        distances=far,
        kinds=kind,
        outcome=outcome(scoring, kind) if BEFORE in scoring else None,
    )


def shifts(scoring: pd.DataFrame, asked: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each parameter of both that varies: how what was asked for differs from the scoring set.

    Columns: parameter; median and asked_median (NaN for words); place_10 to place_90, percentiles of the asked values'
    places among those of the scoring set (0 to 100); distance, the largest difference between the shares below a value
    (Kolmogorov-Smirnov; of words, the largest difference of a share); p of `independent`, and p_holm, corrected for
    the number of parameters. The largest distance comes first.
    """
    both = pd.concat([scoring, asked], ignore_index=True)
    rows = []
    for name in factors(both.assign(**{SCORE: 0.0})):
        if name not in scoring or name not in asked:  # a style, where only one of the scenarios has any
            continue
        numbers = pd.api.types.is_numeric_dtype(scoring[name])
        row: dict[str, Any] = {"parameter": name, "median": np.nan, "asked_median": np.nan}
        if numbers:
            row |= {"median": scoring[name].median(), "asked_median": asked[name].median()}
        at = np.percentile(places(scoring[name], asked[name]), QUARTILES) if numbers else [np.nan] * len(QUARTILES)
        row |= {f"place_{q}": place for q, place in zip(QUARTILES, at, strict=True)}
        row |= {"distance": _distance(scoring[name], asked[name]), "p": independent(scoring, asked, name)}
        rows.append(row)
    shown = ["parameter", "median", "asked_median", *(f"place_{q}" for q in QUARTILES), "distance", "p"]
    table = pd.DataFrame(rows, columns=shown)
    table["p_holm"] = corrected(table["p"].tolist())
    return table.sort_values("distance", ascending=False, kind="stable").reset_index(drop=True)


def places(scored: "pd.Series[Any]", values: "pd.Series[Any]") -> Reals:
    """Return for each value how many of 100 scored samples lie below it, those of the same value counted half."""
    known = np.sort(scored.to_numpy(np.float64))
    low, high = (np.searchsorted(known, values.to_numpy(np.float64), side=side) for side in ("left", "right"))
    return np.asarray(50 * (low + high) / len(known), dtype=np.float64)


def independent(scoring: pd.DataFrame, asked: pd.DataFrame, name: str) -> float:
    """Return the p value of "asked for whatever the parameter", from samples that do not depend on one another.

    Variations of one sample have much in common: the first of each counts. A sample that was varied is like its
    variations: it does not count among those of the scoring set. Two-sample Kolmogorov-Smirnov test; for words, the
    chi-squared test by 9,999 random orders. NaN where either has no samples left.
    """
    fresh = asked["parent"] == ""
    one_each = pd.concat([asked[fresh], asked[~fresh].drop_duplicates("parent")])[name]
    others = scoring[~scoring["id"].isin(asked["parent"])][name]
    if one_each.empty or others.empty:
        return math.nan
    if pd.api.types.is_numeric_dtype(one_each):
        return float(stats.ks_2samp(one_each, others).pvalue)
    counts = pd.concat([one_each.value_counts(), others.value_counts()], axis=1).fillna(0).to_numpy(np.int64)
    if len(counts) < 2:
        return 1.0
    orders = stats.PermutationMethod(n_resamples=9999, rng=np.random.default_rng(0))
    return float(stats.chi2_contingency(counts, correction=False, method=orders).pvalue)


def _distance(scored: "pd.Series[Any]", asked: "pd.Series[Any]") -> float:
    if pd.api.types.is_numeric_dtype(scored):
        return float(stats.ks_2samp(scored, asked).statistic)
    shares = [each.value_counts(normalize=True) for each in (scored, asked)]
    return float(shares[0].sub(shares[1], fill_value=0).abs().max())


def parents(scoring: pd.DataFrame, asked: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each scored sample that was varied: id, times, score, and `before` if known; most times first.

    Of those varied as often, the worst by these scores comes first.
    """
    times = asked["parent"][asked["parent"] != ""].value_counts()
    known = scoring[scoring["id"].isin(times.index)]
    table = known[["id", SCORE, *({BEFORE} & set(known))]].assign(times=known["id"].map(times))
    return table.sort_values(["times", SCORE], ascending=[False, True], kind="stable").reset_index(drop=True)


def distances(scoring: pd.DataFrame, asked: pd.DataFrame) -> Reals:
    """Return for each scored sample how far from it the nearest sample lies that was asked for, 0 to 100.

    It is the root mean square, over all parameters that vary in the scoring set, of the differences between places
    (percentiles in the scoring set); another style counts as 100.
    """
    names = factors(scoring)
    if not names:
        return np.zeros(len(scoring))
    columns = [_spread(scoring[name], asked[name]) for name in names]
    mine, theirs = (np.concatenate([pair[n] for pair in columns], axis=1) for n in (0, 1))
    nearest, _ = KDTree(theirs).query(mine)
    return np.asarray(nearest / math.sqrt(len(names)), dtype=np.float64)


def _spread(scored: "pd.Series[Any]", asked: "pd.Series[Any]") -> tuple[Any, Any]:
    """Return the same parameter of both as columns of coordinates."""
    if pd.api.types.is_numeric_dtype(scored):
        return tuple(places(scored, each)[:, None] for each in (scored, asked))  # type: ignore[return-value]
    words = sorted({*scored, *asked})
    corner = 100 / math.sqrt(2)  # so that two corners are 100 apart
    return tuple(  # type: ignore[return-value]
        np.stack([(each == word).to_numpy(np.float64) * corner for word in words], axis=1) for each in (scored, asked)
    )


def kinds(varied: "pd.Series[bool]", far: "pd.Series[float]") -> "pd.Series[str]":
    """Return for each scored sample what it is to the round: `varied`, `like` what was asked for, or `rest`.

    Like it are the quarter nearest to a sample that was asked for (`far`: see `distances`), those varied left out.
    """
    kind = pd.Series(REST, index=far.index)
    near = far[~varied].sort_values(kind="stable")
    kind[near.index[: math.ceil(LIKE_SHARE * len(near))]] = LIKE
    kind[varied] = VARIED
    return kind


def outcome(scoring: pd.DataFrame, kind: "pd.Series[str]") -> Outcome:
    """Return how the scores changed from those of the networks gone on from, by kind of sample."""
    groups = {name: change(scoring[kind == name]) for name in (VARIED, LIKE, REST) if (kind == name).any()}
    gained = scoring[SCORE] - scoring[BEFORE]
    like, rest = gained[kind == LIKE], gained[kind == REST]
    tested = len(like) > 1 and len(rest) > 1 and gained[kind != VARIED].nunique() > 1
    p = float(stats.ttest_ind(like, rest, equal_var=False).pvalue) if tested else math.nan
    p_holm = dict(zip(groups, corrected([each.p for each in groups.values()]), strict=True))
    return Outcome(groups, p_holm, float(like.mean() - rest.mean()), p)


def change(samples: pd.DataFrame) -> Change:
    """Return how the scores of some samples changed: each is its own control."""
    after, before = samples[SCORE].tolist(), samples[BEFORE].tolist()
    test = paired_t_test(after, before)
    gained = [a - b for a, b in zip(after, before, strict=True)]
    p = math.nan if test["p_value"] is None else test["p_value"]
    return Change(len(after), float(np.mean(before)), float(np.mean(after)), student_interval(gained), p)
