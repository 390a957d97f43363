"""Charts: properties of all, and what each shows of numbers whose answers are known."""

import re
from copy import deepcopy
from functools import partial
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from micromime.reporting.charts import base
from micromime.reporting.charts.base import BLUE, ORANGE, PURPLE, diameters_chart, grains_chart, scores_chart
from micromime.reporting.charts.fitted import fitted_chart
from micromime.reporting.charts.tiles import error_chart, learning_chart
from micromime.reporting.failures import SCORE
from micromime.reporting.tables.tiles import MODELS

SVG = "{http://www.w3.org/2000/svg}"
TITLES = {"mean_iou": "mean IoU", "pixel_error": "pixel error"}
LAWS = {
    "width_px": {"lognormal": {"median": 6, "sigma": 0.2, "low": 3, "high": 12}},
    "segments": {"negative_binomial": {"mean": 9, "size": 4, "low": 1, "high": 40}},
    "taper_px": 30,
    "bend_deg": 0,
}
LAW_TITLES = {"width_px": "width, px", "segments": "segments", "taper_px": "taper <px> & more", "bend_deg": "bend"}
SIZES = pd.DataFrame(
    [
        ("steel", 20, 22, 40.0, 38.0, -0.15),
        ("steel", 60, 30, 20.0, 33.0, 1.44),
        ("iron & <b>", 0, 90, None, 25.0, None),
        ("iron & <b>", 80, 90, 26.0, 25.0, -0.11),
    ],
    columns=["source", "grains", "true_grains", "intercept_px", "true_intercept_px", "astm_difference"],
)


def summary(mean, *interval):
    ends = dict(zip(("lo", "hi"), interval, strict=True)) if interval else None
    return {"mean": mean, "sd": None, "ci99": ends}


def diameters(**sources):
    """Rows of grains, of each source true and found diameters."""
    rows = [
        (source, kind, float(each))
        for source, parts in sources.items()
        for kind, part in zip(("true", "found"), parts, strict=True)
        for each in part
    ]
    return pd.DataFrame(rows, columns=["source", "kind", "diameter_px"])


@pytest.fixture(scope="module")
def verdict():
    arm = {"n_runs": 2, "mean_iou": summary(0.7, 0.1, 0.98), "pixel_error": summary(0.1)}
    return {"baselines": {"otsu": {"mean_iou": 0.51, "pixel_error": 0.2}}, "arms": {"base": arm, "a & <b>": arm}}


@pytest.fixture(scope="module")
def epochs():
    rows = [(arm, run, epoch) for arm in ("base", "adaptive") for run in (1, 2, 3) for epoch in (1, 2, 3)]
    table = pd.DataFrame(rows, columns=["arm", "run", "epoch"])
    table["phase"] = np.where((table["arm"] == "base") & (table["epoch"] == 3), 2, 1)
    falling = 1 / (table["epoch"] + table["run"])
    return table.assign(train_loss=falling, valid_loss=falling + 0.1, mean_iou=1 - falling)


@pytest.fixture(scope="module")
def scoring():
    rng = np.random.default_rng(2)
    thick = rng.uniform(2, 7, 60)
    table = {"l.thick_px": thick, "m.like_it_px": thick, "l.$x^2$": rng.integers(1, 4, 60), "l.same": 3}
    return pd.DataFrame(table).assign(**{SCORE: thick / 10})


@pytest.fixture(scope="module")
def drawers(verdict, epochs, scoring, tile_verdict):
    """Every chart, by a name, as a function that draws it."""
    tiles = tile_verdict()
    cracks = {"width_px": [5.0, 6, 7, 8], "segments": [3, 9, 9, 12], "taper_px": [20.0, np.nan, 30, 40]}
    measured = pd.DataFrame(cracks).assign(bend_deg=np.nan)
    spread = SIZES.assign(astm_lo=SIZES["astm_difference"] - 0.2, astm_hi=SIZES["astm_difference"] + 0.2)
    grains = diameters(steel=([5, 6, 7, 8], [5, 6, 9, 10, 12]), iron=([30, 50], []))
    simulated = measured.assign(width_px=[5.0, 6, 9, 10])
    return {
        "scores": partial(scores_chart, verdict, {**TITLES, "boundary_f1": "boundary F1"}),
        "base": partial(base.learning_curves, epochs, "base"),
        "adaptive": partial(base.learning_curves, epochs, "adaptive"),
        "parameters": partial(base.score_by_parameter, scoring, "mean IoU"),
        "fitted": partial(fitted_chart, LAWS, measured, simulated, LAW_TITLES),
        "grains": partial(grains_chart, SIZES, "base"),
        "others": partial(grains_chart, spread, "real"),
        "diameters": partial(diameters_chart, grains, "base"),
        "errors": partial(error_chart, tiles),
        "learning": partial(learning_chart, tiles),
    }


@pytest.fixture(scope="module")
def charts(drawers):
    return {name: draw() for name, draw in drawers.items()}


def texts(svg):
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def widths(svg, colour):
    """Return the widths of the strokes in a colour, in the plots (not the legend)."""
    paths = [each for each in ElementTree.fromstring(svg).iter(f"{SVG}path") if "clip-path" in each.attrib]
    styles = [each.attrib.get("style", "") for each in paths if f"stroke: {colour}" in each.attrib.get("style", "")]
    return [float(found[1]) for style in styles if (found := re.search(r"stroke-width: ([\d.]+)", style))]


@pytest.mark.parametrize("name", ["scores", "parameters"])  # lines and letters; pixels
def test_a_chart_is_the_same_bytes_each_time(charts, drawers, name):
    assert drawers[name]() == charts[name]


def test_charts_get_along_in_one_page_load_nothing_and_say_what_they_are(charts):
    page = "".join(svg for name, svg in charts.items() if name != "errors")  # no page has it beside `scores`
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', page)) <= set(ids)
    assert not any(word in page for word in ("<style", "<metadata", "<?xml", "<!DOCTYPE", "xlink"))
    assert all(link.startswith(("#", "data:image/png;")) for link in re.findall(r'(?:href|src)="([^"]*)"', page))
    assert all(ElementTree.fromstring(svg).attrib["aria-label"] for svg in charts.values())


def test_scores_name_every_arm_and_baseline_and_their_means(charts):
    said = texts(charts["scores"])
    assert {"otsu", "base", "a & <b>", "mean IoU", "(more is better)", "pixel error", "(less is better)"} <= set(said)
    assert [said.count(number) for number in ("0.510", "0.200", "0.700", "0.100")] == [1, 1, 2, 2]
    assert not any("boundary F1" in text for text in said)  # not all have it


def test_every_interval_has_a_bar_and_other_intervals_none(charts, verdict):
    assert widths(charts["scores"], BLUE).count(2) == 1  # of two metrics, one has an interval
    other = deepcopy(verdict)
    other["arms"]["base"]["pixel_error"]["ci99_student"] = {"lo": -0.5, "hi": 0.7}
    assert scores_chart(other, TITLES) == charts["scores"]


def test_curves_are_a_thin_line_a_run_and_a_thick_median(charts):
    assert sorted(widths(charts["base"], BLUE)) == [0.7, 0.7, 0.7, 2.2]
    assert len(widths(charts["base"], ORANGE)) == 8


def test_phases_are_marked_where_there_are_several(charts):
    assert texts(charts["base"]).count("phase 2") == 2
    assert charts["base"].count("stroke-dasharray: 3.6,2.7") == 2
    assert not any("phase" in text for text in texts(charts["adaptive"]))


def test_parameters_have_a_chart_each_the_telling_ones_first_and_dollars_are_dollars(charts):
    said = texts(charts["parameters"])
    assert [text for text in said if text.startswith(("l.", "m."))] == ["l.thick_px", "m.like_it_px", "l.$x^2$"]
    assert next(text for text in said if text.startswith("r =")) == "r = +1.00"
    assert charts["parameters"].count("<image") == 3  # dots as pixels; two of the pictures are alike


def test_fitted_laws_say_how_many_what_law_and_how_far_apart(charts):
    said = texts(charts["fitted"])
    assert set(LAW_TITLES.values()) <= set(said)
    # Two of four widths differ: beyond 7 to 8 the shares are 3/4 or 1 against 1/2.
    lines = ("n = 4", "lognormal", "KS = 0.50", "negative binomial", "KS = 0.00", "n = 3", "30", "n = 0", "not seen")
    assert [line for line in lines if not any(line in each for each in said)] == []
    for name in ("measured", "simulated, measured alike", "fitted law, corrected"):
        assert said.count(name) == 1


def test_grains_say_how_many_they_show_and_how_many_they_cannot(charts):
    said = texts(charts["grains"])
    for title in ("number of grains", "mean linear intercept, px", "ASTM number"):
        assert f"{title} (n = 3, none: 1)" in said
    assert said.count("steel") == said.count("iron & <b>") == 2  # in the legend, and beside the differences
    assert {"20", "50"} <= set(said)
    nothing = SIZES.assign(grains=0, intercept_px=None, astm_difference=None)
    assert "number of grains (n = 0, none: 4)" in texts(grains_chart(nothing, "base"))


def test_intervals_of_grains_are_drawn_where_they_are_given(charts):
    assert len(widths(charts["others"], BLUE)) - len(widths(charts["grains"], BLUE)) == 2


def test_diameters_say_how_many_grains_and_how_far_apart(charts):
    said = texts(charts["diameters"])
    assert {"true (4)", "found (5)", "steel, KS = 0.60", "true (2)", "iron"} <= set(said)
    assert "found (0)" not in said


def test_every_source_has_a_panel_of_diameters_in_lines_of_as_many(charts, monkeypatch):
    monkeypatch.setattr(base, "ACROSS", 1)
    drawn = diameters_chart(diameters(source_1=([5, 6], [7]), source_2=([5, 6], [7])), "base")
    assert sum(text.startswith("source_") for text in texts(drawn)) == 2
    heights = [float(ElementTree.fromstring(svg).attrib["viewBox"].split()[-1]) for svg in (charts["diameters"], drawn)]
    assert heights == pytest.approx([72 * 2.6, 72 * 2.6 * 2])


def test_errors_have_a_panel_a_subset_for_test_data_and_for_all_the_most_tiles_first(charts):
    said = texts(charts["errors"])
    titles = [text for text in said if "training tiles" in text]
    assert titles == [f"{on} data; {tiles} training tiles" for tiles in (64, 16) for on in ("test", "all")]
    means = ("0.350", "0.250", "0.150", "0.400", "0.500")  # synthetic; real, longer; mixed; the filter's
    assert [said.count(mean) for mean in means] == [4, 8, 4, 2, 2]
    assert [text for text in said if text in MODELS.values()][:4] == list(MODELS.values())


def test_the_learning_curve_has_a_mark_at_each_number_of_tiles_and_a_line_a_model(charts, tile_verdict):
    said = texts(charts["learning"])
    assert [text for text in said if text in {"16", "64"}] == ["16", "64"]
    assert [text for text in said if text in MODELS.values()] == list(MODELS.values())
    assert {"real training tiles", "line filter"} <= set(said)
    for colour in (BLUE, PURPLE):
        assert len(widths(charts["learning"], colour)) == 3  # an interval at each number of tiles, and the line
    one_run = tile_verdict(runs=1)
    assert len(widths(learning_chart(one_run), BLUE)) == 1
