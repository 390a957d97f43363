import re
from xml.etree import ElementTree

import pytest

from micromime.reporting.charts.base import BLUE, PURPLE
from micromime.reporting.charts.tiles import error_chart, learning_chart
from micromime.reporting.tables.tiles import MODELS

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def charts(tile_verdict):
    said = tile_verdict()
    return {"errors": error_chart(said), "learning": learning_chart(said)}


def texts(svg):
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def strokes(svg, colour):
    paths = [each for each in ElementTree.fromstring(svg).iter(f"{SVG}path") if "clip-path" in each.attrib]
    return [each.attrib["d"] for each in paths if f"stroke: {colour}" in each.attrib.get("style", "")]


def test_every_subset_has_a_panel_for_test_data_and_one_for_all_the_most_tiles_first(charts):
    titles = [text for text in texts(charts["errors"]) if "training tiles" in text]
    assert titles == [f"{on} data; {tiles} training tiles" for tiles in (64, 16) for on in ("test", "all")]


def test_models_and_line_filter_are_named_with_their_means(charts):
    said = texts(charts["errors"])
    assert {"line filter", "synthetic model", "mixed model", "control: real, as long as mixed"} <= set(said)
    means = ("0.350", "0.250", "0.150", "0.400", "0.500")  # synthetic; real, longer; mixed; the filter's
    assert [said.count(mean) for mean in means] == [4, 8, 4, 2, 2]


def test_models_come_in_the_order_of_the_tables(charts):
    named = [text for text in texts(charts["learning"]) if text in MODELS.values()]
    assert named == list(MODELS.values())
    assert [text for text in texts(charts["errors"]) if text in MODELS.values()][:4] == named


def test_the_learning_curve_has_a_mark_at_each_number_of_tiles_and_a_line_a_model(charts):
    said = texts(charts["learning"])
    assert [text for text in said if text in {"16", "64"}] == ["16", "64"]
    assert {"real training tiles", "synthetic model", "real model", "mixed model", "line filter"} <= set(said)
    assert "stroke-dasharray" in charts["learning"]
    for colour in (BLUE, PURPLE):
        assert len(strokes(charts["learning"], colour)) == 3  # an interval at each number of tiles, and the line


def test_one_run_and_one_subset_have_no_intervals(tile_verdict):
    said = tile_verdict(runs=1)
    del said["subsets"]["16"]
    assert len(strokes(learning_chart(said), BLUE)) == 1
    assert "64 training tiles" in error_chart(said)


def test_charts_are_the_same_bytes_each_time_and_get_along_in_one_page(charts, tile_verdict):
    said = tile_verdict()
    assert (error_chart(said), learning_chart(said)) == (charts["errors"], charts["learning"])
    ids = re.findall(r' id="([^"]+)"', "".join(charts.values()))
    assert len(ids) == len(set(ids))
