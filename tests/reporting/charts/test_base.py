import re
from copy import deepcopy
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from micromime.reporting.charts.base import learning_curves, score_by_parameter, scores_chart
from micromime.reporting.failures import SCORE

TITLES = {"mean_iou": "mean IoU", "pixel_error": "pixel error"}
SVG = "{http://www.w3.org/2000/svg}"


def summary(mean, *interval):
    return {
        "mean": mean,
        "sd": None,
        "ci99_student": dict(zip(("lo", "hi"), interval, strict=True)) if interval else None,
    }


@pytest.fixture(scope="module")
def verdict():
    arm = {"n_runs": 2, "mean_iou": summary(0.7, -0.3, 1.7), "pixel_error": summary(0.1)}
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
    return pd.DataFrame({"l.thick_px": thick, "l.kernel": rng.integers(1, 4, 60), "l.same": 3, SCORE: thick / 10})


@pytest.fixture(scope="module")
def drawn(verdict, epochs, scoring):
    return {
        "scores": scores_chart(verdict, TITLES),
        "base": learning_curves(epochs, "base"),
        "adaptive": learning_curves(epochs, "adaptive"),
        "parameters": score_by_parameter(scoring, "mean IoU"),
    }


def texts(svg):
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_charts_are_the_same_bytes_each_time(drawn, verdict, epochs, scoring):
    assert scores_chart(verdict, TITLES) == drawn["scores"]
    assert learning_curves(epochs, "base") == drawn["base"]
    assert score_by_parameter(scoring, "mean IoU") == drawn["parameters"]


def test_charts_get_along_in_one_page(drawn):
    page = "".join(drawn.values())
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    referred = re.findall(r'(?:href="#|url\(#)([^")]+)', page)
    assert referred
    assert set(referred) <= set(ids)
    assert not any(word in page for word in ("<style", "<metadata", "<?xml", "<!DOCTYPE", "xlink"))


def test_parameters_that_look_alike_get_along_too(scoring):
    drawn = score_by_parameter(scoring.assign(**{"m.thin_px": scoring["l.thick_px"]}), "mean IoU")
    ids = re.findall(r' id="([^"]+)"', drawn)
    assert len(ids) == len(set(ids))
    assert drawn.count("<image") == 3


def test_charts_load_nothing_and_say_what_they_are(drawn):
    for svg in drawn.values():
        assert all(link.startswith(("#", "data:image/png;")) for link in re.findall(r'(?:href|src)="([^"]*)"', svg))
        root = ElementTree.fromstring(svg)
        assert root.attrib["role"] == "img"
        assert root.attrib["aria-label"]


def test_scores_name_every_arm_and_baseline_and_their_means(drawn):
    said = texts(drawn["scores"])
    assert {"otsu", "base", "a & <b>", "mean IoU", "(more is better)", "pixel error", "(less is better)"} <= set(said)
    assert [said.count(number) for number in ("0.510", "0.200", "0.700", "0.100")] == [1, 1, 2, 2]


def test_scores_leave_out_what_not_all_have(verdict):
    said = texts(scores_chart(verdict, {**TITLES, "boundary_f1": "boundary F1"}))
    assert not any("boundary F1" in text for text in said)


def test_an_interval_ends_where_scores_do(drawn, verdict):
    cut = deepcopy(verdict)
    for arm in cut["arms"].values():
        arm["mean_iou"] = summary(0.7, 0.0, 1.0)
    assert scores_chart(cut, TITLES) == drawn["scores"]


def lines(svg, colour):
    """Return the widths of the lines in a colour, in the plots (not the legend)."""
    root = ElementTree.fromstring(svg)
    styles = [each.attrib.get("style", "") for each in root.iter(f"{SVG}path") if "clip-path" in each.attrib]
    return [float(re.search(r"stroke-width: ([\d.]+)", s)[1]) for s in styles if f"stroke: {colour}" in s]


def test_curves_are_a_thin_line_a_run_and_a_thick_median(drawn):
    widths = lines(drawn["base"], "#0072b2")
    assert sorted(widths) == [0.7, 0.7, 0.7, 2.2]
    assert len(lines(drawn["base"], "#e69f00")) == 8


def test_phases_are_marked_where_there_are_several(drawn):
    assert texts(drawn["base"]).count("phase 2") == 2
    assert drawn["base"].count("stroke-dasharray: 3.6,2.7") == 2
    assert not any("phase" in text for text in texts(drawn["adaptive"]))


def test_curves_of_one_run_and_one_epoch_with_a_loss_that_is_no_number(epochs):
    first = epochs.head(1).assign(valid_loss=float("nan"))
    assert "runs: 1." in learning_curves(first, "base")


def test_parameters_have_a_chart_each_the_telling_ones_first(drawn):
    said = texts(drawn["parameters"])
    assert [text for text in said if text.startswith("l.")] == ["l.thick_px", "l.kernel"]
    assert next(text for text in said if text.startswith("r =")) == "r = +1.00"


def test_names_with_dollars_are_names(scoring):
    assert "l.$x^2$" in texts(score_by_parameter(scoring.rename(columns={"l.kernel": "l.$x^2$"}), "mean IoU"))
