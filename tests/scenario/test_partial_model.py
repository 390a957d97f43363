import math
from collections import Counter
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import Field

from micromime.mistakes import Mistake
from micromime.partial_models.camera.gaussian_blur import GaussianBlur
from micromime.scenario.distributions import distribution
from micromime.scenario.partial_model import (
    PartialModel,
    check_distributions,
    check_within,
    draw,
    quantiles,
    step,
    vary,
)
from micromime.scenario.streams import stream

ALMOST_ONE = math.nextafter(1, 0)


class Rust(PartialModel):
    spots: int = Field(ge=0, le=9, description="Number of spots.")
    depth_px: float = Field(1.0, gt=0, le=5, description="Depth, px.")


class Paint(PartialModel):
    colour: str = Field("red", description="Colour.")
    shiny: bool = Field(True, description="Whether it shines.")
    gloss: float = Field(0.5, ge=0, lt=1, description="Share of the light.")


class Slope(PartialModel):
    rise: float = Field(ge=-10, le=10, description="Rise, px.")


def laws(**written):
    return {key: distribution(each) for key, each in written.items()}


def test_draw_fills_defaults_and_follows_the_seed():
    given = laws(spots={"integers": [0, 9]})
    drawn = [draw(Rust, given, "rust", quantiles(seed)) for seed in range(40)]
    assert {each.depth_px for each in drawn} == {1.0}
    assert {each.spots for each in drawn} == set(range(10))
    assert drawn[0] == draw(Rust, given, "rust", quantiles(0))


def test_one_more_parameter_changes_no_other():
    spots = {"integers": [0, 9]}
    alone = [draw(Rust, laws(spots=spots), "rust", quantiles(seed)).spots for seed in range(9)]
    given = laws(depth_px={"uniform": [1, 2]}, spots=spots)
    both = [draw(Rust, given, "rust", quantiles(seed)).spots for seed in range(9)]
    assert alone == both


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"depth_px": 1}, r"x\.rust\.spots is missing: Number of spots"),
        ({"spots": 1, "spot": 2}, r"x\.rust\.spot is not a known key; the keys here are: spots, depth_px"),
        ({"spots": {"integers": [0, 10]}}, r"x\.rust\.spots: 10 is not allowed; .*9 \(Number of spots\)"),
        ({"spots": {"uniform": [0.5, 3]}}, r"x\.rust\.spots: 0\.5 is not allowed; .*integer"),
        ({"spots": 1, "depth_px": {"choice": [1, 2, 7]}}, r"x\.rust\.depth_px: 7 is not allowed"),
        ({"spots": "many"}, r"x\.rust\.spots: 'many' is not allowed"),
    ],
    ids=str,
)
def test_what_a_distribution_could_give_is_checked_beforehand(written, said):
    with pytest.raises(Mistake, match=said):
        check_distributions(Rust, laws(**written), "x.rust")


def varied(key, stored, most, seeds=400, kind=Rust):
    """What a parameter becomes under many seeds."""
    model = kind(**{"spots": 4, key: stored} if kind is Rust else {key: stored})
    return [getattr(vary(model, {key: most}, "rust", seed), key) for seed in range(seeds)]


def test_a_variation_is_anywhere_nearby():
    found = varied("depth_px", 2.0, 0.5)
    assert min(found) >= 1.5
    assert max(found) <= 2.5
    assert [sum(1.5 + n / 4 <= each < 1.75 + n / 4 for each in found) for n in range(4)] == pytest.approx(
        [100] * 4, 0.3
    )


def test_a_variation_is_a_quantile_of_the_stream_of_its_name():
    u = stream(0, "rust.depth_px").random()
    moved = vary(Rust(spots=4, depth_px=2), {"depth_px": 0.5}, "rust", 0).depth_px
    assert moved == pytest.approx(1.5 + u)
    assert vary(Rust(spots=4, depth_px=2), {"depth_px": 0.5}, "rust", 0).depth_px == moved
    assert vary(Rust(spots=4, depth_px=2), {"depth_px": 0.5}, "dust", 0).depth_px != moved
    assert vary(Rust(spots=4, depth_px=2), {"depth_px": 0.5}, "rust", 1).depth_px != moved


@pytest.mark.parametrize(("stored", "low", "high"), [(4.8, 3.8, 5), (0.3, 0, 1.3), (5, 4, 5)])
def test_beyond_the_bounds_nothing_is_cut_off_to_the_bound(stored, low, high):
    found = varied("depth_px", stored, 1.0)
    assert low < min(found) < low + 0.02
    assert high - 0.02 < max(found) < high
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("kind", "key", "stored", "most", "least", "largest"),
    [
        (Rust, "depth_px", 2.0, 0.5, 1.5, 2.5),
        (Rust, "depth_px", 0.3, 1.0, math.nextafter(0, 1), 1.3),
        (Paint, "gloss", 0.99, 0.25, 0.74, ALMOST_ONE),
        (Rust, "spots", 8, 3.5, 5, 9),
        (Rust, "spots", 1, 2, 0, 3),
        (Rust, "spots", 4, 0.9, 4, 4),
    ],
)
def test_the_ends_of_the_stream_are_the_ends_of_the_interval(monkeypatch, kind, key, stored, most, least, largest):
    for u, expected in ((0.0, least), (ALMOST_ONE, largest)):
        monkeypatch.setattr(
            "micromime.scenario.partial_model.stream", lambda *_, u=u: SimpleNamespace(random=lambda: u)
        )
        moved = varied(key, stored, most, seeds=1, kind=kind)[0]
        assert moved == pytest.approx(expected, abs=1e-12)
        assert least <= moved <= largest


def test_whole_numbers_nearby_are_equally_likely():
    found = Counter(varied("spots", 7, 2.5, seeds=1000))
    assert sorted(found) == [5, 6, 7, 8, 9]
    assert list(found.values()) == pytest.approx([200] * 5, abs=45)
    assert Counter(varied("spots", 4, 1e15, seeds=99)).keys() == set(range(10))


@pytest.mark.parametrize(("stored", "most", "expected"), [(5, 4, {1, 3, 5, 7, 9}), (1, 3, {1, 3}), (31, 2, {29, 31})])
def test_whole_numbers_that_the_parameter_refuses_are_passed_over(stored, most, expected):
    assert set(varied("kernel_px", stored, most, seeds=60, kind=GaussianBlur)) == expected


def test_another_parameter_varied_beside_moves_none():
    alone = varied("depth_px", 2.0, 0.5, seeds=9)
    beside = [vary(Rust(spots=4, depth_px=2), {"spots": 3, "depth_px": 0.5}, "rust", seed) for seed in range(9)]
    assert [each.depth_px for each in beside] == alone
    assert {each.spots for each in beside} > {4}
    assert vary(Rust(spots=4, depth_px=2), {"depth_px": 0.5}, "rust", 0).spots == 4


@pytest.mark.parametrize(
    ("kind", "key", "stored", "share", "least", "largest"),
    [
        (Rust, "depth_px", 2.0, 0.3, 2 / 1.3, 2.6),
        (Rust, "depth_px", 4.0, 1.0, 2, 5),
        (Rust, "spots", 6, 0.5, 4, 9),
        (Rust, "spots", 2, 0.3, 2, 2),  # 1.54 to 2.6
        (Rust, "spots", 0, 9, 0, 0),
        (Paint, "gloss", 0.0, 0.3, 0, 0),
        (Paint, "gloss", 0.9, 0.3, 0.9 / 1.3, ALMOST_ONE),
        (Slope, "rise", -2.0, 0.25, -2.5, -1.6),
        (Slope, "rise", -9.0, 0.25, -10, -7.2),
    ],
)
def test_a_relative_step_multiplies_or_divides(monkeypatch, kind, key, stored, share, least, largest):
    for u, expected in ((0.0, least), (ALMOST_ONE, largest)):
        monkeypatch.setattr(
            "micromime.scenario.partial_model.stream", lambda *_, u=u: SimpleNamespace(random=lambda: u)
        )
        moved = varied(key, stored, {"share": share}, seeds=1, kind=kind)[0]
        assert moved == pytest.approx(expected, abs=1e-12)
        assert least - 1e-12 <= moved <= largest + 1e-12


def test_a_relative_step_is_even_on_a_logarithmic_scale():
    u = stream(0, "rust.depth_px").random()
    moved = vary(Rust(spots=4, depth_px=2), {"depth_px": {"share": 0.3}}, "rust", 0).depth_px
    assert moved == pytest.approx(2 * 1.3 ** (2 * u - 1))
    found = varied("depth_px", 2.0, {"share": 0.3}, seeds=1000)
    assert sum(each < 2 for each in found) == pytest.approx(500, abs=50)


@given(some.floats(0.001, 50), some.floats(1e-3, 5), some.integers(0, 9))
def test_a_thousand_relative_variations_stay_in_bounds(share, depth_px, spots):
    stored, within = Rust(spots=spots, depth_px=depth_px), {"spots": {"share": share}, "depth_px": {"share": share}}
    for seed in range(40):  # of each of 25 examples
        moved = vary(stored, within, "rust", seed)
        assert Rust.model_validate(moved.model_dump()) == moved
        assert depth_px / (1 + share) * 0.999 <= moved.depth_px <= depth_px * (1 + share) * 1.001


@pytest.mark.parametrize("written", [1, 1.5, {"share": 1}])
def test_a_step_is_read_as_floats(written):
    read = step(written)
    assert read == written
    assert isinstance(read["share"] if isinstance(read, dict) else read, float)


@pytest.mark.parametrize(
    "written",
    [
        True,
        "1",
        None,
        [1],
        {},
        {"share": "1"},
        {"log": 1},
        {"share": 1, "log": 1},
        0,
        -1,
        {"share": 0},
        math.inf,
        math.nan,
    ],
    ids=str,
)
def test_what_is_no_step_is_said(written):
    with pytest.raises(ValueError, match=r"is no step: give a number above 0 in its unit, or \{share: 0\.3\} for"):
        step(written)


@pytest.mark.parametrize(
    ("kind", "within", "said"),
    [
        (Rust, {}, r"^x\.m names nothing to vary; give a parameter"),
        (Rust, {"spots": 1, "spot": 1}, r"^x\.m\.spot is not a known key; the keys here are: spots, depth_px\.$"),
        (Paint, {"colour": 1}, r"^x\.m\.colour: colour is no number and cannot be varied"),
        (Paint, {"shiny": 1}, r"^x\.m\.shiny: shiny is no number"),
    ],
    ids=str,
)
def test_what_cannot_be_varied_is_named(kind, within, said):
    with pytest.raises(Mistake, match=said):
        check_within(kind, within, "x.m")
