import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from micromime.judging.metrics import SEGMENTATION
from micromime.judging.verdict import verdict
from micromime.reporting.failures import SCORE, Score, WorstSample
from micromime.reporting.figures.panels import Shown, panel
from micromime.reporting.pages.page import Report, html_of, report_page, write_report
from micromime.reporting.tables.verdict import headline, verdict_table

REAL = {"kind": "real", "name": "grain_boundaries", "reason": None}
SURROGATE = {"kind": "surrogate", "name": "grain_boundaries", "reason": "no real set was given"}
HOSTILE = "<script>alert(1)</script>"


def shown(sample, name, source):
    return Shown(name, source, sample.image, sample.mask, np.roll(sample.mask, 1, axis=1))


def said_of(test_set, arms, runs, pictures):
    rows = [
        {"picture": each.name, "source": each.source}
        | {name: f(each.prediction, each.truth) for name, f in SEGMENTATION.items()}
        for each in pictures
    ]
    scores = pd.DataFrame([{"arm": arm, "run": run, **row} for arm in arms for run in runs for row in rows])
    return verdict(test_set, scores, pd.DataFrame([{"baseline": "local_threshold", **row} for row in rows]))


@pytest.fixture(scope="module")
def samples(grains):
    return [grains.draw(np.random.default_rng(seed)) for seed in range(12)]


GRAINS_FOUND = pd.DataFrame(
    {
        "source": ["steel", "iron"],
        "grains": [12, 30],
        "true_grains": [10, 33],
        "intercept_px": [40.0, 21.0],
        "true_intercept_px": [44.0, 20.0],
        "astm_difference": [0.27, -0.14],
        "astm_lo": [0.1, -0.5],
        "astm_hi": [0.4, 0.2],
    }
)

DIAMETERS = pd.DataFrame({"source": "steel", "kind": ["true", "true", "found"], "diameter_px": [20.0, 30.0, 25.0]})


@pytest.fixture(scope="module")
def full(samples):
    """A report with all that it can have: real pictures, three arms of two runs."""
    first = [each.render() for each in samples[:2]]
    synthetic = [shown(each, f"{n:06d}", "synthetic") for n, each in enumerate(first)]
    real = [shown(each, f"photograph {n}", HOSTILE) for n, each in enumerate(first)]
    scoring = pd.DataFrame([each.row() for each in samples]).assign(**{SCORE: np.linspace(0.9, 0.5, 12)})
    parameters = {name: value for name, value in samples[11].row().items() if "." in name}
    said = said_of(REAL, ["base", "random", "adaptive"], [1, 2], real)
    curves = [(arm, run, epoch) for arm in said["arms"] for run in (1, 2) for epoch in (1, 2)]
    return Report(
        verdict=said,
        tables_markdown=verdict_table(said),
        predicted_by="base, run 1",
        synthetic=synthetic,
        real=real,
        worst=[
            WorstSample("000011", synthetic[0], {"mean_iou": Score(0.5, 0.021), "odd_one": Score(0.25)}, parameters)
        ],
        scoring=scoring,
        scored_by="pixel accuracy",
        epochs=pd.DataFrame(curves, columns=["arm", "run", "epoch"]).assign(
            phase=1, train_loss=0.5, valid_loss=0.6, mean_iou=0.7, pixel_error=0.1, images_per_second=[7, 9] * 6
        ),
        rates=pd.DataFrame(
            [
                {
                    "arm": "base",
                    "phase": 1,
                    "size_px": 64,
                    "trainable": "head",
                    "epochs": 2,
                    "peak_rate": 0.00123456,
                    "how": "found",
                }
            ]
        ),
        grains=GRAINS_FOUND,
        diameters=DIAMETERS,
        panel=panel(real, headline(said["test_set"])),
        origin={"profile": "tiny", "command": "make run && echo <b>"},
    )


@pytest.fixture(scope="module")
def bare(full):
    """A report with as little as there can be: a surrogate, one arm of one run."""
    said = said_of(SURROGATE, ["base"], [1], full.real)
    none = pd.DataFrame()
    kept = {"verdict": said, "tables_markdown": verdict_table(said), "origin": {}}
    kept |= {"synthetic": [], "worst": []}
    tables = dict.fromkeys(("scoring", "epochs", "rates", "grains", "diameters"), none)
    return dataclasses.replace(full, **kept, **tables)


@pytest.fixture(scope="module")
def page(full):
    return report_page(full)


@pytest.fixture(scope="module")
def bare_page(bare):
    return report_page(bare)


@pytest.fixture(scope="module")
def read(page, reader):
    return reader(page)


def spaced(text):
    return " ".join(text.split())


def test_title_and_first_line_say_what_was_tested_on(page, bare_page):
    for text, kind in ((page, "real pictures; "), (bare_page, "surrogate, not real (no real set was given); ")):
        sentence = f"Test set: {kind}grain_boundaries, n = 2"
        assert f"<title>{sentence} | micromime</title>" in text
        assert f"<h1>{sentence}</h1>" in text
        assert text.count("<h1>") == 1
        assert f"<strong>{sentence}" not in text


def test_only_a_page_with_real_pictures_speaks_of_their_licence(page, bare_page, reader):
    licence = "third parties' pictures: do not publish it without their licence"
    assert licence in page
    assert licence not in bare_page
    assert "surrogate" not in reader(page).text.lower()


def test_every_figure_with_a_surrogate_says_so(bare, full, reader):
    read = reader(report_page(dataclasses.replace(bare, synthetic=full.synthetic)))
    captions = re.findall(r"Figure \d\..*?\n\n", read.text, re.DOTALL)
    assert len(captions) == 3
    assert all("surrogate" in each for each in captions)
    assert all("not real" in each["alt"] for each in read.all("img"))


def test_a_page_is_well_formed_whatever_it_lacks(read, bare_page, reader):
    bare = reader(bare_page)
    for each in (read, bare):
        assert each.links_within() <= each.ids()
        assert len(each.links_within()) == len(each.all("section"))
    assert len(read.all("section")) == 8
    assert len(bare.all("section")) == 3
    assert len(bare.all("svg")) == len(bare.all("img")) == 1


def test_ids_are_unique(read):
    ids = [each["id"] for _, each in read.elements if "id" in each]
    assert len(ids) == len(set(ids))


def test_nothing_is_loaded_and_nothing_runs(page, read):
    assert not read.all("script")
    assert all(each["src"].startswith("data:image/png;base64,") for each in read.all("img"))
    links = [each["href"] for _, each in read.elements if "href" in each]
    assert [link for link in links if not link.startswith(("#", "data:"))] == ["https://doi.org/10.3390/cryst11030258"]
    assert not re.search(r"url\((?!#)|@import", page)
    assert not any(name.startswith("on") for _, each in read.elements for name in each)


def test_hostile_names_are_text(read, page):
    assert "<script>" not in page
    assert HOSTILE in read.text
    assert "make run && echo <b>" in read.text


def test_pictures_have_words_and_tables_have_heads(read):
    assert all(each["alt"] for each in read.all("img"))
    assert {"Synthetic sample 000011: image", "Synthetic sample 000011: prediction"} <= {
        e["alt"] for e in read.all("img")
    }
    assert all(each.get("aria-label") or each.get("aria-hidden") for each in read.all("svg"))
    assert all(each.get("scope") in {"row", "col"} for each in read.all("th"))
    assert len(read.all("thead")) == len(read.all("table")) > 6


def test_figures_and_tables_are_numbered_through(read):
    assert re.findall(r"Figure (\d+)\.", read.text) == [str(n) for n in range(1, 12)]
    assert re.findall(r"Table (\d+)\.", read.text) == ["1", "2", "3"]


def test_the_worst_samples_have_scores_and_places_of_their_parameters(full, read):
    assert "Pixel accuracy (over runs) of each of the 12 synthetic samples" in read.text
    assert "Synthetic sample 000011: mean IoU 0.500 ± 0.021, odd one 0.250." in read.text
    thickness = full.scoring["grain_boundaries.thickness_px"]
    below = 100 * ((thickness < thickness[11]).sum() + 0.5) / 12
    assert f"grain_boundaries.thickness_px{thickness[11]:.4g} {below:.0f}" in spaced(read.text)
    assert "grain_boundaries.control_points3 none" in spaced(read.text)


def test_the_table_of_phases_has_rates_and_speed(page):
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", page[page.index(">how</th>") : page.index('<section id="panel">')])
    assert cells == ["1", "64", "head", "2", "", "0.0012", "found", "8"]


def test_the_same_report_is_the_same_bytes(tmp_path, bare, bare_page):
    write_report(tmp_path / "report.html", bare)
    assert (tmp_path / "report.html").read_bytes() == bare_page.encode()


def test_markdown_keeps_links_to_dois_and_shows_all_else_as_text():
    html = html_of("# a\n\n<b>\n\n![x](https://doi.org/x.png) [y](http://y.org) [z](https://doi.org/10.1/z)\n")
    assert "<h3>a</h3>" in html
    assert "&lt;b&gt;" in html
    assert "<img" not in html
    assert re.findall(r'(?:src|href)="([^"]*)"', html) == ["https://doi.org/x.png", "https://doi.org/10.1/z"]


def test_markdown_tables_scroll_and_have_heads():
    html = html_of("| a | b |\n| --- | ---: |\n| steel | 1 |\n| | 2 |\n")
    assert html.startswith('<div class="scroll" tabindex="0"><table>')
    assert html.strip().endswith("</table></div>")
    assert '<th scope="col">a</th>' in html
    assert '<th scope="row">steel</th>' in html
    assert "<td></td>" in html
