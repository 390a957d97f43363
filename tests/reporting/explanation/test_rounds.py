"""What a sampler asked for beside the scoring set, by hand: eight samples, of which it varied the two worst."""

import numpy as np
import pandas as pd
import pytest

from micromime.reporting.explanation.rounds import (
    LIKE,
    REST,
    VARIED,
    Round,
    beside,
    change,
    distances,
    independent,
    kinds,
    outcome,
    parents,
    places,
    shifts,
)
from micromime.reporting.explanation.words import about_change, about_round
from micromime.reporting.failures import SCORE


@pytest.fixture
def scoring():
    columns = {"id": list("abcdefgh"), "l.width_px": np.arange(8.0), "l.depth": [5.0, 5, 5, 5, 6, 6, 6, 6], "l.same": 1}
    return pd.DataFrame(columns | {SCORE: np.arange(8) / 10 + 0.2, "before": np.arange(8) / 10})


@pytest.fixture
def asked():
    """Three variations of `a`, one of `b`, all thin; then a fresh draw."""
    widths = [0.0, 0.5, 0.25, 1.5, 7.0]
    return pd.DataFrame({"parent": ["a", "a", "a", "b", ""], "l.width_px": widths, "l.depth": 5.0, "l.same": 1})


def round_of(samples):
    return Round("adaptive", {"worst_fraction": {}}, "base", "mean_iou", samples)


def test_places_are_percentiles_equal_ones_counted_half(scoring):
    assert places(scoring["l.width_px"], pd.Series([-1, 0, 3.5, 9])).tolist() == [0, 6.25, 50, 100]
    assert places(scoring["l.depth"], pd.Series([5, 5.5, 6])).tolist() == [25, 50, 75]


def test_shifts_name_what_differs_most_first(scoring, asked):
    table = shifts(scoring, asked).set_index("parameter")
    assert list(table.index) == ["l.width_px", "l.depth"]
    width = table.loc["l.width_px"]
    assert (width["median"], width["asked_median"], width["place_50"]) == (3.5, 0.5, 12.5)
    assert width["distance"] == pytest.approx(0.8 - 0.25)  # at 1.5: 4 of 5 asked, 2 of 8 scored
    assert table.loc["l.depth", "distance"] == 0.5


def test_a_parameter_that_only_the_sampler_varies_is_told(scoring, asked):
    assert "l.same" in set(shifts(scoring, asked.assign(**{"l.same": [1, 2, 1, 1, 1]}))["parameter"])


def test_variations_of_one_sample_count_once(scoring, asked):
    once = pd.DataFrame({"id": ["x"], "l.width_px": [9.0]})
    assert independent(once, asked, "l.width_px") == pytest.approx(0.5)  # 3 asked, 1 scored, all below it: 2 / 4
    assert np.isnan(independent(scoring[scoring["id"] == "a"], asked, "l.width_px"))


def test_styles_are_compared_by_their_shares(scoring, asked):
    scoring["style"], asked["style"] = ["thin"] * 4 + ["thick"] * 4, ["thin"] * 4 + ["wide"]
    row = shifts(scoring, asked).set_index("parameter").loc["style"]
    assert row["distance"] == pytest.approx(0.5)  # no asked one is thick
    assert 0 < row["p"] <= 1
    assert np.isnan(row["place_50"])


def test_parents_are_counted(scoring, asked):
    table = parents(scoring, asked)
    assert table[["id", "times", "before"]].to_numpy().tolist() == [["a", 3, 0.0], ["b", 1, 0.1]]
    assert table[SCORE].tolist() == pytest.approx([0.2, 0.3])
    assert parents(scoring.drop(columns="before"), asked.assign(parent="")).empty


def test_distances_are_root_mean_squares_of_places(scoring):
    asked = pd.DataFrame({"l.width_px": [0.0], "l.depth": [6.0]})
    far = distances(scoring, asked)
    assert far[0] == pytest.approx(np.sqrt((0**2 + 50**2) / 2))
    assert far[7] == pytest.approx(np.sqrt((87.5**2 + 0**2) / 2))
    assert not distances(scoring[["id", "l.same", SCORE]], asked).any()


def test_another_style_is_far_away(scoring):
    far = distances(scoring.assign(style=["a", "b"] * 4)[["style", SCORE]], pd.DataFrame({"style": ["b"]}))
    assert far.tolist() == pytest.approx([100, 0] * 4)


def test_a_quarter_of_those_not_varied_is_like_what_was_asked_for():
    varied = pd.Series([True, False, False, False, False, False])
    kind = kinds(varied, pd.Series([0.0, 5, 4, 3, 2, 1]))
    assert kind.tolist() == [VARIED, REST, REST, REST, LIKE, LIKE]


def test_a_change_is_paired(scoring):
    samples = scoring.head(3).assign(**{SCORE: [0.1, 0.3, 0.5], "before": [0.0, 0.1, 0.2]})
    changed = change(samples)
    assert (changed.n, changed.before, changed.after) == (3, pytest.approx(0.1), pytest.approx(0.3))
    assert changed.p == pytest.approx(0.0742, abs=1e-3)  # differences 0.1 0.2 0.3: t = 0.2 / (0.1 / sqrt(3)), df = 2
    assert np.isnan(change(scoring.head(1)).p)


def test_the_outcome_sets_like_against_rest(scoring, asked):
    scoring[SCORE] += [0, 0, 0.3, 0.1, 0, 0, 0, 0.2]
    found = beside(scoring, round_of(asked))
    assert {name: each.n for name, each in found.outcome.groups.items()} == {VARIED: 2, LIKE: 2, REST: 4}
    assert found.kinds.tolist() == [VARIED, VARIED, LIKE, LIKE, REST, REST, REST, REST]
    assert found.outcome.difference == pytest.approx(0.2 - 0.05)
    assert 0 < found.outcome.p < 1
    assert found.outcome.p_holm[REST] >= found.outcome.groups[REST].p


def test_without_a_test_no_p_value_is_told(scoring):
    kind = pd.Series([LIKE, REST, REST], index=scoring.index[:3])
    said = about_change(outcome(scoring.head(3), kind), "mean IoU")
    assert said.endswith("(no test).")


def test_a_median_that_is_the_same_is_not_told(scoring, asked):
    mostly_0 = scoring[["id", SCORE]].assign(**{"l.share": [0.0] * 6 + [0.5, 0.9]})
    table = asked[["parent"]].assign(**{"l.share": [0.0] * 3 + [0.9] * 2})
    (_, second) = about_round(beside(mostly_0, round_of(table)), "mean IoU")
    assert second.startswith("They differ most from the scoring set in l.share (largest difference of shares 0.")


def test_a_style_that_only_one_of_them_has_is_left_out(scoring, asked):
    assert "style" not in set(shifts(scoring, asked.assign(style="a"))["parameter"])
    assert "style" not in set(shifts(scoring.assign(style=["a", "b"] * 4), asked)["parameter"])


def test_a_scenario_of_constants_has_no_shifts(scoring, asked):
    same = scoring[["id", "l.same", SCORE]]
    found = beside(same, round_of(asked.assign(**{"l.same": same["l.same"].iloc[0]})[["parent", "l.same"]]))
    assert found.shifts.empty
    assert len(list(about_round(found, "mean IoU"))) == 1


def test_without_scores_before_there_is_no_outcome(scoring, asked):
    found = beside(scoring.drop(columns="before"), round_of(asked))
    assert found.outcome is None
    first, second = about_round(found, "mean IoU")
    assert first == (
        "Round adaptive asked for 5 samples: 4 variations of 2 scored samples (1 to 3 of each) and 1 that varies no "
        "scored sample."
    )
    assert second.startswith("They differ most from the scoring set in l.width_px: median 0.5 instead of 3.5")
