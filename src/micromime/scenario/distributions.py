"""What a parameter may be drawn from. A draw is a quantile: the same u always gives the same value.

In params.yaml a plain value is a constant, and a mapping with one key names the distribution:
`{uniform: [20, 60]}`, `{lognormal: {median: 3, sigma: 0.4, low: 1, high: 9}}`, `{choice: [1, 3, 5]}`.
Every distribution ends at known limits, so that all it can give is checked before any work starts.
"""

import math
from collections.abc import Callable
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import betainc, gammainc, gammaincinv, ndtr, ndtri

LARGEST_WHOLE = 2**53
"""Up to here a draw, which goes by way of a float, reaches every whole number."""

Value = float | int | str
Whole = Annotated[int, Field(ge=-LARGEST_WHOLE, le=LARGEST_WHOLE)]
Law = tuple[Callable[[float], float], Callable[[float], float]]
"""The share of all draws below a value, and the value above a share."""


class Distribution(BaseModel):
    """A law of one parameter, given by its quantile function. A number is one as it is written: not `true`, not "5"."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    def at(self, u: float) -> Value:
        """Return the value below which the share `u` of all draws lies, 0 <= u < 1."""
        raise NotImplementedError

    def limits(self) -> tuple[Value, ...]:
        """Return the least and the greatest value, or all of them where they have no order; none if not known yet."""
        return ()


class Constant(Distribution):
    """Always the same value."""

    value: Value

    def at(self, u: float) -> Value:  # noqa: ARG002 - a constant has one quantile
        """Return the value."""
        return self.value

    def limits(self) -> tuple[Value, ...]:
        """Return the value."""
        return (self.value,)


class _Interval(Distribution):
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high or (self.low == self.high and isinstance(self.low, float)):
            raise ValueError(f"is empty: low {self.low:g} is not below high {self.high:g}")
        return self

    def limits(self) -> tuple[Value, ...]:
        """Return both ends."""
        return (self.low, self.high)


class Uniform(_Interval):
    """Every value from low to high is equally likely."""

    def at(self, u: float) -> float:
        """Return low + u (high - low)."""
        return self.low + u * (self.high - self.low)


class LogUniform(_Interval):
    """The logarithm is uniform: every doubling is equally likely."""

    low: float = Field(gt=0)

    def at(self, u: float) -> float:
        """Return low (high / low)^u, kept within the ends against rounding."""
        return min(max(self.low * math.exp(u * math.log(self.high / self.low)), self.low), self.high)


class Integers(_Interval):
    """Every whole number from low to high, both included, is equally likely."""

    low: Whole
    high: Whole

    def at(self, u: float) -> int:
        """Return low + floor(u n) of n numbers."""
        return self.low + int(u * (self.high - self.low + 1))


class _Cut(_Interval):
    """A law cut off at low and high: the parts outside are drawn again, not piled up at the ends."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        below, _ = self._law()
        if not below(self.low) < below(self.high):
            raise ValueError("is empty: nothing of it lies between its low and high")
        return self

    def at(self, u: float) -> float:
        """Return the quantile of the cut law."""
        below, quantile = self._law()
        share = below(self.low) + u * (below(self.high) - below(self.low))
        return min(max(float(quantile(share)), self.low), self.high)

    def _law(self) -> Law:
        """Return the law before it is cut off."""
        raise NotImplementedError


class Normal(_Cut):
    """Gaussian."""

    mean: float
    sd: float = Field(gt=0)

    def _law(self) -> Law:
        return lambda x: float(ndtr((x - self.mean) / self.sd)), lambda p: self.mean + self.sd * float(ndtri(p))


class LogNormal(_Cut):
    """The logarithm is Gaussian with standard deviation sigma about log(median)."""

    low: float = Field(gt=0)
    median: float = Field(gt=0)
    sigma: float = Field(gt=0)

    def _law(self) -> Law:
        m, s = self.median, self.sigma
        return lambda x: float(ndtr((math.log(x) - math.log(m)) / s)), lambda p: m * math.exp(s * float(ndtri(p)))


class Gamma(_Cut):
    """Density proportional to x^(shape - 1) exp(-x shape / mean); `mean` is that of the uncut law."""

    low: float = Field(ge=0)
    mean: float = Field(gt=0)
    shape: float = Field(gt=0)

    def _law(self) -> Law:
        k, scale = self.shape, self.mean / self.shape
        return lambda x: float(gammainc(k, x / scale)), lambda p: scale * float(gammaincinv(k, p))


class Weibull(_Cut):
    """The share exp(-(x / scale)^shape) lies above x."""

    low: float = Field(ge=0)
    scale: float = Field(gt=0)
    shape: float = Field(gt=0)

    def _law(self) -> Law:
        s, k, most = self.scale, self.shape, 1 - 2**-53
        return lambda x: -math.expm1(-((x / s) ** k)), lambda p: s * (-math.log1p(-min(p, most))) ** (1 / k)


class NegativeBinomial(Integers):
    """Whole numbers from 1: what a number has above 1 is negative binomial, cut off at low and high.

    `mean` is that of the uncut number and `size` its evenness: 1 is a geometric law, a large size a Poisson law.
    """

    low: int = Field(ge=1)
    high: int = Field(le=100_000)
    mean: float = Field(gt=1)
    size: float = Field(gt=0)

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if not self._shares()[-1] > 0:
            raise ValueError("is empty: nothing of it lies between its low and high")
        return self

    def at(self, u: float) -> int:
        """Return the least number up to which more than the share u of the cut law lies."""
        shares = self._shares()
        return min(self.low + int(np.searchsorted(shares, u * shares[-1], side="right")), self.high)

    def _shares(self) -> Any:
        """Return the shares of the uncut law from low up to each number, low and high included."""
        numbers = np.arange(self.low - 1, self.high + 1)
        p = self.size / (self.size + self.mean - 1)
        upto = np.where(numbers > 0, betainc(self.size, np.maximum(numbers, 1), p), 0)
        return upto[1:] - upto[0]


class Choice(Distribution):
    """One of the values, with equal or given weights."""

    values: tuple[Value, ...] = Field(min_length=1, strict=False)  # a list is as good; what it holds is strict
    weights: Annotated[tuple[float, ...], Field(strict=False)] | None = None

    @model_validator(mode="after")
    def _weighed(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.values):
            raise ValueError(f"has {len(self.values)} values but {len(self.weights)} weights; give one each")
        if self.weights is not None and (min(self.weights) < 0 or not 0 < sum(self.weights) < math.inf):
            raise ValueError("needs weights of 0 or more with a sum above 0 that is a number")
        return self

    def at(self, u: float) -> Value:
        """Return the value in whose share of the line from 0 to 1 u lies."""
        ends = np.cumsum(self.weights or np.ones(len(self.values)))
        return self.values[int(np.searchsorted(ends, u * ends[-1], side="right"))]

    def limits(self) -> tuple[Value, ...]:
        """Return all values."""
        return self.values


KINDS: dict[str, type[Distribution]] = {
    "uniform": Uniform,
    "log_uniform": LogUniform,
    "integers": Integers,
    "normal": Normal,
    "lognormal": LogNormal,
    "gamma": Gamma,
    "weibull": Weibull,
    "negative_binomial": NegativeBinomial,
    "choice": Choice,
}


def distribution(written: Any) -> Distribution:
    """Return the distribution that a value of params.yaml stands for.

    Raises ValueError with a sentence for what is no distribution, pydantic's ValidationError for wrong numbers in one.
    """
    if isinstance(written, bool) or not isinstance(written, (int, float, str, dict)):
        raise ValueError(f"{written!r} is no value: give a number, a word or one of {', '.join(KINDS)}")
    if not isinstance(written, dict):
        return Constant(value=written)
    if len(written) != 1 or (name := str(next(iter(written)))) not in KINDS:
        raise ValueError(f"{dict(written)!r} names no distribution: give one key, one of {', '.join(KINDS)}")
    content = written[next(iter(written))]
    if name == "choice" and isinstance(content, list):
        content = {"values": content}
    elif isinstance(content, list):
        if len(content) != 2:
            raise ValueError(f"{content!r} is no interval: give two numbers, [low, high]")
        content = {"low": content[0], "high": content[1]}
    elif not isinstance(content, dict):
        raise ValueError(f"{content!r} is no {name}: give {'a list' if name == 'choice' else 'its numbers'} under it")
    return _that_can_be_drawn(name, content)


def _that_can_be_drawn(name: str, content: Any) -> Distribution:
    """Return the distribution of a kind; ValueError where numbers in it, each allowed, overflow together."""
    try:
        law = KINDS[name].model_validate(content)
        drawn = [law.at(u) for u in (0, 0.5, 1 - 2**-53)]
    except ArithmeticError:
        drawn = [math.inf]
    if not all(isinstance(each, (int, str)) or math.isfinite(each) for each in drawn):
        raise ValueError(f"{name} has numbers too large or small to compute with: give others")
    return law
