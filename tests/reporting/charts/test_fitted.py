from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from micromime.reporting.charts.fitted import fitted_chart

SVG = "{http://www.w3.org/2000/svg}"
TITLES = {"width_px": "width, px", "segments": "segments", "taper_px": "taper <px> & more", "bend_deg": "bend, degrees"}
LAWS = {
    "width_px": {"lognormal": {"median": 6, "sigma": 0.2, "low": 3, "high": 12}},
    "segments": {"negative_binomial": {"mean": 9, "size": 4, "low": 1, "high": 40}},
    "taper_px": 30,
    "bend_deg": 0,
}


@pytest.fixture(scope="module")
def drawn():
    measured = pd.DataFrame(
        {"width_px": [5.0, 6, 7, 8], "segments": [3, 9, 9, 12], "taper_px": [20.0, np.nan, 30, 40], "bend_deg": np.nan}
    )
    return fitted_chart(LAWS, measured, measured.assign(width_px=[5.0, 6, 9, 10]), TITLES)


def texts(svg):
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_panels_say_how_many_what_law_and_how_far_apart(drawn):
    said = texts(drawn)
    assert [title for title in TITLES.values() if title not in said] == []
    # Two of four widths differ: beyond 7 to 8 the shares are 3/4 or 1 against 1/2.
    for line in (
        "n = 4",
        "lognormal",
        "KS = 0.50",
        "negative binomial",
        "KS = 0.00",
        "n = 3",
        "30",
        "n = 0",
        "not seen",
    ):
        assert any(line in each for each in said), line


def test_the_legend_names_the_three_lines_once(drawn):
    said = texts(drawn)
    assert [said.count(name) for name in ("measured", "simulated, measured alike", "fitted law, corrected")] == [
        1,
        1,
        1,
    ]


def test_same_numbers_same_bytes(drawn):
    table = pd.DataFrame({"width_px": [5.0, 6.0]})
    one, other = (fitted_chart(LAWS, table, table, {"width_px": "w"}) for _ in range(2))
    assert one == other
    assert one != drawn
