"""What every partial model is: a few named, bounded, fixed quantities of one aspect of reality."""

import math
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, PlainValidator, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from micromime.mistakes import Mistake
from micromime.scenario.distributions import Distribution, Value
from micromime.scenario.parameters import explain, unknown_key
from micromime.scenario.streams import stream


class PartialModel(BaseModel):
    """Fixed values of one aspect of reality (Trampert et al. 2021, section 2.1).

    A subclass gives each parameter its bounds, its unit and a sentence in `Field`; the pure function
    below it turns the values and an `rng` into pixels or geometry. A parameter with a default is one
    that params.yaml may leave out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


M = TypeVar("M", bound=PartialModel)


Quantiles = Callable[[str], float]
"""What says for `partial_model.parameter` which quantile of its distribution to take, 0 <= u < 1."""


def quantiles(seed: int) -> Quantiles:
    """Return random quantiles, each from a stream of its own: one more parameter changes none of the others."""
    return lambda name: float(stream(seed, name).random())


def draw(kind: type[M], distributions: Mapping[str, Distribution], name: str, at: Quantiles) -> M:
    """Return the partial model with each parameter at a quantile of its distribution."""
    return kind(**{key: each.at(at(f"{name}.{key}")) for key, each in distributions.items()})


def step(written: Any) -> Any:
    """Return how far a parameter may move, as params.yaml has it: a float, or `share` with one, above 0.

    Raises ValueError for what is neither.
    """
    far = written.get("share") if isinstance(written, Mapping) and len(written) == 1 else written
    if not isinstance(far, (int, float)) or isinstance(far, bool) or not 0 < far <= sys.float_info.max:
        allowed = "a number above 0 in its unit, or {share: 0.3} for 30 % of its value"
        raise ValueError(f"{written!r} is no step: give {allowed}")
    return {"share": float(far)} if isinstance(written, Mapping) else float(far)


Step = Annotated[float | Mapping[str, float], PlainValidator(step)]
"""How far a parameter may move either way: a number in its own unit, or `{share: 0.3}`, which is relative."""


def vary(model: M, within: Mapping[str, Step], name: str, seed: int) -> M:
    """Return the partial model with each parameter of `within` moved to a random place nearby, all else as it was.

    With a number, a parameter moves at most so much (in its own unit) up or down, and every place in between is equally
    likely (Trampert et al. 2021, section 3.3: a fixed interval around the stored value). With `{share: s}` it is
    multiplied or divided by at most 1 + s, every factor in between equally likely on a logarithmic scale, and 0 stays
    0. Neither goes beyond the parameter's own bounds, and of whole numbers all are equally likely that lie in between
    and that the parameter allows. As in `draw`, each has a random stream of its own.
    """
    moved: dict[str, float] = {}
    for key, most in within.items():
        field, stored = type(model).model_fields[key], getattr(model, key)
        least, largest = _interval(stored, most, field)
        u = float(stream(seed, f"{name}.{key}").random())
        if isinstance(stored, int):
            adapter = _adapter(field)
            numbers = range(math.ceil(least), math.floor(largest) + 1)
            allowed = [each for each in numbers if not _wrong(adapter, each)]
            moved[key] = allowed[int(u * len(allowed))]
        else:
            in_log = isinstance(most, Mapping) and least != 0
            place = least * (largest / least) ** u if in_log else least * (1 - u) + largest * u
            moved[key] = min(max(place, least), largest)  # against rounding
    return type(model)(**(model.model_dump() | moved))


def check_within(kind: type[PartialModel], within: Mapping[str, Step], where: str) -> None:
    """Raise Mistake unless every key, of which there must be one, is a parameter that can be varied."""
    if not within:
        raise Mistake(f"{where} names nothing to vary; give a parameter and how far it may move, or remove it.")
    for key in within:
        if key not in kind.model_fields:
            raise Mistake(unknown_key(f"{where}.{key}", kind.model_fields))
        if kind.model_fields[key].annotation not in (int, float):
            raise Mistake(f"{where}.{key}: {key} is no number and cannot be varied; remove it.")


def _interval(stored: float, most: Step, field: FieldInfo) -> tuple[float, float]:
    """Return between which values a parameter may move."""
    low, high = bounds(field)
    if not isinstance(most, Mapping):
        return max(stored - most, low), min(stored + most, high)
    ends = stored * (1 + most["share"]), stored / (1 + most["share"])
    return max(min(ends), low), min(max(ends), high)


def check_distributions(kind: type[PartialModel], distributions: Mapping[str, Distribution], where: str) -> None:
    """Raise Mistake unless every value that can be drawn is one that the partial model allows."""
    for key in distributions.keys() - kind.model_fields.keys():
        raise Mistake(unknown_key(f"{where}.{key}", kind.model_fields))
    for key, field in kind.model_fields.items():
        if key not in distributions:
            if field.is_required():
                raise Mistake(f"{where}.{key} is missing: {field.description} Add it, for example as a number.")
            continue
        for value in distributions[key].limits():
            if wrong := _wrong(_adapter(field), value):
                raise Mistake(f"{where}.{key}: {wrong} ({(field.description or '').rstrip('.')}).")


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    """Return what checks a value against the type and bounds of one parameter."""
    bounded: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return TypeAdapter(bounded, config=ConfigDict(allow_inf_nan=False, strict=True))


def bounds(field: FieldInfo) -> tuple[float, float]:
    """Return the least and the greatest value of a parameter, as its Field has them."""
    lows, highs = [-math.inf], [math.inf]
    for bound in field.metadata:
        lows += [float(bound.ge)] if hasattr(bound, "ge") else []
        lows += [math.nextafter(bound.gt, math.inf)] if hasattr(bound, "gt") else []
        highs += [float(bound.le)] if hasattr(bound, "le") else []
        highs += [math.nextafter(bound.lt, -math.inf)] if hasattr(bound, "lt") else []
    return max(lows), min(highs)


def _wrong(adapter: TypeAdapter[Any], value: Value) -> str:
    """Return what is wrong with a value as half a sentence, nothing where it is allowed."""
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        return explain(error.errors()[0])
    return ""
