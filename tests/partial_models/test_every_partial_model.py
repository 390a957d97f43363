"""What holds for every partial model, whichever files are in the folders, and for what every use case makes of it."""

from importlib import import_module
from itertools import pairwise
from pkgutil import walk_packages
from typing import Any, get_args

import numpy as np
import pytest
from annotated_types import Ge, Gt, Le, Lt
from hypothesis import given, reject, settings
from hypothesis import strategies as some
from pydantic import ValidationError

import micromime.partial_models as folder
from micromime.scenario.partial_model import PartialModel, vary
from micromime.use_cases import instance_kind, use_cases


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
def test_hundreds_of_variations_stay_in_bounds(kind):
    ends = {name: bounds(field) for name, field in numbers(kind).items()}
    whole = {name for name, field in kind.model_fields.items() if field.annotation is int}
    within = {name: max((high - low) / 3, 1 if name in whole else 0) for name, (low, high) in ends.items()}
    models = [kind(**least(kind))]
    for seed in range(300):
        models.append(vary(models[-1], within, "walk", seed))
    assert all(kind.model_validate_json(model.model_dump_json()) == model for model in models[::50])
    for name, (low, high) in ends.items():
        values = [getattr(model, name) for model in models]
        assert low <= min(values) < low + (high - low) / 20
        assert high - (high - low) / 20 < max(values) <= high
        assert max(abs(one - two) for one, two in pairwise(values)) <= within[name]


USED = {
    f"{use_case}: {name}": (use_case, name)
    for use_case in use_cases()
    for name in instance_kind(use_case).partial_models()
}


def test_every_partial_model_is_found_and_used():
    used = {kind for use_case in use_cases() for kind in instance_kind(use_case).partial_models().values()}
    assert used == set(kinds())


@pytest.fixture(scope="module")
def plain(grains, chips):
    """A small instance of each use case."""
    drawn = {"grain_boundaries": grains.draw_one(0, 0), "chip_cracks": chips.draw_one(0, 1)}
    return {name: each.model_copy(update={"rows": 40, "cols": 56}) for name, each in drawn.items()}


@pytest.mark.parametrize(("use_case", "name"), USED.values(), ids=USED)
@settings(max_examples=8)
@given(data=some.data(), seed=some.integers(0, 10**9))
def test_any_values_give_a_whole_sample_and_the_same_again(plain, use_case, name, data, seed):
    stored = getattr(plain[use_case], name)
    values = {key: data.draw(within(field), key) for key, field in numbers(type(stored)).items()}
    try:
        model = type(stored).model_validate(stored.model_dump() | values)
    except ValidationError:  # whole numbers that must be odd
        reject()
    instance = plain[use_case].model_copy(update={name: model, "seed": seed})
    before = instance.model_dump_json()
    sample, again = instance.render(), instance.render()
    assert instance.model_dump_json() == before
    for one, two in ((sample.image, again.image), (sample.mask, again.mask), (sample.labels, again.labels)):
        assert np.array_equal(one, two) if one is not None else two is None
    assert (sample.image.shape, sample.image.dtype) == ((40, 56), np.uint8)
    assert (sample.mask.shape, sample.mask.dtype) == ((40, 56), np.bool_)
    if sample.labels is not None:
        assert np.array_equal(np.unique(sample.labels), np.arange(1, sample.labels.max() + 1))


def within(field: Any) -> some.SearchStrategy[Any]:
    low, high = bounds(field)
    if field.annotation is int:
        return some.integers(low, high)
    return some.floats(low, high, exclude_min=any(isinstance(each, Gt) for each in field.metadata))
