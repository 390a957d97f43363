"""What every partial model is: a few named, bounded, fixed quantities of one aspect of reality."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from micromime.distributions import Distribution, Value
from micromime.mistakes import Mistake
from micromime.parameters import explain, unknown_key
from micromime.streams import stream


class PartialModel(BaseModel):
    """Fixed values of one aspect of reality (Trampert et al. 2021, section 2.1).

    A subclass gives each parameter its bounds, its unit and a sentence in `Field`; the pure function
    below it turns the values and an `rng` into pixels or geometry. A parameter with a default is one
    that params.yaml may leave out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


M = TypeVar("M", bound=PartialModel)


def draw(kind: type[M], distributions: Mapping[str, Distribution], name: str, seed: int) -> M:
    """Return the partial model with each parameter drawn from its distribution.

    Every parameter has a random stream of its own, keyed by `name.parameter`: one more parameter
    changes none of the others.
    """
    return kind(**{key: each.at(stream(seed, f"{name}.{key}").random()) for key, each in distributions.items()})


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
            _check_value(_adapter(field), value, f"{where}.{key}", field.description or "")


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    """Return what checks a value against the type and bounds of one parameter."""
    bounded: Any = Annotated[field.annotation, *field.metadata]
    return TypeAdapter(bounded, config=ConfigDict(allow_inf_nan=False, strict=True))


def _check_value(adapter: TypeAdapter[Any], value: Value, where: str, meaning: str) -> None:
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        raise Mistake(f"{where}: {explain(error.errors()[0])} ({meaning.rstrip('.')}).") from None
