import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from micromime.judging.average_precision import average_precision

TRUTH = np.array([[1, 0, 1], [0, 0, 1]], dtype=bool)
LEVELS = arrays(np.float32, (7, 11), elements=st.sampled_from([0, 0.25, 0.5, 0.75, 1]))


def test_by_hand():
    """In order of probability: right, wrong, right, wrong, wrong, right."""
    probability = np.array([[0.9, 0.8, 0.7], [0.6, 0.5, 0.1]], dtype=np.float32)
    assert average_precision(probability, TRUTH) == pytest.approx((1 / 1 + 2 / 3 + 3 / 6) / 3)


def test_equal_probabilities_are_one_step():
    probability = np.array([[0.9, 0.9, 0.1], [0.1, 0.1, 0.1]], dtype=np.float32)
    assert average_precision(probability, TRUTH) == pytest.approx(1 / 3 * 1 / 2 + 2 / 3 * 3 / 6)


def test_what_tells_nothing_scores_the_share_of_boundary():
    assert average_precision(np.full((2, 3), 0.3, dtype=np.float32), TRUTH) == pytest.approx(3 / 6)


def test_without_boundary_there_is_nothing_to_miss():
    none = np.zeros((2, 3), dtype=bool)
    assert average_precision(np.full((2, 3), 0.3, dtype=np.float32), none) == 1
    assert average_precision(np.full((2, 3), 0.3, dtype=np.float32), ~none) == 1


@given(probability=LEVELS, truth=arrays(np.bool_, (7, 11)))
def test_it_is_the_sum_over_all_thresholds(probability, truth):
    score, recalled, total = 0.0, 0.0, truth.sum()
    for threshold in np.unique(probability)[::-1]:
        found = probability >= threshold
        recall = (found & truth).sum() / max(total, 1)
        score += (recall - recalled) * (found & truth).sum() / found.sum()
        recalled = recall
    assert average_precision(probability, truth) == pytest.approx(score if total else 1)


@given(probability=LEVELS, truth=arrays(np.bool_, (7, 11)))
def test_only_the_order_of_probabilities_counts(probability, truth):
    score = average_precision(probability, truth)
    assert type(score) is float
    assert 0 <= score <= 1
    assert average_precision(probability**2 / 3, truth) == pytest.approx(score)


@pytest.mark.parametrize("truth", [TRUTH.T, TRUTH[0], TRUTH.astype(np.uint8), np.zeros((0, 3), dtype=bool)])
def test_what_cannot_be_compared_is_refused(truth):
    with pytest.raises(ValueError, match=r"cannot compare|is boolean"):
        average_precision(np.zeros((2, 3), dtype=np.float32), truth)


def test_probabilities_must_be_numbers():
    with pytest.raises(ValueError, match="must be finite"):
        average_precision(np.full((2, 3), np.nan, dtype=np.float32), TRUTH)
