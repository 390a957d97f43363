"""From measured values to a distribution in the syntax of params.yaml: maximum likelihood, chosen by AIC."""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats
from scipy.optimize import minimize_scalar

from micromime.mistakes import Mistake
from micromime.scenario.arrays import Reals

Written = float | int | dict[str, Any]
"""A value or a distribution as it stands in params.yaml."""

COLUMNS = ("law", "parameters", "aic", "ks", "chosen")
UNTRIED = pd.DataFrame(columns=list(COLUMNS))
CUT = 0.001
"""Share of a fitted law that its limits cut off at either end, where the bounds do not cut off more."""
QUANTILES = 41
DIGITS = 5
POISSON_SIZE = 1e6
"""Size of a negative binomial law that cannot be told from a Poisson law."""


class Fit(NamedTuple):
    """A distribution fitted to values, and the table of what else was tried."""

    written: Written
    candidates: pd.DataFrame
    """One row a law, best AIC first: law, parameters (how many were fitted), aic, ks, chosen. Empty for a constant."""


class _Law(NamedTuple):
    """A law of scipy.stats with its arguments; one that scipy freezes writes its documentation anew each time."""

    family: Any
    arguments: tuple[float, ...]
    """Of its form, and its place and scale where it has them."""

    def log_likelihood(self, sample: Reals) -> float:
        """Return the sum of the logarithms of the densities, or chances, of the values."""
        of_one = getattr(self.family, "logpmf", None) or self.family.logpdf
        return float(of_one(sample, *self.arguments).sum())

    def cdf(self, at: Reals) -> Reals:
        """Return the share of the law up to each value."""
        return np.asarray(self.family.cdf(at, *self.arguments))


class _Candidate(NamedTuple):
    """A fitted law before it is cut off."""

    name: str
    parameters: int
    """How many were fitted."""
    written: dict[str, float]
    law: _Law


def fit_reals(values: ArrayLike, bounds: tuple[float, float], *, signed: bool = False) -> Fit:
    """Return the law of real values: of log-normal, gamma, Weibull and normal that with the least AIC.

    AIC = 2 parameters - 2 log likelihood (Akaike 1974, doi 10.1109/TAC.1974.1100705) of the law before it is cut off
    at its 0.1 and 99.9 % quantiles, or at the bounds where those are narrower. KS is the Kolmogorov-Smirnov distance
    to the values. The first three laws are tried where all values are above 0 and are not `signed`, as directions are.
    One value, or several alike, give a constant. Raises Mistake for no values, or for none that is finite.
    """
    sample = _sample(values, bounds)
    if np.ptp(sample) <= 1e-9 * np.abs(sample).max():
        return Fit(_rounded(float(np.median(sample))), UNTRIED)
    with np.errstate(all="ignore"):  # the search for the best likelihood may look at impossible laws
        found = list(_reals(sample, positive=sample.min() > 0 and not signed))
    return _best(found, sample, bounds)


def fit_counts(values: ArrayLike, bounds: tuple[int, int]) -> Fit:
    """Return the law of whole numbers from 1: of negative binomial, geometric and Poisson that with the least AIC.

    All three are laws of what a number has above 1 (`distributions.NegativeBinomial`); a Poisson law is written as a
    negative binomial of size 1e6. Everything else is as in `fit_reals`; the limits are whole numbers.
    """
    sample = np.rint(_sample(values, bounds))
    if np.ptp(sample) == 0:
        return Fit(int(sample[0]), UNTRIED)
    found = [_counts(name, sample) for name in ("negative_binomial", "geometric", "poisson")]
    return _best(found, sample, bounds)


def empirical(values: ArrayLike, bounds: tuple[float, float], *, whole: bool = False) -> Written:
    """Return the values themselves as a choice, or 41 quantiles in the middles of equal shares if there are more.

    What no law describes can be drawn so; nothing new is drawn then. One value gives a constant.
    """
    sample = np.sort(_sample(values, bounds))
    if len(sample) > QUANTILES:
        sample = np.quantile(sample, (np.arange(QUANTILES) + 0.5) / QUANTILES)
    drawn = [round(value) if whole else _rounded(value) for value in sample.tolist()]
    return drawn[0] if min(drawn) == max(drawn) else {"choice": drawn}


def _sample(values: ArrayLike, bounds: tuple[float, float]) -> Reals:
    sample = np.asarray(values, dtype=np.float64).ravel()
    sample = sample[np.isfinite(sample)]
    if len(sample) == 0:
        raise Mistake("There are no measured values to fit a distribution to; give pictures in which some can be seen.")
    return np.clip(sample, *bounds)


def _best(found: list[_Candidate], sample: Reals, bounds: tuple[float, float]) -> Fit:
    rows = []
    for name, parameters, _, law in found:
        aic = 2 * parameters - 2 * law.log_likelihood(sample)
        rows.append((name, parameters, aic, _distance(law.cdf, sample)))
    table = pd.DataFrame(rows, columns=list(COLUMNS[:-1])).sort_values("aic", kind="stable")
    table["chosen"] = np.arange(len(table)) == 0
    return Fit(_cut(found[int(table.index[0])], bounds), table.reset_index(drop=True))


def _distance(cdf: Callable[[Reals], Reals], sample: Reals) -> float:
    """Return the largest difference between a law's shares and the sample's, also where either jumps."""
    at, counts = np.unique(sample, return_counts=True)
    upto = np.cumsum(counts) / len(sample)
    before = np.concatenate([[0.0], upto[:-1]])
    return float(max(np.abs(cdf(at) - upto).max(), np.abs(cdf(np.nextafter(at, -np.inf)) - before).max()))


def _cut(each: _Candidate, bounds: tuple[float, float]) -> dict[str, Any]:
    """Return the law with its limits, within the bounds."""
    numbers = {key: _rounded(value) for key, value in each.written.items()}
    low, high = (float(each.law.family.ppf(share, *each.law.arguments)) for share in (CUT, 1 - CUT))
    low, high = max(low, bounds[0]), min(high, bounds[1])
    if "size" in numbers:
        return {"negative_binomial": {**numbers, "low": math.floor(low), "high": math.ceil(high)}}
    if each.name != "normal":
        low = max(low, 10.0**-DIGITS)
    return {each.name: {**numbers, "low": _rounded(low), "high": min(_rounded(high), bounds[1])}}


def _rounded(value: float) -> float:
    """Return a value with five significant digits: more say nothing of what was measured."""
    return float(f"{value:.{DIGITS}g}")


def _reals(sample: Reals, positive: bool) -> Iterator[_Candidate]:
    """Yield fitted laws of real values; but for the normal one they have no values below 0."""
    if positive:
        sigma, _, median = stats.lognorm.fit(sample, floc=0)
        yield _Candidate("lognormal", 2, {"median": median, "sigma": sigma}, _Law(stats.lognorm, (sigma, 0, median)))
        shape, _, scale = stats.gamma.fit(sample, floc=0)
        yield _Candidate("gamma", 2, {"mean": shape * scale, "shape": shape}, _Law(stats.gamma, (shape, 0, scale)))
        shape, _, scale = stats.weibull_min.fit(sample, floc=0)
        yield _Candidate("weibull", 2, {"scale": scale, "shape": shape}, _Law(stats.weibull_min, (shape, 0, scale)))
    mean, sd = stats.norm.fit(sample)
    yield _Candidate("normal", 2, {"mean": mean, "sd": sd}, _Law(stats.norm, (mean, sd)))


def _counts(name: str, sample: Reals) -> _Candidate:
    """Return a law of whole numbers: the mean of all three is the sample's, the size is fitted, 1 or very large."""
    above = float(sample.mean()) - 1

    def law(size: float) -> _Law:
        return _Law(stats.nbinom, (size, size / (size + above), 1))

    def loss(log_size: float) -> float:
        return -law(math.exp(log_size)).log_likelihood(sample)

    known = {"geometric": 1.0, "poisson": POISSON_SIZE}.get(name)
    size = known or math.exp(minimize_scalar(loss, bounds=(-4.0, 10.0), method="bounded").x)
    return _Candidate(name, 1 if known else 2, {"mean": above + 1, "size": size}, law(size))
