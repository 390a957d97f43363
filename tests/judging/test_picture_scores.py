"""What is measured of an answer to one picture, by hand on a line of ten pixels and on a cross of lines."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from micromime.judging.picture_scores import THRESHOLDS, Picture, at_thresholds, classified, measured
from micromime.judging.tested_pictures import grain_size

from micromime.judging import tested_pictures
from micromime.judging.metrics import SCORED, SEGMENTATION, TESTED

LINE = np.zeros((6, 10), dtype=np.bool_)
LINE[2] = True
"""One row of six."""

CROSS = np.zeros((60, 90), dtype=np.bool_)
CROSS[29:32] = CROSS[:, 30:34] = True
"""Lines between four grains: 29 and 28 px high, 30 and 56 px wide, and up to the middle of the lines."""


of_test = tested_pictures.tested  # a name that pytest would take for a test


def picture(truth, number=-1):
    return Picture("p", np.zeros(truth.shape, np.uint8), truth, number)


def found(*, right, left, elsewhere=0.1):
    """Probabilities on both halves of the line, and beside it."""
    probability = np.where(LINE, right, elsewhere).astype(np.float32)
    probability[2, :5] = left
    return probability


def test_a_mask_is_what_is_more_likely_than_not():
    row = measured(picture(LINE), found(right=0.9, left=0.5))
    assert row["picture"] == "p"
    assert row["pixel_error"] == 5 / 60
    assert row["mean_iou"] == pytest.approx((5 / 10 + 50 / 55) / 2)
    assert row["boundary_f1"] == pytest.approx(2 * 8 / 10 / (1 + 8 / 10))  # three of the lost five lie within 3 px


def test_other_thresholds_find_more_or_less():
    row = measured(picture(LINE), found(right=0.65, left=0.45, elsewhere=0.35))
    half = (5 / 10 + 50 / 55) / 2
    everything, nothing = (10 / 60 + 0) / 2, (0 + 50 / 60) / 2
    at = {0.4: 1, 0.5: half, 0.6: half} | dict.fromkeys((0.1, 0.2, 0.3), everything)
    at |= dict.fromkeys((0.7, 0.8, 0.9), nothing)
    assert {t: row[f"mean_iou.at_{t}"] for t in THRESHOLDS} == pytest.approx(at)
    assert row["mean_iou.at_0.5"] == row["mean_iou"]


def test_average_precision_asks_for_no_threshold():
    row = measured(picture(LINE), found(right=0.4, left=0.2))
    assert (row["average_precision"], row["mean_iou"]) == (1, (0 + 50 / 60) / 2)
    # Half of the line is found first, then all pixels beside it, then the rest: 1/2 * 1 + 1/2 * 10/60.
    assert measured(picture(LINE), found(right=0.4, left=0.0))["average_precision"] == pytest.approx(1 / 2 + 1 / 12)


def test_samples_and_test_pictures_have_their_columns():
    sample, test = (row(picture(CROSS), CROSS.astype(np.float32)) for row in (measured, of_test))
    at = [f"mean_iou.at_{each}" for each in THRESHOLDS]
    assert list(sample) == ["picture", *SCORED, *at]
    further = [f"{name}.at_{each}" for name in SEGMENTATION if name != "mean_iou" for each in THRESHOLDS]
    grains = ["grains", "diameter_px", "intercept_px", "astm_lo", "astm_hi"]
    assert {*test} == {*sample, *TESTED, *further, *grains}
    assert {key: test[key] for key in sample} == sample


def test_a_test_picture_that_is_all_right_has_the_best_of_every_score():
    row = of_test(picture(CROSS), CROSS.astype(np.float32))
    best = {name: 0 if name in ("pixel_error", "betti_error") else 1 for name in TESTED}
    assert {name: row[name] for name in TESTED} == best
    assert row["grains"] == 4
    assert row["astm_lo"] < 0 < row["astm_hi"]


def test_where_nothing_is_found_there_is_one_grain_and_no_intercept():
    row = of_test(picture(CROSS), np.zeros(CROSS.shape, np.float32))
    assert (row["grains"], row["intercept_px"], row["astm_lo"], row["astm_hi"]) == (1, None, None, None)
    assert row["diameter_px"] == pytest.approx(math.sqrt(4 * 60 * 90 / math.pi))
    assert (row["matched_grains"], row["cl_dice"], row["betti_error"]) == (0, 0, 1)
    assert row["average_precision"] == pytest.approx(CROSS.mean())


def test_grains_are_closed_where_a_line_is_too_faint_for_the_mask():
    probability = CROSS.astype(np.float32)
    probability[:, 60:64] += 0.4 * ~CROSS[:, 60:64]
    row = of_test(picture(CROSS), probability)
    assert (row["pixel_error"], row["grains"]) == (0, 6)


def test_grains_are_counted_and_have_a_mean_diameter_and_intercept():
    grains = np.ones((40, 60), dtype=np.uint16)
    grains[:, 20:] = 2
    size = grain_size(grains)
    diameters = [math.sqrt(4 * area / math.pi) for area in (40 * 20, 40 * 40)]
    assert (size["grains"], size["diameter_px"]) == (2, pytest.approx(sum(diameters) / 2))
    assert grain_size(np.zeros((4, 6), np.uint16)) == {"grains": 0, "diameter_px": None, "intercept_px": None}


@given(probability=arrays(np.float32, (6, 10), elements=st.floats(0, 1, width=32)))
def test_scores_at_thresholds_are_those_of_the_masks_there(probability):
    row = at_thresholds(picture(LINE), probability, ["pixel_error"])
    assert row == {f"pixel_error.at_{t}": float(np.mean((probability > t) != LINE)) for t in THRESHOLDS}


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_row_is_json(value):
    row = of_test(picture(CROSS), np.full(CROSS.shape, value, np.float32))
    assert json.loads(json.dumps(row, allow_nan=False)) == row


@pytest.mark.parametrize(("probability", "number", "wrong"), [(0.6, 1, 0), (0.6, 0, 1), (0.5, 0, 0), (0.4, 1, 1)])
def test_a_picture_is_of_the_second_class_where_that_is_more_likely_than_not(probability, number, wrong):
    row = classified(picture(LINE, number), probability)
    assert row == {"picture": "p", "error_rate": wrong, "probability": probability}
