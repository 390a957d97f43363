"""The pages: properties of all, and what each tells of whom."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from micromime.datasets.store import Dataset, write_description, write_shard
from micromime.judging.metrics import SCORED, SEGMENTATION
from micromime.judging.verdict import verdict
from micromime.mistakes import Mistake
from micromime.partial_models.surface.dictionary import Dictionary
from micromime.pictures.micrographs import Micrograph
from micromime.reporting.failures import SCORE
from micromime.reporting.figures import Shown
from micromime.reporting.pages import micrographs, tiles
from micromime.reporting.pages.page import html_of, write_page
from micromime.use_cases.chip_cracks import ChipTile

HOSTILE = "<script>alert(1)</script> a|b $x_1^2$ _hidden *x* [l](x) `#` \\ 100% &amp; \u9244"
TEST_SETS = {
    "real": {"kind": "real", "name": "grain_boundaries", "reason": None},
    "surrogate": {"kind": "surrogate", "name": "grain_boundaries", "reason": "no real set was given"},
}
THICKNESS = "grain_boundaries.thickness_px"
PICTURE = np.zeros((8, 12, 3), dtype=np.uint8)
GRAINS = {
    "source": ["steel", "iron"],
    "grains": [12, 30],
    "true_grains": [10, 33],
    "intercept_px": [40.0, 21.0],
    "true_intercept_px": [44.0, 20.0],
    "astm_difference": [0.27, -0.14],
    "astm_lo": [0.1, -0.5],
    "astm_hi": [0.4, 0.2],
}
DIAMETERS = pd.DataFrame({"source": "steel", "kind": ["true", "true", "found"], "diameter_px": [20.0, 30.0, 25.0]})


def said_of(test_set, runs, pictures):
    rows = [
        {"picture": each.name, "source": each.source}
        | {name: metric(each.prediction, each.truth) for name, metric in SEGMENTATION.items()}
        | {"matched_grains": 0.5}
        for each in pictures
    ]
    scores = pd.DataFrame(
        [{"arm": arm, "run": run, **row} for arm in ("base", "other") for run in runs for row in rows]
    )
    said = verdict(test_set, scores, pd.DataFrame([{"baseline": "local_threshold", **row} for row in rows]))
    return said | {"main_comparison": ["other", "base"]}


def trained(arms):
    """What is told of the training of arms, of two runs and epochs."""
    rows = [(arm, run, epoch) for arm in arms for run in (1, 2) for epoch in (1, 2)]
    epochs = pd.DataFrame(rows, columns=["arm", "run", "epoch"]).assign(phase=1, train_loss=0.5, valid_loss=0.6)
    kept = {"phase": 1, "size_px": 64, "trainable": "head", "epochs": 2, "batch_size": 4}
    rates = pd.DataFrame([{"arm": arm, **kept, "peak_rate": 0.00123456, "how": "found"} for arm in arms])
    speeds = [7.0, 9.0] * (len(rows) // 2)
    return {"epochs": epochs.assign(images_per_second=speeds, mean_iou=0.7, error_rate=0.25), "rates": rates}


@pytest.fixture(scope="module")
def of_grains():
    """The report on micrographs, of real and of surrogate pictures."""
    rng = np.random.default_rng(0)
    images, masks = rng.integers(0, 256, (2, 40, 60), dtype=np.uint8), rng.random((2, 40, 60)) < 0.2
    synthetic, real = (
        [Shown(f"{source} {n}", source, images[n], masks[n], np.roll(masks[n], 1, axis=1)) for n in range(2)]
        for source in ("synthetic", HOSTILE)
    )
    parameters = {THICKNESS: rng.uniform(2, 7, 12), "grain_boundaries.darkness": 0.5}
    scoring = pd.DataFrame(parameters | {SCORE: np.linspace(0.9, 0.5, 12), "id": "000011"})
    scores = {f"score.{metric}{run}": 0.5 for metric in SCORED for run in ("", ".run-001", ".run-002")}
    worst = micrographs.worst_sample(pd.concat([scoring.iloc[11], pd.Series(scores)]), synthetic[0], scoring)
    full = micrographs.Report(
        verdict=said_of(TEST_SETS["real"], [1, 2], real),
        **trained(["base"]),
        origin={"profile": "tiny", "command": "make run && echo <b>"},
        pictures=dict.fromkeys(("panel", "figure_4", "worst"), PICTURE),
        predicted_by="base, run 1",
        synthetic=synthetic,
        real=real,
        worst=[worst],
        scoring=scoring,
        scored_by="pixel accuracy",
        grains=pd.DataFrame(GRAINS),
        diameters=DIAMETERS,
    )
    one_run = said_of(TEST_SETS["surrogate"], [1], [each._replace(source="steel") for each in real])
    plain = {"real": [each._replace(source="steel") for each in real], "origin": {"data": HOSTILE}}
    bare = dataclasses.replace(full, verdict=one_run, scoring=scoring.head(1), diameters=DIAMETERS.head(0), **plain)
    return full, bare


@pytest.fixture(scope="module")
def of_tiles(tile_verdict):
    """The report on tiles, of real and of surrogate ones."""
    arms = [f"{model}_{subset}" for subset in ("all", "16") for model in ("synthetic", "mixed")]
    told = trained(arms)
    full = tiles.TileReport(
        verdict=tile_verdict(),
        epochs=told["epochs"].drop(columns="mean_iou"),
        rates=told["rates"],
        origin={"profile": HOSTILE},
        pictures=dict.fromkeys(("figure_3", "contact_sheet", "wrong"), PICTURE),
        made_after="all",
        counts={"real": 64, "synthetic": 600, "patches": 900, "seeds": 36},
        fitted='<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="fitted"></svg>',
        fitted_to="all",
        curves_of=["synthetic_all", "mixed_16"],
    )
    return full, dataclasses.replace(full, verdict=tile_verdict("surrogate", runs=1), curves_of=["mixed_all"])


@pytest.fixture(scope="module")
def pages(of_grains, of_tiles):
    grains, parts = [list(map(micrographs.page, of_grains)), list(map(tiles.page, of_tiles))]
    return {"grains": grains[0], "surrogate grains": grains[1], "tiles": parts[0], "surrogate tiles": parts[1]}


@pytest.fixture(params=["grains", "surrogate grains", "tiles", "surrogate tiles"])
def page(request, pages):
    return pages[request.param]


@pytest.fixture
def read(page, reader):
    return reader(page)


def test_title_and_first_line_say_what_was_tested_on(pages):
    for name, page in pages.items():
        n, use_case = (10, "chip_cracks") if "tiles" in name else (2, "grain_boundaries")
        kind = "surrogate, not real (no real set was given)" if "surrogate" in name else "real pictures"
        sentence = f"Test set: {kind}; {use_case}, n = {n}"
        assert f"<title>{sentence} | micromime</title>" in page
        assert f"<h1>{sentence}</h1>" in page
        assert page.count("<h1>") == 1
        assert f"<strong>{sentence}" not in page


def test_only_a_page_with_real_pictures_speaks_of_their_licence_and_all_others_say_surrogate(pages, reader):
    for name, page in pages.items():
        read = reader(page)
        assert ("do not publish it without their licence" in page) == ("surrogate" not in name)
        if "surrogate" not in name:
            assert "surrogate" not in read.text.lower()
            continue
        captions = re.findall(r"Figure \d+\..*?\n\n", read.text, re.DOTALL)
        tested = [each for each in captions if not re.search("Learning curves|Synthetic sample|Grains of", each)]
        assert len(tested) == (6 if "tiles" in name else 3)
        assert all("surrogate" in each.lower() for each in tested)
        shown = [each["alt"] for each in read.all("img") if not each["alt"].startswith("Synthetic sample")]
        assert all("not real" in alt for alt in shown)


def test_a_page_is_well_formed_and_every_section_is_in_its_contents(read):
    ids = [each["id"] for _, each in read.elements if "id" in each]
    assert len(ids) == len(set(ids))
    assert read.links_within() == {each["id"] for each in read.all("section")}


def test_nothing_is_loaded_nothing_runs_and_hostile_names_are_text(page, read):
    assert not read.all("script")
    assert HOSTILE in read.text
    assert all(each["src"].startswith("data:image/png;base64,") for each in read.all("img"))
    links = [each["href"] for _, each in read.elements if "href" in each]
    outward = {link for link in links if not link.startswith(("#", "data:"))}
    assert outward == {"https://doi.org/10.3390/cryst11030258"}
    assert not re.search(r"url\((?!#)|@import", page)
    assert not any(name.startswith("on") for _, each in read.elements for name in each)


def test_figures_and_tables_are_numbered_through_and_told(read):
    for what in ("Figure", "Table"):
        numbers = re.findall(rf"{what} (\d+)\.", read.text)
        assert numbers == [str(n) for n in range(1, len(numbers) + 1)]
        assert numbers
    assert len(read.all("figcaption")) == len(read.all("figure"))
    assert all(each["alt"] for each in read.all("img"))
    assert all(each.get("aria-label") or each.get("aria-hidden") for each in read.all("svg"))
    assert all(each.get("scope") in {"row", "col"} for each in read.all("th"))
    assert len(read.all("thead")) == len(read.all("table"))


def test_the_worst_samples_have_scores_and_places_of_their_parameters(of_grains, pages, reader):
    text = re.sub(r"\s+", " ", reader(pages["grains"]).text)
    assert "Pixel accuracy (over runs) of each of the 12 synthetic samples" in text
    assert re.search(r"Synthetic sample 000011: [^.]*0.500 ± 0.000, [^:]*mean IoU 0.500 ± 0.000", text)
    thickness = of_grains[0].scoring[THICKNESS]
    below = 100 * ((thickness < thickness[11]).sum() + 0.5) / 12
    assert f"{THICKNESS} {thickness[11]:.4g} {below:.0f}" in re.sub(r"(?<=px)(?=\d)", " ", text)
    assert "against each" not in reader(pages["surrogate grains"]).text  # of one sample no parameter differs


def test_the_table_of_phases_has_rates_and_speed(pages):
    for name in ("grains", "tiles"):
        table = pages[name][pages[name].index(">how</th>") :].partition("</table>")[0]
        assert re.findall(r"<td[^>]*>([^<]*)</td>", table)[:8] == ["1", "64", "head", "2", "4", "0.0012", "found", "8"]


def test_tables_of_the_verdict_have_headings_below_that_of_their_section(pages):
    assert "<h3>Training tiles: 64 (all)</h3>" in pages["tiles"]
    assert not re.search("<h[456]>", pages["tiles"])


def test_only_the_curves_of_tiles_that_are_asked_for_are_drawn_and_show_the_error_rate(pages, reader):
    page = pages["tiles"]
    assert re.findall(r"Learning curves of arm (\w+)", reader(page).text) == ["synthetic_all", "mixed_16"]
    assert page.count(">error rate</text>") == 2
    assert page.count('<th scope="row">synthetic_16</th>') == 1  # in the table of phases


def test_the_same_report_is_the_same_bytes_with_its_pictures_beside_it(tmp_path, of_tiles, pages):
    write_page(tmp_path / "page" / "report.html", tiles.page(of_tiles[1]), of_tiles[0].pictures)
    assert (tmp_path / "page" / "report.html").read_bytes() == pages["surrogate tiles"].encode()
    files = list((tmp_path / "page" / "pictures").glob("*.png"))
    assert {file.stem for file in files} == set(of_tiles[0].pictures)
    assert all(file.read_bytes().startswith(b"\x89PNG") for file in files)


def test_markdown_shows_all_that_is_no_table_or_heading_as_text():
    html = html_of(
        "### a\n\n<b>\n\n![x](https://y.org/x.png) [y](http://y.org) <http://z.org> [z]\n\n[z]: http://z.org\n"
    )
    assert "<h3>a</h3>" in html
    assert "&lt;b&gt;" in html
    assert not re.search("<img|<a|src=|href=", html)


def test_markdown_tables_scroll_and_have_heads():
    html = html_of("| a | b |\n| --- | ---: |\n| steel | 1 |\n| | 2 |\n")
    assert html.startswith('<div class="scroll" tabindex="0"><table>')
    assert html.strip().endswith("</table></div>")
    assert all(cell in html for cell in ('<th scope="col">a</th>', '<th scope="row">steel</th>', "<td></td>"))


def test_every_source_comes_once_before_any_comes_again():
    shown = [Shown(name, source, None, None, None) for name, source in zip("abcdef", "ssitsi", strict=True)]
    assert [each.name for each in micrographs.one_of_each_source(shown)] == ["a", "c", "d", "b", "f", "e"]


@pytest.mark.parametrize(("runs", "told"), [((0.4, 0.6, 0.8), "0.600 ± 0.200"), ((0.25,), "0.250")])
def test_a_sample_s_scores_are_means_and_sds_over_runs(runs, told):
    by_run = {f"score.{metric}.run-00{n}": each for metric in SCORED for n, each in enumerate(runs, 1)}
    means = {f"score.{metric}": sum(runs) / len(runs) for metric in SCORED}
    row = pd.Series({"id": "000007", "seed": 1, "blur.kernel_px": 3, **means, **by_run})
    found = micrographs.worst_sample(row, None, row.to_frame().T)
    assert (found.id, found.parameters) == ("000007", [{"name": "blur.kernel_px", "value": "3", "percentile": None}])
    assert found.scores["mean IoU"] == found.scores["boundary F1"] == told


def test_grains_stand_beside_the_true_ones():
    mask = np.zeros((40, 60), dtype=bool)
    mask[:, 30] = True
    picture = Micrograph("a", "steel", np.uint8(255) * ~mask, mask)
    sizes = {"grains": 9, "diameter_px": 5.0, "intercept_px": None, "astm_lo": -0.2, "astm_hi": 0.4}
    scores = pd.DataFrame([{"arm": arm, "run": run, "picture": "a", **sizes} for arm in "xy" for run in (1, 2)])
    (row,) = micrographs.grains_beside(scores, ("y", 2), [picture]).to_dict("records")
    assert (row["arm"], row["run"], row["grains"], row["true_grains"]) == ("y", 2, 9, 2)
    assert row["astm_difference"] == pytest.approx(0.1)
    diameters = micrographs.diameters_beside([(picture, mask.astype(np.float32))])
    assert diameters.groupby("kind")["diameter_px"].count().to_dict() == {"true": 2, "found": 2}
    half = 2 * np.sqrt(40 * 30 / np.pi)
    assert diameters["diameter_px"].tolist() == pytest.approx([half] * 4, rel=0.03)


@pytest.fixture(scope="module")
def pool(chips, tmp_path_factory):
    """Ten synthetic tiles, every second one with a crack."""
    folder = tmp_path_factory.mktemp("pool")
    instances = [chips.draw_one(0, index) for index in range(10)]
    write_shard(folder / "shard-00000", 0, instances, ChipTile.render_all(instances))
    write_description(folder, {"classes": ["intact", "crack"]})
    return Dataset(folder)


def test_tiles_are_taken_at_even_distances_those_with_a_crack_first(pool):
    assert (tiles.places(pool, 1, 3), tiles.places(pool, 0, 100)) == ([1, 5, 9], [0, 2, 4, 6, 8])
    assert [tiles.evenly(*each) for each in ((10, 4), (3, 5), (0, 2), (5, 1))] == [[0, 3, 6, 9], [0, 1, 2], [], [0]]
    both = tiles.of_both_classes(pool)
    assert np.array_equal(both[0], pool.images[1])
    assert np.array_equal(both[5], pool.images[0])


def test_the_cracks_alone_are_those_of_the_finished_tiles(pool, dictionary_file):
    parts = tiles.parts_of(pool, pool, Dictionary.read(dictionary_file))
    assert [len(part) for part in parts] == [5, 55, len(parts.seeds), 5, 5, 5]
    for n, alone in zip((1, 3, 5, 7, 9), parts.alone, strict=True):
        assert (alone < 255)[pool.masks[n]].all()
    assert np.array_equal(parts.finished[2], pool.images[5])
    assert np.array_equal(parts.textures[2], pool.images[4])
    tile = ChipTile.from_row(pool.samples.iloc[1].to_dict())
    with pytest.raises(Mistake, match="rendered by other code"):
        tiles.on_white(tile, np.roll(pool.masks[1], 9, axis=0))
