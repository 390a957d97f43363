"""Why networks fail, on tables whose answer is known: the score is 1 - half of one parameter."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from micromime.reporting.explanation import forest as dependence
from micromime.reporting.explanation.charts import axis_label
from micromime.reporting.explanation.page import Told, explanation_page, write_explanation
from micromime.reporting.explanation.rounds import Round, beside
from micromime.reporting.explanation.scores import (
    crossed,
    explained,
    factors,
    scoring_set,
    thirds,
    together,
)
from micromime.reporting.explanation.words import about_parameters, correlation, p_value, written
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
        patch.setattr(dependence, "TREES", 30)
        patch.setattr(dependence, "BOOTSTRAPS", 6)
        yield


@pytest.fixture(scope="module")
def table():
    return table_of(60)


@pytest.fixture(scope="module")
def scoring(table):
    return scoring_set(table, "mean_iou")


@pytest.fixture(scope="module")
def told(scoring):
    return explained(scoring)


def test_a_scoring_set_has_the_score_asked_for(table):
    both = table.assign(style="a", **{"before.mean_iou": 0.25, "before.mean_iou.run-002": 0.75})
    assert list(scoring_set(both, "mean_iou")) == ["id", "l.width_px", "l.depth", "l.points", "style", SCORE, "before"]
    assert scoring_set(both, "mean_iou", 2)[SCORE].tolist() == both[f"{IOU}.run-002"].tolist()
    assert scoring_set(both, "mean_iou", 2)["before"].unique().tolist() == [0.75]
    assert "before" not in scoring_set(both, "mean_iou", 1)


def test_an_error_is_told_as_what_is_right(table):
    wrong = table.assign(**{"score.pixel_error": table["l.depth"] / 10, "before.pixel_error": 0.25})
    scoring = scoring_set(wrong, "pixel_error")
    assert scoring[SCORE].tolist() == pytest.approx((1 - table["l.depth"] / 10).tolist())
    assert scoring["before"].unique().tolist() == [0.75]


def test_constants_and_scores_are_no_factors(table):
    words = table.assign(style=["b", "a"] * 30, **{"before.mean_iou": table[IOU], "l.word": "same"})
    assert factors(scoring_set(words, "mean_iou")) == ["style", "l.width_px", "l.depth"]


def test_what_the_score_is_made_of_comes_first(told):
    first, second = told.table.to_dict("records")
    assert (first["parameter"], second["parameter"]) == ("l.width_px", "l.depth")
    assert first["rank_correlation"] == pytest.approx(-1)
    assert first["p_holm"] < 1e-9
    assert first["worst_percentile"] == pytest.approx(95)
    assert told.forest.r2 > 0.9
    assert told.forest.importance["l.width_px"] > 1
    assert abs(told.forest.importance["l.depth"]) < 0.05


def test_the_score_falls_along_its_curve_and_not_along_others(told):
    curves = {each.parameter: each for each in told.curves}
    width = curves["l.width_px"]
    assert (width.low <= width.mean).all()
    assert (width.mean <= width.high).all()
    assert width.mean[-1] - width.mean[0] == pytest.approx(-0.45, abs=0.06)
    assert all(np.ptp(each.mean) < 0.03 for name, each in curves.items() if name != "l.width_px")


def test_a_parameter_that_stands_in_for_the_style_is_not_said_to_matter():
    rng, count = np.random.default_rng(5), 120
    good = rng.random(count) < 0.5
    columns = {"l.stand_in": good + rng.uniform(0, 0.5, count), "l.real": rng.uniform(0, 1, count)}
    score = np.where(good, 0.9, 0.4) - 0.1 * columns["l.real"]
    told = explained(pd.DataFrame(columns | {"style": np.where(good, "good", "bad"), SCORE: score}))
    rows = told.table.set_index("parameter")
    assert abs(rows.loc["l.stand_in", "rank_correlation"]) < 0.25
    assert rows.loc["l.real", "rank_correlation"] < -0.8
    assert (
        rows.loc["l.stand_in", "importance"] < 0.01 < rows.loc["l.real", "importance"] < rows.loc["style", "importance"]
    )
    assert told.together == []
    sentences = " ".join(about_parameters(told, pd.DataFrame({SCORE: score, "style": good})))
    assert re.search(r"7\d % of the variance of the scores' ranks lies between the 2 styles", sentences)
    assert "shuffled among samples of the same style" in sentences


def test_a_style_is_as_important_as_what_it_decides(scoring):
    thick = scoring["l.width_px"] > 0.5
    told = explained(scoring.assign(style=np.where(thick, "thick", "thin"), **{SCORE: np.where(thick, 0.5, 0.9)}))
    assert told.table["parameter"].tolist()[0] == "style"
    assert told.forest.importance.index.tolist() == ["style", "l.width_px", "l.depth"]
    assert told.forest.r2 == pytest.approx(1, abs=0.1)
    assert told.forest.importance["style"] > 0.5 > told.forest.importance["l.width_px"]
    curve = next(each for each in told.curves if each.parameter == "style")
    assert curve.at == ["thick", "thin"]
    assert curve.mean[0] < curve.mean[1]


def test_noise_is_not_explained_and_no_importance_is_shown(table):
    rng = np.random.default_rng(0)
    noise = explained(scoring_set(table.assign(**{IOU: rng.uniform(0.4, 0.6, len(table))}), "mean_iou"))
    assert noise.forest.r2 < 0
    assert not noise.explains
    assert (list(noise.curves), noise.crossed) == ([], None)
    sentences = " ".join(about_parameters(noise, scoring_set(table, "mean_iou")))
    assert "it explains nothing, and no importance is to be read" in sentences


def test_less_than_what_is_written_as_0_explains_nothing(told):
    next_to_nothing = dataclasses.replace(told, forest=dataclasses.replace(told.forest, r2=0.0049))
    assert not next_to_nothing.explains


def test_the_worst_are_told_by_their_percentile(told, scoring):
    *_, said = about_parameters(told, scoring)
    place = 100 * (60 - 3) / 60  # the worst 6 of 60 are the widest: ranks 55 to 60, less half
    assert (
        f"are farthest from the middle in l.width_px: their mean percentile among all samples is {place:.0f}," in said
    )


def test_only_what_matters_in_every_fifth_is_said_to_matter(told, scoring):
    forest = dataclasses.replace(
        told.forest,
        importance=pd.Series({"l.width_px": 0.36, "l.depth": 0.1}),
        by_fold=pd.DataFrame({"l.width_px": [0.5, 0.5, -0.01, 0.4, 0.4], "l.depth": [0.1] * 5}).T,
    )
    said = " ".join(about_parameters(dataclasses.replace(told, forest=forest), scoring))
    assert "that R² falls by 0.10 for l.depth; for one other it does not fall in every fifth of the samples." in said


@pytest.mark.parametrize("count", [1, 2, 3, 19])
def test_few_samples_have_no_forest(count):
    told = explained(scoring_set(table_of(count), "mean_iou"))
    assert told.forest is None
    assert told.table["importance"].isna().all()
    assert len(told.table) == (0 if count == 1 else 2)


def test_equal_scores_have_nothing_to_explain(scoring):
    equal = scoring.assign(**{SCORE: 0.5})
    told = explained(equal)
    assert told.table["rank_correlation"].isna().all()
    assert list(about_parameters(told, equal)) == ["All 60 scores are the same: there is nothing to explain."]


def test_parameters_that_vary_together_are_named(scoring):
    twin = scoring.assign(**{"l.twin": -(scoring["l.width_px"] ** 3)})
    assert together(twin) == [("l.width_px", "l.twin", pytest.approx(-1))]
    assert together(twin.head(19)) == []


def test_two_parameters_are_crossed_by_thirds():
    scoring = pd.DataFrame({"l.a": range(9), "l.b": [1, 2] * 4 + [1], SCORE: np.arange(9) / 10})
    cells = crossed(scoring, "l.a", "l.b")
    assert (cells.rows, cells.columns) == (["0 to 2", "3 to 5", "6 to 8"], ["1", "2"])
    assert [[(round(c.mean, 6), c.n) for c in row] for row in cells.cells] == [
        [(0.1, 2), (0.1, 1)],
        [(0.4, 1), (0.4, 2)],
        [(0.7, 2), (0.7, 1)],
    ]


def test_equal_values_are_not_parted_by_thirds():
    mostly_0 = pd.Series([0.0] * 18 + [0.1, 0.2])
    assert thirds(pd.concat([mostly_0, pd.Series([0.3, 0.4])])).value_counts().to_dict() == {"0": 18, "0.1 to 0.4": 4}


def test_axes_have_units():
    labels = {
        name: axis_label(name) for name in ("a.thickness_px", "a.mean_grey", "a.direction_deg", "a.darkness_spread")
    }
    assert list(labels.values()) == ["thickness, px", "mean, grey levels", "direction, °", "darkness spread"]


def test_only_numbers_have_a_sign():
    rows = [{"rank_correlation": 0.5, "worst_percentile": place} for place in (40.0, np.nan)]
    assert [correlation(row) for row in rows] == ["+0.50", "0.50"]
    assert correlation({"rank_correlation": np.nan, "worst_percentile": 50.0}) == "none"


def test_sentences_write_p_values_and_settings():
    assert [p_value(p) for p in (np.nan, 0.0, 0.00012, 0.5)] == ["none", "< 0.0001", "0.00012", "0.50"]
    assert written({"a": {"b": [1, 2.5], "c": False}}) == "{a: {b: [1, 2.5], c: false}}"


@pytest.fixture(scope="module")
def full(table):
    """All that a page can tell: a style, a round, scores before, a picture; with names that want to be code."""
    styled = table.assign(style=[HOSTILE, "thin"] * 30, **{"before.mean_iou": table[IOU] - 0.125})
    scoring = scoring_set(styled, "mean_iou")
    samples = scoring.head(8).assign(parent=["000001"] * 4 + ["000002"] * 3 + [""])
    image = np.zeros((6, 9), dtype=np.uint8)
    return Told(
        subject="arm adaptive of grain_boundaries",
        score="boundary F1",
        whose="mean over 2 runs",
        scoring=scoring,
        explanation=explained(scoring),
        asked=beside(scoring, Round("adaptive", {"worst_fraction": {"fraction": 0.1}}, "base", "mean_iou", samples)),
        meanings={"l.depth": f"Depth {HOSTILE}"},
        pictures={scoring.sort_values(SCORE)["id"].iloc[0]: (image, image > 0)},
        remarks=["Something is left out."],
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
    assert all(each["src"].startswith("data:image/png;base64,") for each in read.all("img"))
    links = [each["href"] for _, each in read.elements if "href" in each]
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not re.search(r"url\((?!#)|@import", page)
    assert HOSTILE in read.text
    assert "micromime explain <b>" in read.text


def test_a_page_is_well_formed(read):
    ids = [each["id"] for _, each in read.elements if "id" in each]
    assert len(ids) == len(set(ids))
    assert read.links_within() <= set(ids)
    assert len(read.links_within()) == len(read.all("section")) == 6
    assert all(each.get("aria-label") or each.get("aria-hidden") for each in read.all("svg"))
    assert all(each.get("scope") in {"row", "col"} for each in read.all("th"))


def test_a_page_numbers_its_figures_and_tables_and_says_n(read):
    figures, tables = (re.findall(rf"{word} (\d+)\.", read.text) for word in ("Figure", "Table"))
    assert figures == [str(n) for n in range(1, 1 + len(figures))]
    assert tables == [str(n) for n in range(1, 1 + len(tables))]
    assert "Boundary F1, mean over 2 runs, of the n = 60 samples of the scoring set" in read.text
    assert "Round adaptive asked for 8 samples: 7 variations of 2 scored samples (3 to 4 of each)" in read.text
    assert "those varied (n = 2)" in read.text
    assert "Something is left out." in read.text
    assert "IoU" not in read.text


def test_the_same_content_is_the_same_bytes(full, page, tmp_path):
    write_explanation(tmp_path / "new" / "page.html", full)
    assert (tmp_path / "new" / "page.html").read_bytes() == page.encode()


@pytest.mark.parametrize("count", [1, 3, 60])
def test_a_page_of_little_leaves_out_what_it_has_not(count, reader):
    scoring = scoring_set(table_of(count), "mean_iou").drop(columns="l.width_px" if count == 60 else [])
    what = {"subject": "arm base", "score": "mean IoU", "whose": "of its one run"}
    told = Told(**what, scoring=scoring, explanation=explained(scoring))
    read = reader(explanation_page(told))
    assert "What the sampler asked for" not in read.text
    assert "How the score depends" not in read.text
    assert ("it explains nothing" in read.text) == (count == 60)
    assert "Importance:" not in read.text
    assert not read.all("img")
