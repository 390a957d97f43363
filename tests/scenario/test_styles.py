"""Scenarios that are mixtures: every image is of one style, or each of its partial models is."""

import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.mistakes import Mistake
from micromime.scenario.partial_model import quantiles
from micromime.scenario.scenario import Scenario
from micromime.scenario.streams import LARGEST_SEED, stream
from micromime.use_cases import instance_kind

GRAINS = instance_kind("grain_boundaries")
COMMON = {
    **{"rows": 40, "cols": 56},
    "grain_structure": {"diameter_px": {"uniform": [10, 40]}},
    "grain_boundaries": {"thickness_px": 3, "darkness": {"uniform": [0.2, 0.4]}},
    "grain_shades": {"mean_grey": {"uniform": [100, 150]}, "contrast_grey": 20},
    "white_noise": {"sd_grey": 4},
}
FAINT = {
    "grain_boundaries": {"darkness": {"uniform": [0, 0.1]}, "thickness_px": 5},
    "white_noise": {"sd_grey": {"uniform": [20, 30]}},
}
DARK = {"grain_boundaries": {"darkness": {"uniform": [0.8, 1]}}, "twins": {"share": 0.5}}
TWO = {"faint": {"weight": 1} | FAINT, "dark": {"weight": 3} | DARK}
ALMOST_ONE = math.nextafter(1, 0)


def scenario(styles=TWO, **more):
    return Scenario.read(GRAINS, COMMON | ({"styles": styles} if styles else {}) | more, "s")


def many(styles=TWO, count=200, **more):
    drawn = scenario(styles, **more)
    return [drawn.draw_one(0, index) for index in range(count)]


def test_styles_have_their_shares():
    found = Counter(each.style for each in many(count=600))
    assert set(found) == {"faint", "dark"}
    assert found["dark"] / 600 == pytest.approx(0.75, abs=0.045)


@pytest.mark.parametrize("weights", [(0.25, 0.75), (100, 300)])
def test_weights_count_in_proportion(weights):
    scaled = {name: TWO[name] | {"weight": weight} for name, weight in zip(TWO, weights, strict=True)}
    assert many(scaled, count=60) == many(count=60)


def test_parameters_come_from_the_own_style_and_all_else_from_the_common_section():
    for each in many():
        faint, dark = each.style == "faint", each.style == "dark"
        assert faint == (each.grain_boundaries.darkness <= 0.1) == (20 <= each.white_noise.sd_grey <= 30)
        assert dark == (each.grain_boundaries.darkness >= 0.8) == (each.twins.share == 0.5)
        assert each.grain_boundaries.thickness_px == (5 if faint else 3)
        assert each.white_noise.sd_grey == 4 or faint
        assert 10 <= each.grain_structure.diameter_px <= 40
        assert each.grain_shades.contrast_grey == 20


def test_a_neighbour_changes_nothing_but_which_style_is_drawn():
    third = {"weight": 2, "grain_shades": {"contrast_grey": 50}}
    pairs = list(zip(many(), many(TWO | {"third": third}), strict=True))
    assert 20 < sum(one.style != two.style for one, two in pairs) < 150
    named = {"style", "grain_shades.contrast_grey", "twins.share", "white_noise.sd_grey"}
    named |= {"grain_boundaries.darkness", "grain_boundaries.thickness_px"}
    for one, two in pairs:
        differ = {key for key, value in one.row().items() if two.row()[key] != value}
        assert differ <= (named if one.style != two.style else set())


def test_a_style_that_names_nothing_is_the_common_section():
    plain, alone = many({}), many({"plain": {"weight": 1}})
    assert {each.style for each in plain} == {""}
    assert {each.style for each in alone} == {"plain"}
    assert [each.model_copy(update={"style": ""}) for each in alone] == plain


def test_a_weight_of_0_leaves_a_style_out():
    rest = TWO | {"never": {"weight": 0, "white_noise": {"sd_grey": 60}}}
    assert scenario(rest) == scenario()
    assert scenario({}) == scenario(None)


@pytest.mark.parametrize(("styles", "apart"), [(TWO, False), (TWO, True), ({}, False)])
@given(seed=st.integers(0, LARGEST_SEED))
def test_an_instance_survives_its_row_and_json(styles, apart, seed):
    drawn = scenario(styles, styles_apart=apart).draw(stream(seed, "test"))
    row = drawn.row()
    assert ("style" in row) == (drawn.style != "") == (bool(styles) and not apart)
    assert GRAINS.from_row(row) == drawn
    assert GRAINS.from_row(pd.DataFrame([{"id": "000001", **row}]).iloc[0]) == drawn
    assert GRAINS.model_validate_json(drawn.model_dump_json()) == drawn


def test_a_variation_keeps_its_style():
    stored = many(count=1)[0]
    assert stored.varied({"white_noise": {"sd_grey": 1}}, False, stream(0, "test")).style == stored.style != ""


def test_apart_each_partial_model_is_of_a_style_of_its_own():
    drawn = many(count=400, styles_apart=True)
    dark = np.array([each.grain_boundaries.darkness >= 0.8 for each in drawn])
    quiet = np.array([each.white_noise.sd_grey == 4 for each in drawn])
    assert {each.style for each in drawn} == {""}
    for one, two in ((dark, 0.75), (quiet, 0.75), (dark & quiet, 0.75**2), (~dark & ~quiet, 0.25**2)):
        assert one.mean() == pytest.approx(two, abs=0.06)
    assert all((each.grain_boundaries.thickness_px == 3) == is_dark for each, is_dark in zip(drawn, dark, strict=True))


@given(st.integers(0, LARGEST_SEED), st.booleans())
def test_a_draw_lies_at_the_quantiles_of_its_seed(rng_seed, apart):
    mixed = scenario(styles_apart=apart)
    drawn = mixed.draw(stream(rng_seed, "test"))
    assert mixed.at(drawn.seed, quantiles(drawn.seed)) == drawn


def test_a_draw_of_a_class_lies_there_too_but_for_the_class(chips):
    drawn = chips.draw(stream(0, "test"), turn=1)
    expected = chips.at(drawn.seed, quantiles(drawn.seed))
    assert (drawn.label, expected.label) == ("crack", "intact")
    assert drawn.model_copy(update={"label": "intact"}) == expected


@pytest.mark.parametrize(
    ("u", "style", "darkness"),
    [(0, "faint", 0), (0.2499, "faint", 0.02499), (0.25, "dark", 0.85), (ALMOST_ONE, "dark", 1)],
)
def test_quantiles_by_hand(u, style, darkness):
    found = scenario().at(5, lambda _: u)
    assert (found.seed, found.style, found.rows, found.cols) == (5, style, 40, 56)
    assert found.grain_boundaries.darkness == pytest.approx(darkness)
    assert found.grain_structure.diameter_px == pytest.approx(10 + 30 * u)


def asked_of(mixed):
    """The names that `at` asks for, in the order of the class."""
    names = []
    mixed.at(0, lambda name: names.append(name) or 0.99)
    return names


def test_dimensions_are_the_style_and_what_is_not_constant_in_all():
    free = ["grain_structure.diameter_px", "grain_boundaries.darkness", "grain_shades.mean_grey"]
    assert scenario({}).dimensions == free
    assert scenario({"dark": TWO["dark"]}).dimensions == free
    assert scenario().dimensions == ["style", *free, "white_noise.sd_grey"]
    assert set(scenario().dimensions) - {"white_noise.sd_grey"} < set(asked_of(scenario()))  # constant in the last one


def test_dimensions_are_a_style_of_every_partial_model_where_they_are_apart():
    apart = scenario(styles_apart=True)
    styles = [f"style.{name}" for name in GRAINS.partial_models()]
    assert apart.dimensions == [*styles, *scenario().dimensions[1:]]
    assert [name for name in asked_of(apart) if name.startswith("style")] == styles
    assert scenario({}, styles_apart=True).dimensions == scenario({}).dimensions


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"styles": 5}, r"s\.styles is 5; give its parameters as keys, each with a number or a distribution\."),
        ({"styles": {"a": None}}, r"s\.styles\.a is None; give its parameters as keys"),
        (
            {"styles": {"a": {}}},
            r"s\.styles\.a\.weight is None; give the style's share of the images, from 0 to a million\.",
        ),
        ({"styles": {"a": {"weight": -1}}}, r"s\.styles\.a\.weight is -1; give"),
        ({"styles": {"a": {"weight": math.inf}}}, r"s\.styles\.a\.weight is inf; give"),
        (
            {"styles": {"a": {"weight": 0}, "b": {"weight": 0}}},
            r"s\.styles: all weights are 0; give one style a weight",
        ),
        (
            {"styles": {"a": {"weight": 1, "rust": {}}}},
            r"s\.styles\.a\.rust is not a known key; .*: weight, grain_struc",
        ),
        ({"styles": {"a": {"weight": 1, "twins": {"share": 2}}}}, r"s\.styles\.a\.twins\.share: 2 is not allowed"),
        ({"styles": {"a": {"weight": 0, "twins": {"rust": 2}}}}, r"s\.styles\.a\.twins\.rust is not a known key"),
        ({"styles": TWO, "styles_apart": 1}, r"s\.styles_apart is 1; give true or false\."),
        ({"style": {}}, r"s\.style is not a known key; the keys here are: rows, cols, .*, styles, styles_apart\."),
    ],
    ids=str,
)
def test_wrong_styles_say_what_is_wrong(change, said):
    with pytest.raises(Mistake, match=said):
        Scenario.read(GRAINS, COMMON | change, "s")


def test_the_common_section_is_whole_even_where_there_are_styles():
    common = {key: each for key, each in COMMON.items() if key != "grain_structure"}
    with pytest.raises(Mistake, match=r"^s\.grain_structure\.diameter_px is missing: Diameter of"):
        Scenario.read(GRAINS, common | {"styles": {"dark": TWO["dark"]}}, "s")
