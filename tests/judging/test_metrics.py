import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import distance_transform_edt
from skimage.morphology import skeletonize
from sklearn.metrics import average_precision_score

from micromime.judging.metrics import (
    LOWER_IS_BETTER,
    SCORES,
    SEGMENTATION,
    average_precision,
    betti_error,
    boundary_f1,
    cl_dice,
    error_rate,
    mean_iou,
    pixel_error,
)

TRUTH = np.array([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)
PREDICTION = np.array([[1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]], dtype=bool)
MASKS = arrays(np.bool_, (7, 11))
LEVELS = arrays(np.float32, (7, 11), elements=st.sampled_from([0, 0.25, 0.5, 0.75, 1]))
OF_MASKS = {**SEGMENTATION, "cl_dice": cl_dice, "betti_error": betti_error}


def line(col):
    mask = np.zeros((30, 60), dtype=bool)
    mask[:, col] = True
    return mask


def ring(width):
    rows, cols = np.ogrid[:61, :90]
    return np.abs(np.hypot(rows - 30, cols - 45) - 20) <= width / 2


@pytest.mark.parametrize("name", OF_MASKS)
@given(prediction=MASKS, truth=MASKS)
def test_every_metric_is_a_share_does_not_care_which_mask_is_which_and_is_best_for_the_truth(name, prediction, truth):
    score = OF_MASKS[name](prediction, truth)
    assert type(score) is float
    assert 0 <= score <= 1
    assert score == pytest.approx(OF_MASKS[name](truth, prediction))
    assert OF_MASKS[name](truth, truth.copy()) == (0 if name in LOWER_IS_BETTER else 1)


@pytest.mark.parametrize("name", OF_MASKS)
@pytest.mark.parametrize("other", [TRUTH.T, TRUTH[:1], TRUTH.astype(np.uint8) * 255, np.zeros((0, 4), dtype=bool)])
def test_what_cannot_be_compared_is_refused(name, other):
    for pair in ((PREDICTION, other), (other, PREDICTION)):
        with pytest.raises(ValueError, match=r"cannot compare|must be boolean"):
            OF_MASKS[name](*pair)


def test_less_is_better_of_errors_alone():
    assert {name for name in SCORES if "error" in name} == LOWER_IS_BETTER


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


@given(prediction=MASKS, truth=MASKS, tolerance_px=st.sampled_from([0, 1, 1.5, 3, 4.25]))
def test_boundary_f1_is_that_of_distances_of_all_pixels(prediction, truth, tolerance_px):
    found, real = skeletonize(prediction), skeletonize(truth)
    if found.any() and real.any():
        precision, recall = (
            np.mean(distance_transform_edt(~other)[skeleton] <= tolerance_px)
            for skeleton, other in ((found, real), (real, found))
        )
        slowly = 2 * precision * recall / (precision + recall) if precision + recall else 0
        assert boundary_f1(prediction, truth, tolerance_px) == slowly


@pytest.mark.parametrize("metric", [boundary_f1, cl_dice])
def test_skeletons_of_nothing_agree_with_nothing_alone(metric):
    none = np.zeros((30, 60), dtype=bool)
    assert metric(none, none) == 1
    assert metric(none, line(30)) == metric(line(30), none) == 0


@given(prediction=MASKS, truth=MASKS)
def test_exchanging_the_classes_or_turning_the_picture_changes_nothing(prediction, truth):
    for metric in (pixel_error, mean_iou):
        assert metric(~prediction, ~truth) == pytest.approx(metric(prediction, truth))
        assert metric(prediction.T, truth.T) == pytest.approx(metric(prediction, truth))


def test_error_rate_is_wrong_over_all():
    rate = error_rate(np.array([0, 1, 1, 0, 2]), np.array([0, 1, 0, 1, 2]))
    assert rate == 2 / 5
    assert type(rate) is float


@pytest.mark.parametrize("count", [0, 2])
def test_error_rate_refuses_lists_that_do_not_fit(count):
    with pytest.raises(ValueError, match="cannot compare"):
        error_rate(np.zeros(count, dtype=int), np.zeros(0, dtype=int))


CHEQUERED = np.array([[1, 0, 1], [0, 0, 1]], dtype=bool)


@pytest.mark.parametrize(
    ("probability", "score"),
    [
        # In order of probability: right, wrong, right, wrong, wrong, right.
        ([[0.9, 0.8, 0.7], [0.6, 0.5, 0.1]], (1 / 1 + 2 / 3 + 3 / 6) / 3),
        ([[0.9, 0.9, 0.1], [0.1, 0.1, 0.1]], 1 / 3 * 1 / 2 + 2 / 3 * 3 / 6),  # equal ones are one step
        ([[0.3] * 3] * 2, 3 / 6),  # what tells nothing scores the share of boundary
    ],
    ids=str,
)
def test_average_precision_by_hand(probability, score):
    assert average_precision(np.array(probability, dtype=np.float32), CHEQUERED) == pytest.approx(score)


@given(probability=LEVELS, truth=MASKS)
def test_average_precision_is_the_sum_over_all_thresholds_and_only_the_order_counts(probability, truth):
    score, recalled, total = 0.0, 0.0, truth.sum()
    for threshold in np.unique(probability)[::-1]:
        found = probability >= threshold
        recall = (found & truth).sum() / max(total, 1)
        score += (recall - recalled) * (found & truth).sum() / found.sum()
        recalled = recall
    seen = average_precision(probability, truth)
    assert type(seen) is float
    assert seen == pytest.approx(score if total else 1)  # without boundary there is nothing to miss
    assert average_precision(probability**2 / 3, truth) == pytest.approx(seen)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@given(probability=arrays(np.float64, (7, 11), elements=st.floats(0, 1)), truth=MASKS)
def test_average_precision_is_that_of_scikit_learn_to_the_last_digit(kind, probability, truth):
    probability = probability.astype(kind)
    if truth.any():
        assert average_precision(probability, truth) == average_precision_score(truth.ravel(), probability.ravel())


@pytest.mark.parametrize(
    ("level", "truth"),
    [
        *((0, each) for each in (CHEQUERED.T, CHEQUERED[0], CHEQUERED.astype(np.uint8), np.zeros((0, 3), dtype=bool))),
        *((each, CHEQUERED) for each in (np.nan, -0.1, 1.1)),
    ],
)
def test_average_precision_refuses_what_cannot_be_compared(level, truth):
    with pytest.raises(ValueError, match=r"cannot compare|must be boolean"):
        average_precision(np.full((2, 3), level, dtype=np.float32), truth)
