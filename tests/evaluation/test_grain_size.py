import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import binary_dilation

from micromime.evaluation.grain_size import (
    LEAST_GRAIN_PX,
    astm_difference,
    astm_number,
    count_grains,
    mean_intercept_px,
)
from micromime.evaluation.size_comparison import compare_sizes

POSITIONS = st.sets(st.integers(1, 5)).map(lambda places: [8 * place for place in places])
TURNS = [np.transpose, np.flipud, np.fliplr, np.rot90, lambda mask: np.rot90(mask, 3)]


def grid(rows_at, cols_at, width=1, shape=(48, 80)):
    mask = np.zeros(shape, dtype=bool)
    for offset in range(width):
        mask[[row + offset for row in rows_at]] = True
        mask[:, [col + offset for col in cols_at]] = True
    return mask


def diagonal(rows=20, cols=30, first_col=3):
    mask = np.zeros((rows, cols), dtype=bool)
    mask[range(rows), range(first_col, first_col + rows)] = True
    return mask


# Mask, grains, intersections along all rows and all columns.
BY_HAND = {
    "nothing": (grid([], []), 1, 0),
    "one line": (grid([], [10], shape=(20, 30)), 2, 20),
    "one line across": (grid([10], [], shape=(20, 30)), 2, 30),
    "along the edge": (grid([], [0], shape=(20, 30)), 1, 20 / 2),
    "grid": (grid([10, 25], [20, 40, 60]), 3 * 4, (48 - 2) * 3 + (80 - 3) * 2),
    "diagonal": (diagonal(), 2, 20 + (18 + 2 / 2)),  # its first and last pixel are ends of columns
    "open end": (grid([], [10], shape=(20, 30)) & (np.arange(20) < 8)[:, None], 1, 8 + 1 / 2),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_grains_and_intercept_by_hand(name):
    mask, grains, intersections = BY_HAND[name]
    assert count_grains(mask) == grains
    rows, cols = mask.shape
    length = rows * cols + cols * rows
    assert mean_intercept_px(mask) == (length / intersections if intersections else None)


def test_where_all_is_boundary_there_is_no_grain():
    assert count_grains(np.ones((20, 30), dtype=bool)) == 0
    assert mean_intercept_px(np.ones((20, 30), dtype=bool)) is None


def test_a_pocket_in_a_line_is_no_grain():
    mask = grid([], [20], width=9)
    pocket, grain = mask.copy(), mask.copy()
    pocket[20:24, 22:28] = False
    grain[20:25, 22:27] = False
    assert (~pocket[:, 20:29]).sum() == LEAST_GRAIN_PX - 1
    assert [count_grains(each) for each in (mask, pocket, grain)] == [2, 2, 3]
    assert mean_intercept_px(pocket) == mean_intercept_px(mask) != mean_intercept_px(grain)


def test_a_pocket_that_touches_a_grain_with_a_corner_is_none_either():
    mask = np.zeros((20, 30), dtype=bool)
    mask[range(5), range(4, -1, -1)] = True  # cuts 10 px off the picture's corner
    assert count_grains(mask) == 1


def test_a_wide_line_is_one_line():
    thin, wide = (grid([], [40], width=width, shape=(96, 80)) for width in (1, 8))
    assert count_grains(wide) == count_grains(thin)
    assert mean_intercept_px(wide) == pytest.approx(mean_intercept_px(thin), rel=0.05)


@given(rows_at=POSITIONS, cols_at=POSITIONS, width=st.integers(1, 3))
def test_lines_across_lines_make_as_many_grains_however_wide_they_are(rows_at, cols_at, width):
    assert count_grains(grid(rows_at, cols_at, width)) == (len(rows_at) + 1) * (len(cols_at) + 1)


@given(mask=arrays(np.bool_, (14, 22)))
def test_turning_the_picture_changes_no_count(mask):
    assert {count_grains(turn(mask)) for turn in TURNS} == {count_grains(mask)}


@given(rows_at=POSITIONS, cols_at=POSITIONS)
def test_turning_the_picture_changes_no_intercept_of_thin_lines(rows_at, cols_at):
    mask = grid(rows_at, cols_at)
    assert {mean_intercept_px(turn(mask)) for turn in TURNS} == {mean_intercept_px(mask)}


def label_intercept_px(labels):
    """The mean linear intercept where grains have no boundary between them, only other numbers."""
    changes = np.count_nonzero(labels[:, 1:] != labels[:, :-1]) + np.count_nonzero(labels[1:] != labels[:-1])
    return 2 * labels.size / changes


@pytest.fixture(scope="module")
def samples(grains):
    return [grains.draw_one(4, index).render() for index in range(20)]


def test_rendered_masks_hold_the_grains_of_their_label_map(samples):
    """Exactly, but for what lines cover at the border: as many as leave room for a grain beside their lines."""
    visible = [np.bincount(sample.labels[~sample.mask]) for sample in samples]
    labelled = [np.count_nonzero(pixels >= LEAST_GRAIN_PX) for pixels in visible]
    counted = [count_grains(sample.mask) for sample in samples]
    assert min(labelled) >= 4
    assert np.abs(np.subtract(counted, labelled)).max() <= 1
    assert sum(counted) == pytest.approx(sum(labelled), rel=0.01)


def test_the_intercept_of_rendered_masks_is_that_of_their_label_map(samples):
    """Within 12 % each and 5 % on average, which is 0.33 and 0.14 in G."""
    true_px = [label_intercept_px(sample.labels) for sample in samples]
    ratios = np.divide([mean_intercept_px(sample.mask) for sample in samples], true_px)
    assert ratios.mean() == pytest.approx(1, abs=0.05)
    assert np.abs(ratios - 1).max() <= 0.12


def test_wider_lines_hardly_change_the_intercept(samples):
    """A pixel more on either side, where lines are 2 to 7 px wide."""
    differences = [
        astm_difference(
            mean_intercept_px(binary_dilation(sample.mask, np.ones((3, 3)))), mean_intercept_px(sample.mask)
        )
        for sample in samples
    ]
    assert np.mean(np.abs(differences)) <= 0.1


@pytest.mark.parametrize("measure", [count_grains, mean_intercept_px])
def test_a_mask_of_greys_is_refused(measure):
    with pytest.raises(ValueError, match="must be boolean, not uint8"):
        measure(np.full((20, 30), 255, dtype=np.uint8))


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
COLUMNS = ["kind", "name", "run", "picture", "source", "grains", "intercept_px", "um_per_px"]
MEASURED = [
    ("truth", "truth", 0, "a", "steel", 10, 20.0, 1.0),
    ("truth", "truth", 0, "b", "iron", 40, 40.0, NONE),
    ("baseline", "otsu", 0, "a", "steel", 20, 10.0, 1.0),
    ("baseline", "otsu", 0, "b", "iron", 20, 80.0, NONE),
    ("arm", "base", 1, "a", "steel", 10, 20.0, 1.0),
    ("arm", "base", 1, "b", "iron", 30, 40.0, NONE),
    ("arm", "base", 2, "a", "steel", 12, 10.0, 1.0),
    ("arm", "base", 2, "b", "iron", 1, None, NONE),
]


@pytest.fixture
def sizes():
    return pd.DataFrame(MEASURED, columns=COLUMNS)


def test_the_truth_has_a_number_where_a_scale_is_known(sizes):
    compared = compare_sizes(sizes)
    assert compared["all"]["n"] == 2
    steel = {"grains": 10, "intercept_px": 20, "astm_number": pytest.approx(8, abs=0.01), "n_astm": 1}
    assert compared["by_source"]["steel"]["truth"] == steel
    assert compared["all"]["truth"] == steel | {"grains": 25, "intercept_px": 30}
    iron = {"grains": 40, "intercept_px": 40, "astm_number": None, "n_astm": 0}
    assert compared["by_source"]["iron"]["truth"] == iron


def test_a_baseline_is_compared_picture_by_picture(sizes):
    compared = compare_sizes(sizes)
    assert compared["all"]["baselines"]["otsu"] == {
        "grains": 20,
        "grains_ratio": (20 / 10 + 20 / 40) / 2,
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
