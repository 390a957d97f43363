"""What several runs say together: mean, spread, confidence intervals, paired tests.

Every 99 % interval has its n. `student_interval` takes a run as one observation, n = runs; `student_over_sources` a
source of pictures, n = sources. Both may leave the range that a score can have; `logit_interval` makes of either one
that does not. `agresti_coull_paper` is what the paper must have done: the bounds of its Tables 1 and 2 come out (19 of
20 within 0.001; the plain normal interval gives all 20) for a proportion counted in n = runs * runs trials, so 200 runs
stand for 40,000 trials. That is too narrow a view: the width follows from the mean and the number of runs alone,
whatever the spread between runs and however small the test set, as if squaring the runs made new observations and a
mean IoU were a count of successes. With the paper's own standard deviations it is half as wide as Student's interval
in Table 1 (synthetic model, test data) and eight times as wide in Table 2 (random data, error). It is here for
comparison with the paper's tables only.
"""

import gc
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
from scipy.special import expit, logit, stdtr, stdtrit  # of scipy.stats, which takes a second, what its t is made of

CONFIDENCE = 0.99


class Interval(TypedDict):
    """A confidence interval and the number of observations it was computed with."""

    lo: float
    hi: float
    n: int


class Comparison(TypedDict):
    """A paired two-tailed t-test of a against b."""

    n_pairs: int
    mean_difference: float
    """Of a - b."""
    p_value: float | None
    effect_size: float | None
    """Cohen's d_z: mean difference / standard deviation of the differences."""


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean of one or more values."""
    return float(np.mean(values))


def sd(values: Sequence[float]) -> float | None:
    """Return the sample standard deviation (n - 1 degrees of freedom), None for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def student_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Interval | None:
    """Return the interval of the mean by Student's t over runs, n = runs; None for a single run.

    It speaks of other seeds on the same test set, not of other pictures, and may leave 0 to 1 where runs are few.
    """
    half = half_interval(values, confidence)
    return None if half is None else Interval(lo=mean(values) - half, hi=mean(values) + half, n=len(values))


def student_over_sources(means: Sequence[float], counts: Sequence[int]) -> Interval | None:
    """Return the 99 % interval of the mean over pictures by Student's t over sources, n = sources; None for one source.

    `means` and `counts` are each source's mean score and number of pictures. Pictures of one source are alike, so that
    sources are the observations; the variance is that of a ratio, clustered by source (Cameron and Miller 2015, doi
    10.3368/jhr.50.2.317), s^2 / n where all have as many pictures. It speaks of other sources like these.
    """
    n, total = len(means), sum(counts)
    if n < 2:
        return None
    centre = math.fsum(count / total * each for each, count in zip(means, counts, strict=True))
    squares = ((count / total * (each - centre)) ** 2 for each, count in zip(means, counts, strict=True))
    error = math.sqrt(n / (n - 1) * math.fsum(squares))
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * error
    return Interval(lo=centre - half, hi=centre + half, n=n)


def logit_interval(mean: float, student: Interval | None, ends: tuple[float, float] = (0.0, 1.0)) -> Interval | None:
    """Return an interval by Student's t on the logit scale of a range, which it therefore never leaves.

    `student` is that on the plain scale: half as wide as h, it becomes logit(m) +- h / (m (1 - m)) by the delta method,
    m the place of the mean between the ends, and is transformed back. None where it is None, and for a mean at an end.
    """
    width = ends[1] - ends[0]
    m = (mean - ends[0]) / width
    if student is None or not 0 < m < 1:
        return None
    reach = (student["hi"] - student["lo"]) / (2 * width) / (m * (1 - m))
    lo, hi = (ends[0] + width * float(expit(logit(m) + side)) for side in (-reach, reach))
    return Interval(lo=lo, hi=hi, n=student["n"])


def difference_interval(test: Mapping[str, Any]) -> Interval | None:
    """Return the interval of a paired test's mean difference of scores, within -1 to 1; see `logit_interval`."""
    return logit_interval(test["mean_difference"], test["ci99_difference"], (-1.0, 1.0))


def half_interval(values: Sequence[float], confidence: float) -> float | None:
    """Return half the width of Student's interval of the mean, t s / sqrt(n); None for a single value."""
    n, spread = len(values), sd(values)
    return None if spread is None else float(stdtrit(n - 1, (1 + confidence) / 2)) * spread / math.sqrt(n)


def bounds(values: Sequence[float], confidence: float) -> dict[str, float | None]:
    """Return lo and hi of `student_interval`; None for a single value."""
    interval = student_interval(values, confidence)
    return {"lo": interval["lo"], "hi": interval["hi"]} if interval else {"lo": None, "hi": None}


def agresti_coull_paper(mean: float, runs: int) -> Interval:
    """Return the 99 % interval in the paper's own convention: Agresti-Coull (1998, doi 10.1080/00031305.1998.10480550).

    `mean` is a score from 0 to 1, taken for a proportion; n = runs * runs (why not to trust it: see this file's head).
    Raises ValueError for a mean outside of 0 to 1 or no run.
    """
    from statsmodels.stats.proportion import proportion_confint  # seconds that measuring a picture need not wait for

    if not 0 <= mean <= 1 or runs < 1:
        raise ValueError(f"no proportion: mean {mean} of {runs} runs")
    n = runs * runs
    lo, hi = proportion_confint(mean * n, n, alpha=1 - CONFIDENCE, method="agresti_coull")
    return Interval(lo=float(lo), hi=float(hi), n=n)


def paired_t_test(a: Sequence[float], b: Sequence[float]) -> Comparison:
    """Return the paired two-tailed t-test of the null hypothesis that a and b have equal means (paper, section 2.2).

    p value and effect size are None where no test exists: for one pair, and where all differences are the same but for
    rounding, so that their spread is 0. Raises ValueError where a and b differ in length or are empty.
    """
    if len(a) != len(b) or not len(a):
        raise ValueError(f"cannot pair {len(a)} values with {len(b)}")
    differences = np.subtract(a, b, dtype=np.float64)
    n, difference, spread = len(differences), mean(differences.tolist()), sd(differences.tolist())
    rounding = 1e-12 * float(np.abs([a, b]).max())
    if spread is None or spread <= rounding:
        return Comparison(n_pairs=n, mean_difference=difference, p_value=None, effect_size=None)
    d_z = difference / spread
    t = d_z * math.sqrt(n)
    p_value = 2 * float(stdtr(n - 1, -abs(t)))
    return Comparison(n_pairs=n, mean_difference=difference, p_value=p_value, effect_size=d_z)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for their number after Holm (1979): the chance of any false finding stays below p."""
    if not p_values:
        return []
    from statsmodels.stats.multitest import multipletests

    gc.freeze()  # statsmodels 0.15 collects garbage in every call, in all that was ever imported: most of a second
    try:
        return multipletests(list(p_values), method="holm")[1].tolist()
    finally:
        gc.unfreeze()
