import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from micromime.judging.metrics import LOWER_IS_BETTER, SEGMENTATION, boundary_f1, error_rate, mean_iou, pixel_error

TRUTH = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)
PREDICTION = np.array([[1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]], dtype=bool)
PAIRS = st.tuples(*[arrays(np.bool_, (7, 11))] * 2)


def line(col):
    mask = np.zeros((30, 60), dtype=bool)
    mask[:, col] = True
    return mask


def ring(width):
    rows, cols = np.ogrid[:61, :90]
    return np.abs(np.hypot(rows - 30, cols - 45) - 20) <= width / 2


def test_pixel_error_is_the_share_of_wrong_pixels():
    assert pixel_error(PREDICTION, TRUTH) == 3 / 12


def test_mean_iou_averages_boundary_and_grain():
    assert mean_iou(PREDICTION, TRUTH) == pytest.approx((1 / 4 + 8 / 11) / 2)


def test_mean_iou_where_a_class_is_absent():
    none = np.zeros((3, 4), dtype=bool)
    assert mean_iou(none, none) == mean_iou(~none, ~none) == 1
    assert mean_iou(none, TRUTH) == pytest.approx((0 + 10 / 12) / 2)
    assert mean_iou(none, ~none) == 0


@pytest.mark.parametrize(("shift", "score"), [(0, 1), (3, 1), (-3, 1), (4, 0), (-4, 0)])
def test_boundary_f1_allows_three_pixels(shift, score):
    assert boundary_f1(line(30 + shift), line(30)) == score


def test_boundary_f1_forgives_the_width_that_mean_iou_does_not():
    assert boundary_f1(ring(width=15), ring(width=3)) == 1
    assert mean_iou(ring(width=15), ring(width=3)) < 0.6


def test_boundary_f1_is_the_harmonic_mean_of_precision_and_recall():
    twice = line(12) | line(40)
    assert boundary_f1(twice, line(12)) == pytest.approx(2 * 0.5 * 1 / (0.5 + 1))
    assert boundary_f1(line(12), twice) == pytest.approx(2 * 1 * 0.5 / (1 + 0.5))


def test_boundary_f1_measures_distance_along_the_diagonal():
    here, there = np.zeros((2, 12, 20), dtype=bool)
    here[5, 5] = there[8, 8] = True
    assert boundary_f1(here, there) == 0
    assert boundary_f1(here, there, tolerance_px=4.25) == 1


def test_boundary_f1_without_boundaries():
    none = np.zeros((30, 60), dtype=bool)
    assert boundary_f1(none, none) == 1
    assert boundary_f1(none, line(30)) == boundary_f1(line(30), none) == 0


@pytest.mark.parametrize("name", SEGMENTATION)
@given(pair=PAIRS)
def test_scores_are_shares_and_do_not_care_which_mask_is_which(name, pair):
    score = SEGMENTATION[name](*pair)
    assert type(score) is float
    assert 0 <= score <= 1
    assert score == pytest.approx(SEGMENTATION[name](*pair[::-1]))


@pytest.mark.parametrize("name", SEGMENTATION)
@given(truth=arrays(np.bool_, (7, 11)))
def test_the_truth_itself_has_the_best_score(name, truth):
    assert SEGMENTATION[name](truth, truth.copy()) == (0 if name in LOWER_IS_BETTER else 1)


@given(pair=PAIRS)
def test_exchanging_the_classes_or_turning_the_picture_changes_nothing(pair):
    prediction, truth = pair
    for metric in (pixel_error, mean_iou):
        assert metric(~prediction, ~truth) == pytest.approx(metric(prediction, truth))
        assert metric(prediction.T, truth.T) == pytest.approx(metric(prediction, truth))


@pytest.mark.parametrize("name", SEGMENTATION)
@pytest.mark.parametrize("truth", [TRUTH.T, TRUTH[:1], TRUTH.astype(np.uint8) * 255, np.zeros((0, 4), dtype=bool)])
def test_what_cannot_be_compared_is_refused(name, truth):
    with pytest.raises(ValueError, match=r"cannot compare|must be boolean"):
        SEGMENTATION[name](PREDICTION, truth)
    with pytest.raises(ValueError, match=r"cannot compare|must be boolean"):
        SEGMENTATION[name](truth, PREDICTION)


def test_error_rate_is_wrong_over_all():
    rate = error_rate(np.array([0, 1, 1, 0, 2]), np.array([0, 1, 0, 1, 2]))
    assert rate == 2 / 5
    assert type(rate) is float


@pytest.mark.parametrize("count", [0, 2])
def test_error_rate_refuses_lists_that_do_not_fit(count):
    with pytest.raises(ValueError, match="cannot compare"):
        error_rate(np.zeros(count, dtype=int), np.zeros(0, dtype=int))
