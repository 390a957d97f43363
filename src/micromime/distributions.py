"""What a parameter may be drawn from. A draw is a quantile: the same u always gives the same value.

In params.yaml a plain value is a constant, and a mapping with one key names the distribution:
`{uniform: [20, 60]}`, `{lognormal: {median: 3, sigma: 0.4, low: 1, high: 9}}`, `{choice: [1, 3, 5]}`.
Every distribution ends at known limits, so that all it can give is checked before any work starts.
"""

import math
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator
from scipy.special import ndtr, ndtri

Value = float | int | str


class Distribution(BaseModel):
    """A law of one parameter, given by its quantile function."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def at(self, u: float) -> Value:
        """Return the value below which the share `u` of all draws lies, 0 <= u < 1."""
        raise NotImplementedError

    def limits(self) -> tuple[Value, ...]:
        """Return the least and the greatest possible value, or all of them where they have no order."""
        raise NotImplementedError


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
        if not self.low < self.high:
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


class Integers(Distribution):
    """Every whole number from low to high, both included, is equally likely."""

    low: int
    high: int

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.high:
            raise ValueError(f"is empty: low {self.low} is above high {self.high}")
        return self

    def at(self, u: float) -> int:
        """Return low + floor(u n) of n numbers."""
        return self.low + int(u * (self.high - self.low + 1))

    def limits(self) -> tuple[Value, ...]:
        """Return both ends."""
        return (self.low, self.high)


class Normal(_Interval):
    """Gaussian, cut off at low and high (the parts outside are drawn again, not piled up at the ends)."""

    mean: float
    sd: float = Field(gt=0)

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        _cut(self.low, self.high, self.mean, self.sd)
        return self

    def at(self, u: float) -> float:
        """Return the quantile of the cut Gaussian."""
        below, above = _cut(self.low, self.high, self.mean, self.sd)
        value = self.mean + self.sd * float(ndtri(below + u * (above - below)))
        return min(max(value, self.low), self.high)


class LogNormal(_Interval):
    """The logarithm is Gaussian with standard deviation sigma about log(median), cut off at low and high."""

    low: float = Field(gt=0)
    median: float = Field(gt=0)
    sigma: float = Field(gt=0)

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        _cut(math.log(self.low), math.log(self.high), math.log(self.median), self.sigma)
        return self

    def at(self, u: float) -> float:
        """Return the quantile of the cut log-normal law."""
        below, above = _cut(math.log(self.low), math.log(self.high), math.log(self.median), self.sigma)
        value = self.median * math.exp(self.sigma * float(ndtri(below + u * (above - below))))
        return min(max(value, self.low), self.high)


class Choice(Distribution):
    """One of the values, with equal or given weights."""

    values: tuple[Value, ...] = Field(min_length=1)
    weights: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _weighed(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.values):
            raise ValueError(f"has {len(self.values)} values but {len(self.weights)} weights; give one each")
        if self.weights is not None and (min(self.weights) < 0 or sum(self.weights) <= 0):
            raise ValueError("needs weights of 0 or more with a sum above 0")
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
    "choice": Choice,
}


def distribution(written: Any) -> Distribution:
    """Return the distribution that a value of params.yaml stands for.

    Raises ValueError with a sentence for what is no distribution, pydantic's ValidationError for wrong numbers in one.
    """
    if isinstance(written, (bool, list)) or written is None:
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
    return KINDS[name].model_validate(content)


def _cut(low: float, high: float, mean: float, sd: float) -> tuple[float, float]:
    """Return the shares of the uncut Gaussian that lie below low and below high."""
    below, above = float(ndtr((low - mean) / sd)), float(ndtr((high - mean) / sd))
    if not below < above:
        raise ValueError("is empty: nothing of it lies between its low and high")
    return below, above
