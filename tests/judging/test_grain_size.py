import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import KDTree
from scipy.stats import t as student_t

from micromime.judging.grain_size import (
    E112_SLOPE,
    astm_difference,
    astm_difference_of,
    astm_number,
    astm_number_of,
    compare_sizes,
    crossings_per_px,
    diameters_px,
    grain_size,
    label_intercept_px,
    mean_intercept,
)

LABELS = arrays(np.uint16, (9, 14), elements=st.integers(1, 4))


def chessboard(rows=3, cols=4, height=20, width=30):
    """Rectangles, numbered row by row."""
    numbers = np.arange(1, rows * cols + 1, dtype=np.uint16).reshape(rows, cols)
    return numbers.repeat(height, axis=0).repeat(width, axis=1)


def stripes(*widths, rows=24):
    """Upright stripes."""
    return np.tile(np.repeat(np.arange(1, len(widths) + 1, dtype=np.uint16), widths), (rows, 1))


def squares():
    """A square of 10 in one of 30 in one of 50 x 60, all about one centre."""
    labels = np.ones((50, 60), dtype=np.uint16)
    labels[10:40, 15:45] = 2
    labels[20:30, 25:35] = 3
    return labels


def cells(rng, rows=96, cols=128, diameter_px=14):
    """Random grains: the nearest of points that lie anywhere."""
    margin = 3 * diameter_px
    size = np.array([rows + 2 * margin, cols + 2 * margin])
    nuclei = rng.random((round(size.prod() / (math.pi / 4 * diameter_px**2)), 2)) * size
    pixels = np.stack(np.mgrid[margin : margin + rows, margin : margin + cols], axis=-1)
    return (KDTree(nuclei).query(pixels)[1] + 1).astype(np.uint16)


def test_diameters_are_those_of_circles_of_the_same_area():
    assert diameters_px(chessboard()) == pytest.approx([math.sqrt(4 / math.pi * 20 * 30)] * 12)
    assert diameters_px(squares()) ** 2 * math.pi / 4 == pytest.approx([50 * 60 - 30**2, 30**2 - 10**2, 10**2])


def test_what_is_no_grain_has_no_diameter():
    assert len(diameters_px(np.array([[0, 3, 3], [0, 9, 0]], dtype=np.uint16))) == 2
    assert grain_size(np.zeros((4, 6), np.uint16)) == {"grains": 0, "diameter_px": None, "intercept_px": None}
    diameters = [math.sqrt(4 * area / math.pi) for area in (24 * 5, 24 * 9, 24 * 6)]
    expected = {"grains": 3, "diameter_px": pytest.approx(sum(diameters) / 3), "intercept_px": 2 * 480 / 48}
    assert grain_size(stripes(5, 9, 6)) == expected


# Label map and intersections along all rows and all columns.
BY_HAND = {
    "chessboard": (chessboard(), 60 * 3 + 120 * 2),
    "stripes": (stripes(5, 9, 6), 24 * 2),
    "squares": (squares(), 30 * 2 + 30 * 2 + 10 * 2 + 10 * 2),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_the_intercept_is_length_over_intersections(name):
    labels, crossings = BY_HAND[name]
    assert label_intercept_px(labels) == 2 * labels.size / crossings
    assert mean_intercept(labels)["intercept_px"] == pytest.approx(2 * labels.size / crossings)


@pytest.mark.parametrize("number", [0, 7])
def test_fewer_than_two_grains_have_no_intercept(number):
    one = np.full((20, 30), number, dtype=np.uint16)
    assert label_intercept_px(one) is mean_intercept(one) is astm_difference_of(one, one) is None
    assert astm_difference_of(one, chessboard(1, 2, 20, 15)) is None


def test_test_lines_lie_evenly_rows_first():
    """60 rows and 120 columns, 25 px apart: 2 rows and 4 columns."""
    assert crossings_per_px(chessboard(), 25) == pytest.approx([3 / 120] * 2 + [2 / 60] * 4)
    assert crossings_per_px(chessboard(), 1000) == pytest.approx([3 / 120, 2 / 60])
    staircase = np.tril(np.ones((6, 6), dtype=np.uint16)) + 1
    assert crossings_per_px(staircase, 2).tolist() == [1 / 6, 1 / 6, 0, 1 / 6, 1 / 6, 1 / 6]


def test_the_interval_is_that_of_e112_by_hand():
    measured = mean_intercept(chessboard())
    spacing = 1.5 * 2 * 7200 / 420
    lines = [3 / 120] * int(60 // spacing) + [2 / 60] * int(120 // spacing)
    half = student_t.ppf(0.975, len(lines) - 1) * np.std(lines, ddof=1) / math.sqrt(len(lines))
    assert (measured["n_lines"], measured["spacing_px"]) == (3, pytest.approx(spacing))
    assert measured["relative_accuracy"] == pytest.approx(half * 7200 * 2 / 420)
    assert measured["lo_px"] == pytest.approx(1 / (420 / 14400 + half))
    assert measured["hi_px"] == pytest.approx(1 / (420 / 14400 - half))


def test_there_is_no_interval_without_lines_that_differ():
    lonely = np.ones((40, 60), dtype=np.uint16)
    lonely[2, 3] = 2  # 4 changes: lines 1,800 px apart, one of each direction, that miss it
    measured = mean_intercept(lonely)
    assert measured["n_lines"] == 2
    assert measured["lo_px"] is measured["hi_px"] is measured["relative_accuracy"] is None
    assert json.loads(json.dumps(measured, allow_nan=False)) == measured


def test_an_interval_may_have_no_upper_end():
    """Two lines, of which one is crossed: half an interval of 12.7 standard errors reaches below 0."""
    measured = mean_intercept(stripes(20, 20, rows=40))
    assert measured["n_lines"] == 2
    assert 0 < measured["lo_px"] < measured["intercept_px"]
    assert measured["hi_px"] is None


def test_lines_apart_hold_the_true_mean_in_95_percent_and_all_lines_in_less_than_half():
    """100 pictures of like grains: their overall mean is the true one."""
    pictures = [cells(np.random.default_rng(seed)) for seed in range(100)]
    true = np.mean([1 / label_intercept_px(each) for each in pictures])
    measured = [mean_intercept(each) for each in pictures]
    fields = [each["lo_px"] <= 1 / true <= each["hi_px"] for each in measured]
    lines = [crossings_per_px(each, 1) for each in pictures]
    all_lines = [abs(each.mean() - true) <= 1.96 * each.std(ddof=1) / math.sqrt(len(each)) for each in lines]
    assert 0.9 <= np.mean(fields) <= 0.99
    assert np.mean(all_lines) < 0.5


def test_astm_numbers_are_those_of_the_ends_of_the_interval():
    measured = mean_intercept(cells(np.random.default_rng(1)))
    number = astm_number_of(measured, 0.5)
    assert number["number"] == astm_number(measured["intercept_px"] * 0.5 / 1000)
    assert number["lo"] == astm_number(measured["hi_px"] * 0.5 / 1000) < number["number"] < number["hi"]
    assert astm_number_of(measured, 0.25)["number"] == pytest.approx(number["number"] + 2, abs=1e-5)
    assert astm_number_of(measured | {"hi_px": None}, 0.5)["lo"] is None
    with pytest.raises(ValueError, match=r"positive|domain"):
        astm_number_of(measured, 0)


def test_the_difference_of_a_map_from_itself_is_certain():
    labels = cells(np.random.default_rng(2))
    same = astm_difference_of(labels, labels.copy())
    assert same == {"number": 0, "lo": 0, "hi": 0, "n_lines": mean_intercept(labels)["n_lines"]}


def test_a_difference_by_hand():
    """Rows of 3 and of 7 stripes where there are 3: every row twice, every column nothing."""
    truth, found = stripes(30, 30, 30, rows=60), stripes(30, 30, 30, rows=60)
    found[30:] = stripes(10, 15, 15, 15, 15, 10, 10, rows=30)
    changes = (30 * 2 + 30 * 6 + np.count_nonzero(found[30] != found[29])) / (60 * 2)
    said = astm_difference_of(found, truth)
    assert said["number"] == pytest.approx(-E112_SLOPE * math.log10(changes))
    assert said["number"] == astm_difference(label_intercept_px(found), label_intercept_px(truth))
    assert (said["lo"] + said["hi"]) / 2 == pytest.approx(said["number"])
    assert said["lo"] < said["number"]


def test_what_both_maps_share_does_not_widen_the_interval_of_a_difference():
    truth = cells(np.random.default_rng(3))
    merged = np.where(truth % 8 == 0, truth - 1, truth).astype(np.uint16)
    said, alone = astm_difference_of(merged, truth), astm_number_of(mean_intercept(truth), 1)
    assert said["number"] <= 0
    assert said["hi"] - said["lo"] < (alone["hi"] - alone["lo"]) / 2


@given(labels=LABELS, numbers=st.permutations(range(1, 60)))
def test_other_numbers_change_nothing(labels, numbers):
    renumbered = np.array([0, *numbers], dtype=np.uint16)[labels]
    assert label_intercept_px(renumbered) == label_intercept_px(labels)
    assert mean_intercept(renumbered) == mean_intercept(labels)
    assert sorted(diameters_px(renumbered)) == sorted(diameters_px(labels))
    assert label_intercept_px(labels.T) == label_intercept_px(labels)


def test_lines_between_grains_and_other_shapes_are_refused():
    with_lines = chessboard()
    with_lines[:, 30] = 0
    for measure in (label_intercept_px, mean_intercept, lambda labels: astm_difference_of(labels, labels)):
        with pytest.raises(ValueError, match="must belong to a grain"):
            measure(with_lines)
    with pytest.raises(ValueError, match="cannot compare"):
        astm_difference_of(chessboard(), chessboard().T)


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
