import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.fitting.cracks.statistics import MOST_MOVED, PRIOR_SD, step

ANSWERS = np.array([[1.0, 0.5], [0.2, 1.0], [0.7, -0.4]])


def test_where_measurements_are_exact_the_step_leads_to_the_truth():
    truth = np.array([0.1, -0.2])
    found = step(ANSWERS, 1e-8 * np.eye(3), ANSWERS @ truth, np.zeros(2))
    assert found == pytest.approx(truth, abs=1e-6)


def test_statistics_count_by_how_certain_they_are():
    # Two say of one parameter that it is 0.3 and 0 further on, with variances of 1 and 2; the prior's is 0.2 ** 2.
    found = step(np.array([[1.0], [1.0]]), np.diag([1.0, 2.0]), np.array([0.3, 0.0]), np.zeros(1))
    assert PRIOR_SD == 0.2
    assert found == pytest.approx([(0.3 / 1 + 0 / 2) / (1 / 1 + 1 / 2 + 1 / 0.04)])


def test_what_no_statistic_answers_to_goes_back_to_where_it_was_first():
    blind = np.array([[1.0, 0.0], [0.5, 0.0], [0.2, 0.0]])
    found = step(blind, 1e-8 * np.eye(3), np.array([0.1, 0.05, 0.02]), np.array([0.0, 0.25]))
    assert found == pytest.approx([0.1, -0.25], abs=1e-6)


def test_statistics_that_err_together_count_once():
    together = np.array([[1.0, 0.999], [0.999, 1.0]]) * 1e-4
    both = step(np.ones((2, 1)), together, np.array([0.1, 0.1]), np.zeros(1))
    one = step(np.ones((1, 1)), together[:1, :1], np.array([0.1]), np.zeros(1))
    assert both == pytest.approx(one, rel=1e-4)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=3), st.floats(1e-6, 10))
def test_no_parameter_moves_far_in_one_step(difference, variance):
    found = step(ANSWERS, variance * np.eye(3), np.array(difference), np.zeros(2))
    assert np.abs(found).max() <= MOST_MOVED * (1 + 1e-12)
