import re
from xml.etree import ElementTree

import pandas as pd
import pytest

from micromime.reporting.charts.grains import diameters_chart, grains_chart

SVG = "{http://www.w3.org/2000/svg}"
COLUMNS = ["source", "grains", "true_grains", "intercept_px", "true_intercept_px", "astm_difference"]
ROWS = [
    ("steel", 20, 22, 40.0, 38.0, -0.15),
    ("steel", 60, 30, 20.0, 33.0, 1.44),
    ("iron & <b>", 0, 90, None, 25.0, None),
    ("iron & <b>", 80, 90, 26.0, 25.0, -0.11),
]


@pytest.fixture(scope="module")
def sizes():
    return pd.DataFrame(ROWS, columns=COLUMNS)


def diameters(**sources):
    """Rows of grains, of each source true and found diameters."""
    rows = [
        (source, kind, float(each))
        for source, parts in sources.items()
        for kind, part in zip(("true", "found"), parts, strict=True)
        for each in part
    ]
    return pd.DataFrame(rows, columns=["source", "kind", "diameter_px"])


def texts(svg):
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def drawn(svg, colour):
    """Return how many strokes there are in a colour within the plots."""
    paths = [each for each in ElementTree.fromstring(svg).iter(f"{SVG}path") if "clip-path" in each.attrib]
    return sum(f"stroke: {colour}" in each.attrib.get("style", "") for each in paths)


def test_panels_say_how_many_they_show_and_how_many_they_cannot(sizes):
    said = texts(grains_chart(sizes, "base"))
    for title in ("number of grains", "mean linear intercept, px", "ASTM number"):
        assert f"{title} (n = 3, none: 1)" in said
    assert said.count("steel") == said.count("iron & <b>") == 2  # in the legend, and beside the differences


def test_intervals_are_drawn_where_they_are_given(sizes):
    spread = sizes.assign(astm_lo=sizes["astm_difference"] - 0.2, astm_hi=sizes["astm_difference"] + 0.2)
    without, with_intervals = (drawn(grains_chart(each, "base"), "#0072b2") for each in (sizes, spread))
    assert with_intervals - without == 2


def test_axes_write_plain_numbers(sizes):
    said = texts(grains_chart(sizes, "base"))
    assert {"20", "50"} <= set(said)
    assert not any("$" in text or "mathdefault" in text for text in said)


def test_the_chart_of_nothing_found_is_a_chart(sizes):
    nothing = sizes.assign(grains=0, intercept_px=None, astm_difference=None)
    assert "number of grains (n = 0, none: 4)" in texts(grains_chart(nothing, "base"))


def test_diameters_say_how_many_grains_and_how_far_apart():
    said = texts(diameters_chart(diameters(steel=([5, 6, 7, 8], [5, 6, 9, 10, 12]), iron=([30, 50], [])), "base"))
    assert {"true (4)", "found (5)", "steel, KS = 0.60", "true (2)", "iron"} <= set(said)
    assert "found (0)" not in said


@pytest.mark.parametrize(("sources", "rows"), [(1, 1), (3, 1), (4, 2)])
def test_every_source_has_a_panel_of_diameters(sources, rows):
    shown = diameters(**{f"source_{n}": ([5, 6], [7]) for n in range(sources)})
    drawn_ = diameters_chart(shown, "base")
    assert sum(text.startswith("source_") for text in texts(drawn_)) == sources
    height_pt = float(ElementTree.fromstring(drawn_).attrib["viewBox"].split()[-1])
    assert height_pt == pytest.approx(72 * 2.6 * rows)


def test_same_numbers_same_bytes_and_other_names_other_ids(sizes):
    assert grains_chart(sizes, "base") == grains_chart(sizes.copy(), "base")
    grains = diameters(steel=([5, 6], [5, 6]))
    charts = [grains_chart(sizes, "base"), grains_chart(sizes, "real"), diameters_chart(grains, "base")]
    ids = re.findall(r' id="([^"]+)"', "".join(charts))
    assert len(ids) == len(set(ids))
    assert all(ElementTree.fromstring(each).attrib["aria-label"] for each in charts)
