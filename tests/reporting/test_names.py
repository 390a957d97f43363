"""Names that people chose, in tables, charts, pictures and pages: each means there what it means in their lists."""

import copy
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

from micromime.reporting import figures
from micromime.reporting.charts.base import diameters_chart, grains_chart, scores_chart
from micromime.reporting.figures import Shown, panel, paragraph, text_line
from micromime.reporting.letters import legible
from micromime.reporting.pages.page import html_of
from micromime.reporting.plots import by_source
from micromime.reporting.tables.summary import opening, summary
from micromime.reporting.tables.tiles import learning_table, tile_tables
from micromime.reporting.tables.verdict import verdict_table
from micromime.reporting.words import in_markdown

NASTY = ["a|b", "a||b\\|c", "$x_1^2$", "_hidden", "__init__", "_x_", "*x*", "**x**", "<b>", "<!-- x", "&amp;", "a & b"]
NASTY += [
    "a/b",
    "..",
    "[link](x)",
    "![x](y)",
    "[ref]",
    "`code`",
    "``",
    "#",
    "# x",
    "- x",
    "1. x",
    "> x",
    "100%",
    "{{ x }}",
]
NASTY += [
    "%s",
    '"quoted"',
    "it's",
    "back\\slash",
    "\\",
    "~~x~~",
    "K\u00f6rnung \u00b5\u00df",
    "\u9244\u92fc",
    "=1+1",
    "ALL",
]
NASTY += [
    "x" * 100,
    "long name " * 9 + "end",
    "nan",
    "0012",
    "a_b",
    "<https://x.org>",
    "</script><b>",
    "---",
    ":smile:",
]
ARMS = {"base": "_hidden_", "random": "x_", "adaptive": "__y", "adaptive_3": "z__", "random_3": "\u9244"}
"""What a round may be called: Python takes these for names."""


class Cells(HTMLParser):
    """The rows of each table in a page, each a list of texts."""

    def __init__(self, page):
        super().__init__()
        self.tables, self.within = [], False
        self.feed(page)

    def handle_starttag(self, tag, attrs):  # noqa: ARG002 - as HTMLParser has it
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")
            self.within = True

    def handle_endtag(self, tag):
        self.within = self.within and tag not in ("th", "td")

    def handle_data(self, data):
        if self.within:
            self.tables[-1][-1][-1] += data


def shown(markdown):
    """The tables that GitHub shows of Markdown: as CommonMark, with tables and lines through words."""
    return Cells(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown)).tables


def renamed(said, names):
    """What is said, with other names in it: in keys, in words, and in the keys of tests, which join them."""
    if isinstance(said, dict):
        tests = {
            f"{names.get(t['a'], t['a'])}_vs_{names.get(t['b'], t['b'])}_{t['metric']}": renamed(t, names)
            for t in said.values()
            if isinstance(t, dict) and "paired_by" in t
        }
        return tests or {names.get(key, key): renamed(each, names) for key, each in said.items()}
    return [renamed(each, names) for each in said] if isinstance(said, list) else names.get(said, said)


@pytest.fixture(scope="module")
def evidence(project):
    """What is said in git on micrographs, with as many sources and pictures as there are nasty names."""
    said = json.loads((project / "metrics/evidence/grain_boundaries/verdict.json").read_text())
    for part in (said, said["grain_size"], said["at_operating_points"]):
        every = list(part["by_source"].values())
        part["by_source"] = {f"source{n:03d}": every[n % len(every)] for n in range(len(NASTY))}
    true, rows = list(said["true_sizes"].values()), said["astm_by_picture"][: len(said["arms"])]
    said["true_sizes"] = {f"picture{n:03d}": true[n % len(true)] for n in range(len(NASTY))}
    said["astm_by_picture"] = [
        row | {"picture": f"picture{n:03d}", "source": f"source{n:03d}"} for n in range(len(NASTY)) for row in rows
    ]
    return said


def names(said):
    """Plain name -> nasty one, of the sources and pictures above and the arms."""
    every = {f"{what}{n:03d}": name for n, name in enumerate(NASTY) for what in ("source", "picture")}
    return every | {arm: name for arm, name in ARMS.items() if arm in said["arms"]}


def with_names(tables, own):
    """Cells with plain names replaced by their nasty ones, as far as a name stands alone."""
    way = re.compile(r"(?<![\w])(" + "|".join(sorted(map(re.escape, own), key=len, reverse=True)) + r")(?![\w])")
    return [[[way.sub(lambda m: own[m[1]], cell) for cell in row] for row in table] for table in tables]


@pytest.fixture(scope="module")
def tables(evidence):
    """The Markdown with nasty names, and the cells that it is to have."""
    own = names(evidence)
    plain = shown(verdict_table(evidence))
    assert len(plain) > 8
    return verdict_table(renamed(evidence, own)), with_names(plain, own)


def test_every_cell_of_every_table_is_the_same_but_for_the_names(tables):
    markdown, cells = tables
    assert all(len(row) == len(table[0]) for table in shown(markdown) for row in table)
    assert shown(markdown) == cells


def test_the_page_s_tables_are_those_of_the_markdown(tables):
    markdown, cells = tables
    assert Cells(html_of(markdown)).tables == cells


def test_tables_of_tiles_have_the_specimens_names(project):
    said = json.loads((project / "metrics/evidence/chip_cracks/verdict.json").read_text())
    sources = list(said["subsets"]["all"]["test"]["by_source"])
    own = dict(zip(sources, NASTY, strict=False))
    nasty = renamed(said, own)
    assert shown(tile_tables(nasty)) == with_names(shown(tile_tables(said)), own)
    assert learning_table(nasty) == learning_table(said)
    text = "".join(token.content for token in MarkdownIt("commonmark").parse(opening(nasty)))
    assert text  # the extremes by source are named there


@pytest.mark.parametrize("name", NASTY)
def test_the_first_page_names_the_best_and_the_worst_source(evidence, name):
    said = copy.deepcopy(evidence)
    part = next(iter(said["by_source"].values()))
    said["by_source"] = {name: part, "plain": copy.deepcopy(part)}
    for arm in said["by_source"]["plain"]["arms"].values():
        arm["mean_iou"] = arm["mean_iou"] | {"mean": 0.999}
    first = MarkdownIt("commonmark").enable("table").parse(summary(said))
    (words,) = ["".join(each.content for each in t.children) for t in first if " on plain" in t.content]
    assert f" on {name} to " in words


@pytest.mark.parametrize("name", NASTY)
def test_markdown_shows_the_name_itself_and_plain_names_stay_as_they_are(name):
    read = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    (row,) = shown(f"| h |\n| --- |\n| {in_markdown(name)} (3) |\n")[0][1:]
    assert row == [f"{name} (3)"]
    assert not re.search("<(em|strong|a|code|img|s)>", read.renderInline(in_markdown(name)))
    for plain in ("steel316l_mg05", "iron, pure", "a-b.c (x)", "50 % & more", "K\u00f6rner"):
        assert in_markdown(plain) == plain


def texts(svg):
    return ["".join(each.itertext()) for each in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def joined(svg):
    """All letters of a chart without blanks: a long name stands in several lines."""
    return re.sub(r"\s", "", "".join(texts(svg)))


SIZE = {"grains": 9, "true_grains": 9, "intercept_px": 4.0, "true_intercept_px": 5.0, "astm_difference": 0.1}


def test_charts_show_every_name_also_in_the_legend():
    sizes = pd.DataFrame([{"source": name, **SIZE} for name in NASTY])
    found, few = joined(grains_chart(sizes, NASTY[0])), joined(grains_chart(sizes.tail(1), NASTY[0]))
    assert few.count(re.sub(r"\s", "", NASTY[-1])) == 2
    for name in NASTY:
        assert found.count(re.sub(r"\s", "", name)) >= 2  # in the legend, and beside the differences
    assert texts(grains_chart(sizes[sizes["source"] == "_hidden"], "x")).count("_hidden") == 2


def test_panels_and_scores_show_every_name():
    some = [*NASTY[:9], *NASTY[-14:-8]]
    rows = [{"source": name, "kind": kind, "diameter_px": 3.0} for name in some for kind in ("true", "found")]
    found = joined(diameters_chart(pd.DataFrame(rows), "base"))
    assert [name for name in some if re.sub(r"\s", "", name) not in found] == []
    arm = {"mean_iou": {"mean": 0.7, "ci99": {"lo": 0.6, "hi": 0.8}}}
    scores = joined(scores_chart({"baselines": {}, "arms": dict.fromkeys(NASTY, arm)}, {"mean_iou": "mean IoU"}))
    assert [name for name in NASTY if re.sub(r"\s", "", name) not in scores] == []


def test_plots_for_dvc_end_no_script_and_look_like_the_name(evidence):
    table = by_source(renamed(evidence, names(evidence)))
    sources = [source.rpartition(" (")[0] for source in table["source"].unique()]
    assert not any("</" in source for source in sources)
    assert [source.replace("\N{WORD JOINER}", "") for source in sources] == NASTY


def test_letters_that_a_picture_s_fonts_lack_are_code_points():
    assert legible("\u9244 K\u00f6rnung \u03bb") == "\\u9244 K\u00f6rnung \u03bb"
    lines = [text_line([("#222222", name)], 15) for name in ("\u9244", "\u92fc", "\u00f6", "o", "\u00e4")]
    assert len({line.tobytes() for line in lines}) == 5


def test_a_panel_shows_whole_names_and_scores_whatever_the_width(monkeypatch):
    written, line = [], figures.text_line
    monkeypatch.setattr(figures, "text_line", lambda parts, size: written.append(parts) or line(parts, size))
    picture = np.zeros((40, 60), np.uint8)
    panel([Shown(name, name, picture, picture > 0, picture > 0) for name in NASTY], "x")
    said = re.sub(r"\s", "", "".join(legible(text) for parts in written for _, text in parts))
    assert [n for n in NASTY if re.sub(r"\s", "", legible(f"{n} ({n})")) not in said.replace("meanIoU", "")] == []
    assert said.count("boundaryF1") >= len(NASTY)
    assert paragraph("x" * 300, 15, 200).shape[1] <= 200
