"""Why networks fail, on tables whose answer is known (a score is 1 - half of one parameter), and the page of it.

What a sampler requested stands beside a scoring set of eight samples, of which it varied the two worst.
"""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.ensemble import RandomForestRegressor

from micromime.reporting.explanation import scores
from micromime.reporting.explanation.page import Told, about_round, correlation, explanation_page, p_value
from micromime.reporting.explanation.scores import (
    LIKE,
    REST,
    VARIED,
    association,
    beside,
    corrected,
    distances,
    explained,
    factors,
    grown,
    places,
    scoring_set,
    shifts,
)
from micromime.reporting.failures import SCORE

HOSTILE = "<script>alert(1)</script>"
IOU = "score.mean_iou"


def table_of(count, **more):
    """A table of scores: the worse, the higher `l.width_px`; `l.depth` says nothing, `l.points` is the same in all."""
    rng = np.random.default_rng(3)
    width = rng.permutation(count) / max(count - 1, 1)
    columns = {"id": [f"{n:06d}" for n in range(count)], "seed": range(count), "l.width_px": width}
    columns |= {"l.depth": rng.uniform(0, 9, count), "l.points": 3, IOU: 1 - width / 2}
    runs = {f"{IOU}.run-001": 1 - width / 2, f"{IOU}.run-002": rng.uniform(0, 1, count)}
    return pd.DataFrame(columns | runs | more)


@pytest.fixture(scope="module", autouse=True)
def small_forests():
    """A few trees tell as much of so plain a table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scores, "TREES", 15)
        yield


@pytest.fixture
def table():
    return table_of(60)


def associated(values, scores, styles=None):
    scores = pd.Series(scores)
    return association(pd.Series(values), scores, pd.Series("" if styles is None else styles, index=scores.index))


def test_words_have_the_share_of_the_variance_of_ranks_between_them():
    scores = [0.1, 0.2, 0.8, 0.9]
    r, p = associated(["a", "a", "b", "b"], scores)
    assert r == pytest.approx(np.sqrt(4 / 5))  # ranks 1 2 3 4: 4 of the sum of squares 5 lie between the words
    assert p == pytest.approx(0.1213, abs=1e-3)  # chi-squared, H = 2.4
    assert associated(["a", "b", "a", "b"], scores)[0] == pytest.approx(np.sqrt(1 / 5))


def test_holm_multiplies_the_least_by_their_number_and_passes_over_none():
    assert corrected([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert corrected([np.nan, 0.01, 0.04]) == pytest.approx([np.nan, 0.02, 0.04], nan_ok=True)
    assert corrected([]) == []


@pytest.mark.parametrize("times", [1, 4])
def test_among_samples_of_the_same_style_ranks_are_less_their_styles_mean(times):
    styles = ["a"] * 3 + ["b"] * 3 + ["c"] * 2
    values = [1.0, 2.0, 3.0, 11.0, 12.0, 13.0, 5.0, 5.0]  # the same throughout c, which does not count
    scores = [0.2, 0.3, 0.1, 0.9, 0.8, 0.7, 0.5, 0.6]
    r, p = associated(values * times, scores * times, styles * times)
    # Less their means, ranks of a are -1 0 1 and 0 1 -1, of b -1 0 1 and 1 0 -1: -3 of 4.
    assert r == pytest.approx(-3 / 4)
    free = 6 * times - 3
    expected = 2 * stats.t.sf(0.75 * np.sqrt(free / (1 - 9 / 16)), free) if times > 1 else np.nan  # 3 are too few
    assert p == pytest.approx(expected, nan_ok=True)
    assert associated(values, scores)[0] > 0.4


def test_without_a_second_style_ranks_within_are_spearmans():
    values, scores = np.random.default_rng(1).permuted(np.tile(np.arange(30.0), (2, 1)), axis=1)
    assert associated(values, scores) == pytest.approx(tuple(stats.spearmanr(values, scores)))


@pytest.mark.parametrize(("values", "scores"), [([1.0, 2.0] * 10, np.arange(20.0)), (np.arange(20.0), [0.5] * 20)])
def test_what_does_not_vary_within_any_style_says_nothing(values, scores):
    assert np.isnan(associated(values, scores, ["a", "b"] * 10)).all()


def test_a_scoring_set_has_the_score_asked_for(table):
    both = table.assign(style="a", **{"before.mean_iou": 0.25, "before.mean_iou.run-002": 0.75})
    assert list(scoring_set(both, "mean_iou")) == ["id", "l.width_px", "l.depth", "l.points", "style", SCORE, "before"]
    assert scoring_set(both, "mean_iou", 2)[SCORE].tolist() == both[f"{IOU}.run-002"].tolist()
    assert scoring_set(both, "mean_iou", 2)["before"].unique().tolist() == [0.75]
    assert "before" not in scoring_set(both, "mean_iou", 1)


def test_scores_from_before_are_those_of_the_same_sample_and_run(table):
    earlier = table.assign(**{IOU: table[IOU] - 0.25, f"{IOU}.run-002": 0.5})[::-1]
    scoring = scoring_set(table, "mean_iou", None, earlier)
    assert (scoring[SCORE] - scoring["before"]).to_numpy() == pytest.approx(0.25)
    assert scoring_set(table, "mean_iou", 2, earlier)["before"].unique().tolist() == [0.5]
    assert "before" not in scoring_set(table, "mean_iou", 1, earlier.drop(columns=f"{IOU}.run-001"))


def test_constants_and_scores_are_no_factors(table):
    words = table.assign(style=["b", "a"] * 30, **{"before.mean_iou": table[IOU], "l.word": "same"})
    assert factors(scoring_set(words, "mean_iou")) == ["style", "l.width_px", "l.depth"]


def test_what_the_score_is_made_of_comes_first(table):
    told = explained(scoring_set(table, "mean_iou"))
    first, second = told.table.to_dict("records")
    assert (first["parameter"], second["parameter"]) == ("l.width_px", "l.depth")
    assert first["rank_correlation"] == pytest.approx(-1)
    assert first["p_holm"] < 1e-9
    assert first["worst_percentile"] == pytest.approx(95)
    assert told.r2 > 0.9
    assert told.explains
    assert first["importance"] > 1
    assert first["always"]
    assert abs(second["importance"]) < 0.05


def test_a_parameter_that_stands_in_for_the_style_is_not_said_to_matter():
    rng, count = np.random.default_rng(5), 120
    good = rng.random(count) < 0.5
    columns = {"l.stand_in": good + rng.uniform(0, 0.5, count), "l.real": rng.uniform(0, 1, count)}
    score = np.where(good, 0.9, 0.4) - 0.1 * columns["l.real"]
    table = explained(pd.DataFrame(columns | {"style": np.where(good, "good", "bad"), SCORE: score})).table
    rows = table.set_index("parameter")
    assert table["parameter"].tolist() == ["style", "l.real", "l.stand_in"]
    assert abs(rows.loc["l.stand_in", "rank_correlation"]) < 0.25
    assert rows.loc["l.real", "rank_correlation"] < -0.8
    importance = rows["importance"]
    assert importance["l.stand_in"] < 0.01 < importance["l.real"] < importance["style"]


@pytest.mark.parametrize("count", [1, 2, 19])
def test_few_samples_have_no_forest(count):
    told = explained(scoring_set(table_of(count), "mean_iou"))
    assert np.isnan(told.r2)
    assert told.table["importance"].isna().all()
    assert len(told.table) == (0 if count == 1 else 2)


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


@pytest.fixture(scope="module")
def full():
    """A style, a round, scores before, a picture."""
    table = table_of(60, style=[HOSTILE, "thin"] * 30)
    scoring = scoring_set(table.assign(**{"before.mean_iou": table[IOU] - 0.125}), "mean_iou")
    samples = scoring.head(8).assign(parent=["000001"] * 4 + ["000002"] * 3 + [""])
    said = {"sampler": {"worst_fraction": {"fraction": 0.1}}, "arm": "base", "score": "mean_iou"}
    image = np.zeros((6, 9), dtype=np.uint8)
    return Told(
        subject="arm adaptive of grain_boundaries",
        score="boundary F1",
        whose="mean over 2 runs",
        scoring=scoring,
        explanation=explained(scoring),
        round_=beside(scoring, SimpleNamespace(folder=Path("adaptive"), description=said, samples=samples)),
        meanings={"l.depth": f"Depth {HOSTILE}"},
        pictures={scoring.sort_values(SCORE)["id"].iloc[0]: (image, image > 0)},
        remark="Something is left out.",
        origin={"Command": "micromime explain <b>"},
    )


@pytest.fixture(scope="module")
def page(full):
    return explanation_page(full)


@pytest.fixture(scope="module")
def read(page, reader):
    return reader(page)


def test_a_page_loads_nothing_and_runs_nothing(page, read):
    assert not read.all("script")
    pictures = [each["src"] for each in read.all("img")]
    assert len(pictures) == 2
    assert all(each.startswith("data:image/png;base64,") for each in pictures)
    links = [each["href"] for _, each in read.elements if "href" in each]
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not re.search(r"url\((?!#)|@import", page)
    assert HOSTILE in read.text
    assert "micromime explain <b>" in read.text


def test_a_page_is_well_formed(read):
    ids = [each["id"] for _, each in read.elements if "id" in each]
    assert len(ids) == len(set(ids))
    assert read.links_within() <= set(ids)
    assert len(read.links_within()) == len(read.all("section")) == 5
    assert all(each.get("aria-label") or each.get("aria-hidden") for each in read.all("svg"))
    assert all(each.get("scope") in {"row", "col"} for each in read.all("th"))


def test_a_page_numbers_its_figures_and_tables_and_says_n(read):
    for word in ("Figure", "Table"):
        numbers = re.findall(rf"{word} (\d+)\.", read.text)
        assert numbers == [str(n) for n in range(1, 1 + len(numbers))]
    assert "Boundary F1, mean over 2 runs, of the n = 60 samples of the scoring set" in read.text
    assert "Something is left out." in read.text
    assert "IoU" not in read.text


def test_a_round_is_told_in_one_line(full, read):
    line = about_round(full)
    assert line in read.text
    assert "requested 8 samples, 7 of them variations of 2 scored samples" in line
    assert line.count("+0.125") == 3  # on those varied, those like them and the rest
    assert "(n = 2)" in line


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (table_of(1), "there is nothing to explain"),
        (table_of(30, **{IOU: 0.5}), "there is nothing to explain"),
        (table_of(3), "too few for a random forest"),
        (table_of(60).drop(columns="l.width_px"), "explains nothing of the scores"),
    ],
)
def test_a_page_of_little_leaves_out_what_it_has_not(table, said, reader):
    scoring = scoring_set(table, "mean_iou")
    told = Told(
        subject="arm base", score="mean IoU", whose="of its one run", scoring=scoring, explanation=explained(scoring)
    )
    read = reader(explanation_page(told))
    assert said in read.text
    assert "What the sampler requested" not in read.text
    assert "Partial dependence" not in read.text
    assert "Importance:" not in read.text
    assert not read.all("img")


def test_only_numbers_have_a_sign_and_p_values_two_digits():
    rows = [{"rank_correlation": 0.5, "worst_percentile": place} for place in (40.0, np.nan)]
    assert [correlation(row) for row in rows] == ["+0.50", "0.50"]
    assert correlation({"rank_correlation": np.nan, "worst_percentile": 50.0}) == "none"
    assert [p_value(p) for p in (np.nan, 0.0, 0.00012, 0.5)] == ["none", "< 0.0001", "0.00012", "0.50"]


def test_a_forest_says_what_scikit_learn_says_to_the_last_digit():
    rng = np.random.default_rng(5)
    x, scores = rng.random((60, 7)), rng.random(60)
    forest = grown(x, scores)
    asked = pd.DataFrame(rng.random((41, 7)))
    assert np.array_equal(forest.predict(asked), RandomForestRegressor.predict(forest, asked.to_numpy()))
