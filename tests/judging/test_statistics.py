import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp, ttest_rel
from statsmodels.stats.multitest import multipletests

from micromime.judging.statistics import (
    agresti_coull_paper,
    bounds,
    difference_interval,
    holm,
    logit_interval,
    mean,
    paired_t_test,
    sd,
    student_interval,
    student_over_sources,
)

# Trampert et al. 2021: (runs, mean, lower bound, upper bound) of Tables 1 and 2.
TABLE_1 = [
    (200, 0.257, 0.251, 0.263),
    (200, 0.273, 0.267, 0.279),
    (200, 0.205, 0.200, 0.211),
    (200, 0.414, 0.408, 0.420),
    (200, 0.147, 0.143, 0.152),
    (200, 0.099, 0.095, 0.103),
]
TABLE_2 = [
    (50, 0.088, 0.073, 0.103),
    (50, 0.763, 0.741, 0.785),
    (50, 0.077, 0.064, 0.091),
    (50, 0.778, 0.756, 0.799),
]


def test_agresti_coull_gives_19_of_the_20_bounds_of_the_papers_tables():
    misses = []
    for runs, mean_score, *printed in TABLE_1 + TABLE_2:
        interval = agresti_coull_paper(mean_score, runs)
        assert interval["n"] == {200: 40_000, 50: 2_500}[runs]
        misses += [(p, c) for p, c in zip(printed, (interval["lo"], interval["hi"]), strict=True) if abs(p - c) > 0.001]
    assert misses == [(0.073, pytest.approx(0.0744, abs=5e-5))]


@pytest.mark.parametrize(
    ("mean_score", "lo", "hi", "digits"), [(0.099, 0.095, 0.10, 0.005), (0.745, 0.740, 0.751, 0.001)]
)
def test_agresti_coull_gives_the_bounds_of_section_323(mean_score, lo, hi, digits):
    interval = agresti_coull_paper(mean_score, 200)
    assert interval["lo"] == pytest.approx(lo, abs=0.001)
    assert interval["hi"] == pytest.approx(hi, abs=digits)


def test_the_papers_n_makes_intervals_that_ignore_the_spread():
    student_1, student_2 = (2.6008 * 0.060 / math.sqrt(200), 2.6800 * 0.005 / math.sqrt(50))
    paper_1, paper_2 = agresti_coull_paper(0.257, 200), agresti_coull_paper(0.088, 50)
    assert (paper_1["hi"] - paper_1["lo"]) / 2 / student_1 == pytest.approx(0.5, abs=0.05)
    assert (paper_2["hi"] - paper_2["lo"]) / 2 / student_2 == pytest.approx(8, abs=0.5)


@pytest.mark.parametrize("mean_score", [0, 0.001, 0.5, 1])
@pytest.mark.parametrize("runs", [1, 2, 300])
def test_agresti_coull_stays_within_0_and_1(mean_score, runs):
    interval = agresti_coull_paper(mean_score, runs)
    assert 0 <= interval["lo"] < interval["hi"] <= 1


@pytest.mark.parametrize(("mean_score", "runs"), [(-0.01, 3), (1.01, 3), (0.5, 0)])
def test_agresti_coull_refuses_what_is_no_proportion(mean_score, runs):
    with pytest.raises(ValueError, match="no proportion"):
        agresti_coull_paper(mean_score, runs)


def test_mean_and_sample_sd_by_hand():
    assert mean([0.1, 0.2, 0.6]) == pytest.approx(0.3)
    assert sd([0.1, 0.2, 0.6]) == pytest.approx(math.sqrt((0.04 + 0.01 + 0.09) / 2))
    assert sd([0.4]) is None


def test_student_interval_by_hand():
    # t(0.995) with 2 degrees of freedom is 9.9248 (any table).
    interval = student_interval([0.5, 0.6, 0.7])
    assert interval == {
        "lo": pytest.approx(0.6 - 0.57301, abs=1e-5),
        "hi": pytest.approx(0.6 + 0.57301, abs=1e-5),
        "n": 3,
    }


def test_bounds_have_the_confidence_asked_for():
    # 2.5 +- t(0.975, 3) 1.290994 / 2, t = 3.182446.
    assert bounds([1, 2, 3, 4], 0.95) == pytest.approx({"lo": 0.44574, "hi": 4.55426}, abs=1e-5)
    assert bounds([1.0], 0.95) == {"lo": None, "hi": None}


def test_student_interval_needs_two_runs():
    assert student_interval([0.5]) is None
    assert student_interval([0.5, 0.5]) == {"lo": 0.5, "hi": 0.5, "n": 2}


@pytest.mark.parametrize("count", [2, 3, 30])
def test_student_interval_is_scipys(count):
    values = np.random.default_rng(count).normal(3, 2, count).tolist()
    interval = student_interval(values)
    assert (interval["lo"], interval["hi"]) == pytest.approx(ttest_1samp(values, 0).confidence_interval(0.99))


def test_the_logit_interval_by_hand():
    # m = 0.9, half of Student's 0.57301: logit 2.19722 +- 0.57301 / 0.09, so 2.19722 +- 6.36678.
    found = logit_interval(0.9, student_interval([0.8, 0.9, 1.0]))
    expected = [1 / (1 + math.exp(-(2.19722 + side))) for side in (-6.36678, 6.36678)]
    assert [found["lo"], found["hi"]] == pytest.approx(expected, abs=1e-5)
    assert found["n"] == 3


@given(st.integers(2, 50).flatmap(lambda n: st.lists(st.floats(0, 1), min_size=n, max_size=n)))
def test_the_logit_interval_stays_in_range_around_the_mean(scores):
    found = logit_interval(mean(scores), student_interval(scores))
    if not 0 < mean(scores) < 1:
        assert found is None
        return
    assert 0 <= found["lo"] <= mean(scores) + 1e-12
    assert mean(scores) - 1e-12 <= found["hi"] <= 1
    assert found["n"] == len(scores)


@given(scores=st.lists(st.floats(0, 1), min_size=2, max_size=50))
def test_what_is_left_of_all_is_wrong_and_the_intervals_mirror_each_other(scores):
    right, wrong = (
        logit_interval(mean(values), student_interval(values)) for values in (scores, [1 - each for each in scores])
    )
    if right and wrong and 1e-6 < mean(scores) < 1 - 1e-6:
        assert (right["lo"], right["hi"]) == pytest.approx((1 - wrong["hi"], 1 - wrong["lo"]), abs=1e-6)


@pytest.mark.parametrize("count", [2, 10, 50])
def test_the_logit_interval_is_students_where_the_spread_is_small(count):
    scores = np.random.default_rng(count).normal(0.7, 1e-5, count).tolist()
    student = student_interval(scores)
    found = logit_interval(mean(scores), student)
    width = student["hi"] - student["lo"]
    assert found["lo"] == pytest.approx(student["lo"], abs=0.01 * width)
    assert found["hi"] == pytest.approx(student["hi"], abs=0.01 * width)


@pytest.mark.parametrize("scores", [[0.5], [0.0, 0.0], [1.0, 1.0, 1.0]])
def test_one_run_and_a_mean_at_an_end_have_no_logit_interval(scores):
    assert logit_interval(mean(scores), student_interval(scores)) is None


def test_a_difference_s_interval_lies_between_minus_1_and_1():
    student = {"lo": -1.3, "hi": 0.7, "n": 2}
    found = difference_interval({"mean_difference": -0.3, "ci99_difference": student})
    # On -1 to 1 the place of -0.3 is 0.35, and half of the interval 0.5: logit -0.61904 +- 0.5 / 0.2275.
    expected = [2 / (1 + math.exp(-(-0.61904 + side))) - 1 for side in (-2.19780, 2.19780)]
    assert [found["lo"], found["hi"], found["n"]] == pytest.approx([*expected, 2], abs=1e-4)
    assert difference_interval({"mean_difference": -0.3, "ci99_difference": None}) is None


def test_over_sources_of_as_many_pictures_each_students_interval_is_that_of_their_means():
    means = [0.5, 0.6, 0.7]
    assert student_over_sources(means, [4, 4, 4]) == pytest.approx(student_interval(means))
    assert student_over_sources([0.5], [9]) is None


def test_over_sources_those_with_more_pictures_weigh_more():
    # Shares 3/4 and 1/4, mean 0.5; error^2 = 2 ((3/4 * 0.1)^2 + (1/4 * 0.3)^2); t(0.995) with 1 degree of freedom.
    half = 63.65674 * math.sqrt(2 * (0.075**2 + 0.075**2))
    assert student_over_sources([0.4, 0.8], [3, 1]) == pytest.approx({"lo": 0.5 - half, "hi": 0.5 + half, "n": 2})


def test_paired_t_test_by_hand():
    # Differences 1, 2, 3: mean 2, sd 1, t = 2 sqrt(3) with 2 degrees of freedom, p = 0.0742.
    test = paired_t_test([2, 4, 6], [1, 2, 3])
    expected = {"n_pairs": 3, "mean_difference": 2, "p_value": pytest.approx(0.07418, abs=1e-5), "effect_size": 2}
    assert test == expected


def test_paired_t_test_is_scipys_and_changes_sign_with_the_order():
    a, b = np.random.default_rng(3).random((2, 12))
    there, back = paired_t_test(a, b), paired_t_test(b, a)
    assert there["p_value"] == pytest.approx(ttest_rel(a, b).pvalue) == back["p_value"]
    assert there["mean_difference"] == -back["mean_difference"] == pytest.approx(np.mean(a) - np.mean(b))
    assert there["effect_size"] == -back["effect_size"]


@pytest.mark.parametrize("a", [[0.3], [0.3, 0.4], [0.3, 0.7, 0.9, 0.1]])
@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_no_test_exists_for_one_pair_or_for_equal_differences(a, shift):
    test = paired_t_test(a, [value - shift for value in a])
    expected = {"n_pairs": len(a), "mean_difference": pytest.approx(shift), "p_value": None, "effect_size": None}
    assert test == expected


@pytest.mark.parametrize(("a", "b"), [([], []), ([0.1], [0.1, 0.2])])
def test_what_cannot_be_paired_is_refused(a, b):
    with pytest.raises(ValueError, match="cannot pair"):
        paired_t_test(a, b)


@pytest.mark.parametrize(
    ("p_values", "corrected"),
    [
        ([], []),
        ([0.03], [0.03]),
        # In order 0.005, 0.01, 0.03, 0.04: times 4, 3, 2 and 1, and none below the one before it.
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),
        ([0.02, 0.02, 0.9], [0.06, 0.06, 0.9]),
        ([0.6, 0.7], [1, 1]),
    ],
    ids=str,
)
def test_holms_correction_by_hand(p_values, corrected):
    assert holm(p_values) == pytest.approx(corrected)


@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holms_correction_keeps_the_order_and_lies_between_none_and_bonferronis(p_values):
    corrected = holm(p_values)
    for p_value, found in zip(p_values, corrected, strict=True):
        assert p_value <= found <= min(1, p_value * len(p_values)) + 1e-12
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()


def test_holms_correction_is_statsmodels():
    p_values = (np.random.default_rng(1).random(9) ** 2).tolist()
    assert holm(p_values) == multipletests(p_values, method="holm")[1].tolist()
