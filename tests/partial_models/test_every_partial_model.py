"""What holds for every partial model, whichever files are in the folder."""

from importlib import import_module
from itertools import pairwise
from pkgutil import walk_packages
from typing import Any, get_args

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import ValidationError

import micromime.partial_models as folder
from micromime.scenario.partial_model import PartialModel, vary


def kinds() -> list[type[PartialModel]]:
    modules = [import_module(each.name) for each in walk_packages(folder.__path__, f"{folder.__name__}.")]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    return [each for each in found if issubclass(each, PartialModel) and each is not PartialModel]


def bounds(field: Any) -> tuple[float, float]:
    low = [each.ge if isinstance(each, Ge) else each.gt for each in field.metadata if isinstance(each, Ge | Gt)]
    high = [each.le if isinstance(each, Le) else each.lt for each in field.metadata if isinstance(each, Le | Lt)]
    assert low, "no lower bound"
    assert high, "no upper bound"
    return low[0], high[0]


def numbers(kind: type[PartialModel]) -> dict[str, Any]:
    return {name: field for name, field in kind.model_fields.items() if field.annotation in (int, float)}


def least(kind: type[PartialModel]) -> dict[str, Any]:
    words = {name: next(iter(get_args(field.annotation)), "word") for name, field in kind.model_fields.items()}
    lows = {name: bounds(field)[0] for name, field in numbers(kind).items()}
    exclusive = {
        name: low + 1e-9
        for name, low in lows.items()
        if any(isinstance(m, Gt) for m in kind.model_fields[name].metadata)
    }
    return words | lows | exclusive


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_file_and_class_have_one_name(kind):
    assert (
        kind.__module__.rpartition(".")[2] == "".join(f"_{c.lower()}" if c.isupper() else c for c in kind.__name__)[1:]
    )


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_parameter_has_bounds_and_a_sentence(kind):
    assert all(field.description.endswith(".") for field in kind.model_fields.values())
    for name, field in numbers(kind).items():
        low, high = bounds(field)
        assert low < high, name


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_values_beyond_the_bounds_are_refused(kind):
    assert kind(**least(kind))
    for name, field in numbers(kind).items():
        low, high = bounds(field)
        for value in (low - 1, high + 2, float("nan")):
            with pytest.raises(ValidationError):
                kind(**least(kind) | {name: value})


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_json_gives_it_back(kind):
    model = kind(**least(kind))
    assert kind.model_validate_json(model.model_dump_json()) == model


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_a_thousand_variations_stay_in_bounds(kind):
    ends = {name: bounds(field) for name, field in numbers(kind).items()}
    whole = {name for name, field in kind.model_fields.items() if field.annotation is int}
    within = {name: max((high - low) / 3, 1 if name in whole else 0) for name, (low, high) in ends.items()}
    models = [kind(**least(kind))]
    for seed in range(1000):
        models.append(vary(models[-1], within, "walk", seed))
    assert all(kind.model_validate_json(model.model_dump_json()) == model for model in models[::50])
    for name, (low, high) in ends.items():
        values = [getattr(model, name) for model in models]
        assert low <= min(values) < low + (high - low) / 20
        assert high - (high - low) / 20 < max(values) <= high
        assert max(abs(one - two) for one, two in pairwise(values)) <= within[name]
