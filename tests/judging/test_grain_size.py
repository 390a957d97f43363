import json
import math

import pandas as pd
import pytest
from micromime.judging.size_comparison import compare_sizes

from micromime.judging.grain_size import astm_difference, astm_number

# Mean linear intercept, um, of whole numbers G from 0 on (ASTM E112, its table of relations between sizes).
ASTM_UM = [320.0, 226.3, 160.0, 113.1, 80.0, 56.6, 40.0, 28.3, 20.0, 14.1, 10.0]


@pytest.mark.parametrize(("number", "um"), list(enumerate(ASTM_UM)))
def test_astm_numbers_are_those_of_its_table(number, um):
    assert astm_number(um / 1000) == pytest.approx(number, abs=0.01)


def test_half_the_intercept_is_two_numbers_more():
    assert astm_difference(15, 30) == pytest.approx(2, abs=1e-6) == -astm_difference(30, 15)
    assert astm_difference(15, 30) == pytest.approx(astm_number(0.015) - astm_number(0.030))
    assert math.isnan(astm_difference(math.nan, 30))
    with pytest.raises(ValueError, match=r"positive|domain"):
        astm_number(0)


NONE = float("nan")
COLUMNS = ["kind", "name", "run", "picture", "source", "grains", "diameter_px", "intercept_px", "um_per_px"]
MEASURED = [
    ("truth", "truth", 0, "a", "steel", 10, 25.0, 20.0, 1.0),
    ("truth", "truth", 0, "b", "iron", 40, 50.0, 40.0, NONE),
    ("baseline", "otsu", 0, "a", "steel", 20, 20.0, 10.0, 1.0),
    ("baseline", "otsu", 0, "b", "iron", 20, 70.0, 80.0, NONE),
    ("arm", "base", 1, "a", "steel", 10, 25.0, 20.0, 1.0),
    ("arm", "base", 1, "b", "iron", 30, 55.0, 40.0, NONE),
    ("arm", "base", 2, "a", "steel", 12, 20.0, 10.0, 1.0),
    ("arm", "base", 2, "b", "iron", 1, None, None, NONE),
]


@pytest.fixture
def sizes():
    return pd.DataFrame(MEASURED, columns=COLUMNS)


def test_the_truth_has_a_number_where_a_scale_is_known(sizes):
    compared = compare_sizes(sizes)
    assert compared["all"]["n"] == 2
    steel = {
        "grains": 10,
        "diameter_px": 25,
        "intercept_px": 20,
        "astm_number": pytest.approx(8, abs=0.01),
        "n_astm": 1,
    }
    assert compared["by_source"]["steel"]["truth"] == steel
    assert compared["all"]["truth"] == steel | {"grains": 25, "diameter_px": 37.5, "intercept_px": 30}
    iron = {"grains": 40, "diameter_px": 50, "intercept_px": 40, "astm_number": None, "n_astm": 0}
    assert compared["by_source"]["iron"]["truth"] == iron


def test_a_baseline_is_compared_picture_by_picture(sizes):
    compared = compare_sizes(sizes)
    assert compared["all"]["baselines"]["otsu"] == {
        "grains": 20,
        "grains_ratio": (20 / 10 + 20 / 40) / 2,
        "diameter_px": 45,
        "diameter_ratio": pytest.approx((20 / 25 + 70 / 50) / 2),
        "intercept_px": 45,
        "astm_difference": pytest.approx(0),
        "astm_absolute_difference": pytest.approx(2, abs=1e-6),
        "no_intercept": 0,
    }
    assert compared["by_source"]["iron"]["baselines"]["otsu"]["astm_difference"] == pytest.approx(-2, abs=1e-6)


def test_an_arm_has_means_and_sds_over_runs(sizes):
    arm = compare_sizes(sizes)["all"]["arms"]["base"]
    assert arm["grains"] == {"mean": (20 + 6.5) / 2, "sd": pytest.approx(13.5 / math.sqrt(2))}
    assert arm["grains_ratio"]["mean"] == pytest.approx(((1 + 0.75) / 2 + (1.2 + 1 / 40) / 2) / 2)
    assert arm["diameter_px"]["mean"] == (40 + 20) / 2
    assert arm["diameter_ratio"]["mean"] == pytest.approx(((1 + 1.1) / 2 + 0.8) / 2)
    assert arm["intercept_px"]["mean"] == (30 + 10) / 2
    assert arm["astm_difference"]["mean"] == pytest.approx((0 + 2) / 2, abs=1e-6)
    assert arm["no_intercept"]["mean"] == (0 + 1) / 2


def test_there_is_none_where_there_is_nothing(sizes):
    iron = compare_sizes(sizes)["by_source"]["iron"]["arms"]["base"]
    assert iron["astm_difference"] == {"mean": 0, "sd": None}  # of run 1 alone
    blind = sizes.assign(intercept_px=sizes["intercept_px"].where(sizes["kind"] == "truth"))
    arm = compare_sizes(blind)["all"]["arms"]["base"]
    assert arm["intercept_px"] == arm["astm_absolute_difference"] == {"mean": None, "sd": None}
    assert arm["no_intercept"]["mean"] == 2
    no_grain = compare_sizes(sizes.assign(grains=0))["all"]
    assert no_grain["baselines"]["otsu"]["grains_ratio"] is None


def test_the_comparison_is_json_without_nan_whatever_the_order_of_rows(sizes):
    compared = compare_sizes(sizes)
    assert json.loads(json.dumps(compared, allow_nan=False)) == compared
    assert compare_sizes(sizes[::-1]) == compared
    assert compare_sizes(sizes.astype({"intercept_px": object})) == compared


@pytest.mark.parametrize("spoil", [lambda t: t.drop(index=1), lambda t: pd.concat([t, t[:1]])])
def test_every_picture_needs_one_truth(sizes, spoil):
    with pytest.raises(ValueError, match="one row of its truth"):
        compare_sizes(spoil(sizes))
