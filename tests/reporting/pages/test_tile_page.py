import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from micromime.reporting.pages.tile_page import TileReport, tile_report_page, write_tile_report
from micromime.reporting.tables.tiles import tile_tables

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def full(tile_verdict):
    arms = [f"{model}_{subset}" for subset in ("all", "16") for model in ("synthetic", "mixed")]
    rows = [(arm, run, epoch) for arm in arms for run in (1, 2) for epoch in (1, 2)]
    said = tile_verdict()
    picture = np.zeros((8, 12, 3), dtype=np.uint8)
    return TileReport(
        verdict=said,
        tables_markdown=tile_tables(said),
        epochs=pd.DataFrame(rows, columns=["arm", "run", "epoch"]).assign(
            phase=1, train_loss=0.5, valid_loss=0.6, error_rate=0.25, images_per_second=8.0
        ),
        rates=pd.DataFrame(
            [
                {
                    "arm": arm,
                    "phase": 1,
                    "size_px": 64,
                    "trainable": "all",
                    "epochs": 2,
                    "peak_rate": 0.001,
                    "how": "given",
                }
                for arm in arms
            ]
        ),
        origin={"profile": HOSTILE},
        figure_3=picture,
        made_after="all",
        counts={"real": 64, "synthetic": 600, "patches": 900, "seeds": 36},
        contact_sheet=picture,
        fitted='<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="fitted"></svg>',
        fitted_to="all",
        wrong=picture,
        curves_of=["synthetic_all", "mixed_all", "mixed_16"],
    )


@pytest.fixture(scope="module")
def surrogate(full, tile_verdict):
    said = tile_verdict("surrogate", runs=1)
    none = pd.DataFrame()
    kept = {"verdict": said, "tables_markdown": tile_tables(said), "curves_of": [], "epochs": none, "rates": none}
    return dataclasses.replace(full, **kept)


@pytest.fixture(scope="module")
def page(full):
    return tile_report_page(full)


@pytest.fixture(scope="module")
def read(page, reader):
    return reader(page)


def test_the_first_line_says_what_was_tested_on(page, surrogate):
    assert "<h1>Test set: real pictures; chip_cracks, n = 10</h1>" in page
    other = tile_report_page(surrogate)
    assert "<h1>Test set: surrogate, not real (no real set was given); chip_cracks, n = 10</h1>" in other
    assert "do not publish it without their licence" in page
    assert "do not publish it" not in other


def test_every_figure_with_a_surrogate_says_so(surrogate, reader):
    read = reader(tile_report_page(surrogate))
    captions = re.findall(r"Figure \d\..*?\n\n", read.text, re.DOTALL)
    assert len(captions) == 6
    assert all("surrogate" in each.lower() for each in captions)
    assert all("not real" in each["alt"] for each in read.all("img"))
    assert "not from a camera" in read.text


def test_a_page_with_real_tiles_names_no_surrogate(read):
    assert "surrogate" not in read.text.lower()


def test_a_page_is_well_formed_and_every_section_is_in_its_contents(read, surrogate, reader):
    for each, sections in ((read, 7), (reader(tile_report_page(surrogate)), 6)):
        assert each.links_within() == {part["id"] for part in each.all("section")}
        assert len(each.all("section")) == sections


def test_figures_and_tables_are_numbered_through_and_told(read):
    assert re.findall(r"Figure (\d+)\.", read.text) == [str(n) for n in range(1, 10)]
    assert re.findall(r"Table (\d+)\.", read.text) == ["1", "2"]
    assert len(read.all("figcaption")) == len(read.all("figure")) == 9
    assert all(each["alt"] for each in read.all("img"))


def test_the_tables_of_the_verdict_have_headings_below_that_of_their_section(page):
    assert "<h3>Training tiles: 64 (all)</h3>" in page
    assert not re.search("<h[456]>", page)


def test_only_the_curves_that_are_asked_for_are_drawn_and_show_the_error_rate(read, page):
    assert re.findall(r"Learning curves of arm (\w+)", read.text) == ["synthetic_all", "mixed_all", "mixed_16"]
    assert page.count(">error rate</text>") == 3
    assert page.count('<th scope="row">synthetic_16</th>') == 1  # in the table of phases


def test_nothing_is_loaded_nothing_runs_and_hostile_names_are_text(page, read):
    assert not read.all("script")
    assert HOSTILE in read.text
    assert all(each["src"].startswith("data:image/png;base64,") for each in read.all("img"))
    assert not re.search(r"url\((?!#)|@import", page)


def test_ids_are_unique(read):
    ids = [each["id"] for _, each in read.elements if "id" in each]
    assert len(ids) == len(set(ids))


def test_the_same_report_is_the_same_bytes(tmp_path, full, page):
    write_tile_report(tmp_path / "report.html", full)
    assert (tmp_path / "report.html").read_bytes() == page.encode()
