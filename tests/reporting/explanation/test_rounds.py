"""What a sampler requested beside the scoring set, by hand: eight samples, of which it varied the two worst."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from micromime.reporting.explanation.scores import (
    LIKE,
    REST,
    VARIED,
    beside,
    distances,
    places,
    shifts,
)
from micromime.reporting.failures import SCORE


@pytest.fixture
def scoring():
    columns = {"id": list("abcdefgh"), "l.width_px": np.arange(8.0), "l.depth": [5.0, 5, 5, 5, 6, 6, 6, 6], "l.same": 1}
    return pd.DataFrame(columns | {SCORE: np.arange(8) / 10 + 0.2, "before": np.arange(8) / 10})


@pytest.fixture
def requested():
    """Three variations of `a`, one of `b`, all thin; then a fresh draw."""
    widths = [0.0, 0.5, 0.25, 1.5, 7.0]
    return pd.DataFrame({"parent": ["a", "a", "a", "b", ""], "l.width_px": widths, "l.depth": 5.0, "l.same": 1})


def round_of(scoring, samples):
    return beside(scoring, SimpleNamespace(samples=samples))


def test_places_are_percentiles_equal_ones_counted_half(scoring):
    assert places(scoring["l.width_px"], pd.Series([-1, 0, 3.5, 9])).tolist() == [0, 6.25, 50, 100]
    assert places(scoring["l.depth"], pd.Series([5, 5.5, 6])).tolist() == [25, 50, 75]


def test_shifts_name_what_differs_most_first(scoring, requested):
    table = shifts(scoring, requested).set_index("parameter")
    assert list(table.index) == ["l.width_px", "l.depth"]
    width = table.loc["l.width_px"]
    assert (width["median"], width["requested_median"], width["place"]) == (3.5, 0.5, 12.5)
    assert width["distance"] == pytest.approx(0.8 - 0.25)  # at 1.5: 4 of 5 requested, 2 of 8 scored
    assert table.loc["l.depth", "distance"] == 0.5


def test_what_only_the_sampler_varies_is_told_and_what_it_has_alone_is_not(scoring, requested):
    told = shifts(scoring, requested.assign(**{"l.same": [1, 2, 1, 1, 1], "l.new": range(5)}))
    assert set(told["parameter"]) == {"l.width_px", "l.depth", "l.same"}
    assert shifts(scoring[["id", "l.same"]], requested).empty


def test_variations_of_one_sample_count_once(scoring, requested):
    once = pd.DataFrame({"id": ["x"], "l.width_px": [9.0]})
    assert shifts(once, requested)["p"].tolist() == pytest.approx([0.5])  # 3 requested, 1 scored, all below it: 2 / 4
    assert np.isnan(shifts(scoring[scoring["id"] == "a"], requested)["p"]).all()


def test_distances_are_root_mean_squares_of_places(scoring):
    requested = pd.DataFrame({"l.width_px": [0.0], "l.depth": [6.0]})
    far = distances(scoring, requested)
    assert far[0] == pytest.approx(np.sqrt((0**2 + 50**2) / 2))
    assert far[7] == pytest.approx(np.sqrt((87.5**2 + 0**2) / 2))
    assert not distances(scoring[["id", "l.same", SCORE]], requested).any()


@pytest.mark.parametrize(("style", "far"), [("b", [100, 0]), ("c", [100, 100])])
def test_another_style_is_far_away(scoring, style, far):
    told = distances(scoring.assign(style=["a", "b"] * 4)[["style", SCORE]], pd.DataFrame({"style": [style]}))
    assert told.tolist() == pytest.approx(far * 4)


def test_a_change_is_paired_and_set_against_that_of_the_rest(scoring, requested):
    scoring[SCORE] += [0, 0, 0.3, 0.1, 0, 0, 0, 0.2]
    found = round_of(scoring, requested)
    rows = found.changes.set_index("kind")
    assert rows["n"].to_dict() == {VARIED: 2, LIKE: 2, REST: 4}
    assert (rows["after"] - rows["before"]).tolist() == pytest.approx([0.2, 0.4, 0.25])
    like = rows.loc[LIKE]  # changes 0.5 and 0.3: t = 0.4 / (0.1414 / sqrt(2)) = 4, df = 1
    assert like["p"] == pytest.approx(0.156, abs=1e-3)
    assert (like["lo"] + like["hi"]) / 2 == pytest.approx(0.4)
    assert found.difference == pytest.approx(0.4 - 0.25)
    assert 0 < found.p < 1
    assert rows.loc[REST, "p_holm"] == pytest.approx(2 * rows.loc[REST, "p"])  # the lesser of two that there are


def test_a_few_samples_have_changes_without_tests(scoring, requested):
    found = round_of(scoring.iloc[[0, 7]], requested.iloc[:3])
    assert found.changes["kind"].tolist() == [VARIED, LIKE]
    assert found.changes[["lo", "hi", "p"]].isna().all(axis=None)
    assert np.isnan([found.difference, found.p]).all()
    assert round_of(scoring.drop(columns="before"), requested).changes.empty
