import math
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from micromime.mistakes import Mistake
from micromime.scenario.distributions import KINDS, LARGEST_WHOLE, distribution
from micromime.scenario.parameters import distributions

shares = st.floats(0, 1, exclude_max=True)

WRITTEN = [
    5,
    "dark",
    {"uniform": [20, 60]},
    {"log_uniform": [0.1, 10]},
    {"integers": [1, 4]},
    {"normal": {"mean": 3, "sd": 1, "low": 0, "high": 4}},
    {"lognormal": {"median": 3, "sigma": 0.4, "low": 1, "high": 9}},
    {"gamma": {"mean": 3, "shape": 2, "low": 0, "high": 30}},
    {"weibull": {"scale": 3, "shape": 1.5, "low": 0, "high": 9}},
    {"negative_binomial": {"mean": 6, "size": 2.5, "low": 1, "high": 30}},
    {"choice": [1, 3, 5]},
    {"choice": {"values": ["a", "b"], "weights": [1, 3]}},
]


@pytest.mark.parametrize("written", WRITTEN, ids=str)
@given(u=shares)
def test_draws_stay_within_limits(written, u):
    law = distribution(written)
    value, limits = law.at(u), law.limits()
    assert value in limits or (isinstance(value, float | int) and limits[0] <= value <= limits[-1])


@pytest.mark.parametrize("written", [w for w in WRITTEN if isinstance(w, dict) and "choice" not in w], ids=str)
@given(u=shares, v=shares)
def test_quantiles_rise(written, u, v):
    law = distribution(written)
    assert law.at(min(u, v)) <= law.at(max(u, v))


@pytest.mark.parametrize(
    ("written", "u", "expected"),
    [
        ({"uniform": [20, 60]}, 0.25, 30),
        ({"log_uniform": [1, 100]}, 0.5, 10),
        ({"integers": [1, 4]}, 0.999, 4),
        ({"integers": [1, 4]}, 0.0, 1),
        ({"normal": {"mean": 3, "sd": 1, "low": -5, "high": 11}}, 0.5, 3),
        ({"lognormal": {"median": 3, "sigma": 0.4, "low": 0.03, "high": 300}}, 0.5, 3),
        ({"gamma": {"mean": 2, "shape": 1, "low": 0, "high": 200}}, 0.5, 2 * math.log(2)),
        ({"weibull": {"scale": 3, "shape": 2, "low": 0, "high": 90}}, 1 - math.exp(-4), 6),
        ({"weibull": {"scale": 3, "shape": 1, "low": 3, "high": 9e9}}, 1 - math.exp(-1), 6),
        ({"negative_binomial": {"mean": 2, "size": 1, "low": 1, "high": 99}}, 0.499, 1),
        ({"negative_binomial": {"mean": 2, "size": 1, "low": 1, "high": 99}}, 0.501, 2),
        ({"negative_binomial": {"mean": 2, "size": 1, "low": 2, "high": 99}}, 0.499, 2),
        ({"negative_binomial": {"mean": 2, "size": 1, "low": 2, "high": 99}}, 0.501, 3),
        ({"choice": [1, 3, 5]}, 0.34, 3),
        ({"choice": {"values": ["a", "b"], "weights": [1, 3]}}, 0.24, "a"),
        ({"choice": {"values": ["a", "b"], "weights": [1, 3]}}, 0.26, "b"),
        ({"choice": {"values": ["a", "b"], "weights": [0, 1]}}, 0.0, "b"),
    ],
    ids=str,
)
def test_quantiles_by_hand(written, u, expected):
    assert distribution(written).at(u) == pytest.approx(expected)


def test_cut_normal_has_no_heap_at_its_ends():
    law = distribution({"normal": {"mean": 0, "sd": 1, "low": -1, "high": 1}})
    values = np.array([law.at(u) for u in (np.arange(10_000) + 0.5) / 10_000])
    # The variance of a Gaussian cut at one standard deviation, in closed form.
    density = math.exp(-0.5) / math.sqrt(2 * math.pi)
    assert values.var() == pytest.approx(1 - 2 * density / math.erf(1 / math.sqrt(2)), rel=1e-3)
    assert (values > 0.999).mean() < 0.001


def test_counts_are_whole_and_have_their_mean():
    law = distribution({"negative_binomial": {"mean": 19, "size": 3, "low": 1, "high": 400}})
    values = [law.at(u) for u in (np.arange(4000) + 0.5) / 4000]
    assert {type(value) for value in values} == {int}
    # Mean and variance of a negative binomial law in closed form: m and m + m^2 / size, here of m = 18.
    assert np.mean(values) == pytest.approx(19, rel=1e-3)
    assert np.var(values) == pytest.approx(18 + 18**2 / 3, rel=1e-2)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (None, "None is no value"),
        ([1, 2], "is no value"),
        (True, "is no value"),
        ({"unifrom": [1, 2]}, "names no distribution: give one key, one of uniform"),
        ({"uniform": [1, 2, 3]}, "is no interval"),
        ({"uniform": [2, 1]}, "is empty: low 2 is not below high 1"),
        ({"uniform": ["a", 2]}, "low"),
        ({"choice": []}, "values"),
        ({"choice": {"values": [1, 2], "weights": [1]}}, "2 values but 1 weights"),
        ({"choice": {"values": [1, 2], "weights": [0, 0]}}, "sum above 0"),
        ({"normal": {"mean": 0, "sd": 1, "low": 50, "high": 60}}, "is empty"),
        ({"normal": {"mean": 0, "sd": 0, "low": 0, "high": 1}}, "sd"),
        ({"weibull": {"scale": 1, "shape": 9, "low": 5, "high": 6}}, "is empty"),
        ({"negative_binomial": {"mean": 1, "size": 2, "low": 1, "high": 5}}, "mean"),
        ({"negative_binomial": {"mean": 2, "size": 9, "low": 900, "high": 901}}, "is empty"),
        ({"uniform": [0, math.inf]}, "finite"),
        ({"uniform": {"low": 0, "high": 1, "hihg": 2}}, "hihg"),
    ],
    ids=str,
)
def test_wrong_ones_say_what_is_wrong(written, said):
    with pytest.raises((ValueError, ValidationError), match=said):
        distribution(written)


def positions(written, way=()):
    """The ways to every number of a distribution."""
    if isinstance(written, dict | list):
        inner = written.items() if isinstance(written, dict) else enumerate(written)
        return [place for key, each in inner for place in positions(each, (*way, key))]
    return [way]


def with_it(written, way, value):
    """The same distribution with another value at a place."""
    if not way:
        return value
    changed = written.copy()
    changed[way[0]] = with_it(written[way[0]], way[1:], value)
    return changed


PLACES = [(written, way) for written in WRITTEN for way in positions(written)]
NO_NUMBERS = [
    True,
    False,
    None,
    math.nan,
    math.inf,
    -math.inf,
    date(2020, 1, 2),
    b"5",
    {5},
    [5],
    [[1, 2]],
    {"low": 1},
    {},
]
"""What no value of a distribution can be, wherever it stands."""


def test_every_kind_is_tried():
    assert {next(iter(each)) for each in WRITTEN if isinstance(each, dict)} == {*KINDS}


@pytest.mark.parametrize("odd", NO_NUMBERS, ids=repr)
def test_what_is_no_number_is_refused_in_every_kind_and_place(odd):
    for written, way in PLACES:
        with pytest.raises(Mistake, match=r"^specks\.radius_px: [^\n]+\.$"):
            distributions({"radius_px": with_it(written, way, odd)}, "specks")


@pytest.mark.parametrize("odd", ["5", "1e3", "60:00", "yes", "", "five"], ids=repr)
def test_a_word_stays_a_word_and_is_no_number(odd):
    said = r"^specks\.radius_px: ([a-z]+: )*(0: |1: )?'.*' is not allowed; it should be a "
    for written, way in PLACES:
        changed = with_it(written, way, odd)
        if not way or (way[0] == "choice" and "weights" not in way):
            assert odd in distribution(changed).limits()
        else:
            with pytest.raises(Mistake, match=said):
                distributions({"radius_px": changed}, "specks")


huge = st.integers(-(10**400), 10**400) | st.floats(allow_nan=False, allow_infinity=False)


@given(place=st.sampled_from(PLACES), number=huge | st.integers(-9, 99), u=shares)
def test_a_number_is_taken_as_it_is_or_refused(place, number, u):
    """Whatever its size: no kind draws what is not finite, or fails but by a Mistake."""
    changed = with_it(*place, number)
    try:
        (law,) = distributions({"radius_px": changed}, "specks").values()
    except Mistake:
        return
    drawn = law.at(u)
    assert isinstance(drawn, str | int) or math.isfinite(drawn)
    taken = [each for each in (*vars(law).values(), *law.limits()) if not isinstance(each, tuple | None)]
    assert number in [*taken, *(getattr(law, "weights", None) or ())]


@pytest.mark.parametrize(
    "written",
    [
        {"uniform": [-1e308, 1e308]},
        {"log_uniform": [1e-308, 1e308]},
        {"integers": [0, LARGEST_WHOLE + 1]},
        {"choice": {"values": [1, 2], "weights": [1e308, 1e308]}},
        {"uniform": True},
        {"choice": 5},
        {"normal": None},
        {"integers": [1.0, 4]},
        {"measured": True},
        {True: [1, 2]},
    ],
    ids=str,
)
def test_what_would_overflow_or_has_another_shape_is_one_sentence(written):
    with pytest.raises(Mistake, match=r"^specks\.radius_px: [^\n]+\.$"):
        distributions({"radius_px": written}, "specks")
