"""Rank correlations of scores with one parameter, beside values computed by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from micromime.reporting.explanation.association import association, corrected


def test_rank_correlations_are_exact_for_few_samples():
    r, p = association(pd.Series([1.0, 4.0, 9.0]), pd.Series([0.9, 0.8, 0.7]))
    assert (r, p) == (pytest.approx(-1), pytest.approx(2 / 6))


def test_words_have_the_share_of_the_variance_of_ranks_between_them():
    scores = pd.Series([0.1, 0.2, 0.8, 0.9])
    r, p = association(pd.Series(["a", "a", "b", "b"]), scores)
    assert r == pytest.approx(np.sqrt(4 / 5))  # ranks 1 2 3 4: 4 of the sum of squares 5 lie between the words
    assert p == pytest.approx(0.1213, abs=1e-3)  # chi-squared, H = 2.4
    assert association(pd.Series(["a", "b", "a", "b"]), scores)[0] == pytest.approx(np.sqrt(1 / 5))


def test_holm_multiplies_the_least_by_their_number_and_passes_over_none():
    assert corrected([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert corrected([np.nan, 0.01, 0.04]) == pytest.approx([np.nan, 0.02, 0.04], nan_ok=True)
    assert corrected([]) == []


def test_among_samples_of_the_same_style_ranks_are_less_their_styles_mean():
    styles = pd.Series(["a"] * 3 + ["b"] * 3 + ["c"] * 2)
    values = pd.Series([1.0, 2.0, 3.0, 11.0, 12.0, 13.0, 5.0, 5.0])  # the same throughout c, which does not count
    scores = pd.Series([0.2, 0.3, 0.1, 0.9, 0.8, 0.7, 0.5, 0.6])
    r, p = association(values, scores, styles)
    # Less their means, ranks of a are -1 0 1 and 0 1 -1, of b -1 0 1 and 1 0 -1: -3 of 4.
    assert r == pytest.approx(-3 / 4)
    assert p == pytest.approx(2 * stats.t.sf(0.75 * np.sqrt(3 / (1 - 9 / 16)), 3))  # 6 samples, 2 styles
    assert association(values, scores)[0] > 0.4


def test_without_a_second_style_ranks_within_are_spearmans():
    rng = np.random.default_rng(1)
    values, scores = (pd.Series(rng.permutation(30)) for _ in range(2))
    assert association(values, scores, pd.Series(["a"] * 30)) == pytest.approx(association(values, scores))


def test_what_does_not_vary_within_any_style_says_nothing():
    styles = pd.Series(["a", "b"] * 10)
    r, p = association(pd.Series([1.0, 2.0] * 10), pd.Series(np.arange(20.0)), styles)
    assert np.isnan([r, p]).all()
