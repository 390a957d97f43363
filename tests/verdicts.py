"""What several tests of reports need: a reader of pages, and a verdict on classifiers of tiles."""

from html.parser import HTMLParser

import pandas as pd
import pytest

from micromime.judging.verdict import verdict

VOID = {"meta", "link", "img", "br", "hr"}

ERRORS = {"synthetic": 3, "real": 2, "longer": 2, "mixed": 1}
"""Wrong ones of ten tiles in the first run of a model; in the second, one more."""


class Reader(HTMLParser):
    """What a browser makes of a page: every element with its attributes, the text, and that all of it is closed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.elements, self.text = [], [], ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data if self.open[-1:] != ["style"] else ""

    def ids(self):
        return {each["id"] for _, each in self.elements if "id" in each}

    def links_within(self):
        return {each["href"][1:] for each in self.all("a") if each["href"].startswith("#")}

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="session")
def reader():
    return Reader


def said_of_tiles(test_set, runs, line_wrong):
    """The verdict on ten tiles, of which `line_wrong` are wrong by the line filter."""
    tiles = [{"picture": f"tile_{n}", "source": f"part_{n // 5}"} for n in range(10)]
    scores = [
        {"arm": arm, "run": run, **tile, "error_rate": float(n < wrong + run - 1)}
        for arm, wrong in ERRORS.items()
        for run in runs
        for n, tile in enumerate(tiles)
    ]
    line = [{"baseline": "line_filter", **tile, "error_rate": float(n < line_wrong)} for n, tile in enumerate(tiles)]
    return verdict(test_set, pd.DataFrame(scores), pd.DataFrame(line))


@pytest.fixture(scope="session")
def tile_verdict():
    """What gives a verdict on four models, for 64 training tiles (all) and 16, with so many runs."""

    def made(kind="real", runs=2):
        test_set = {"kind": kind, "name": "chip_cracks", "reason": None if kind == "real" else "no real set was given"}
        parts = [said_of_tiles(test_set, range(1, runs + 1), line_wrong) for line_wrong in (4, 5)]
        subsets = {
            name: {"tiles": tiles, "test": part, "every": part}
            for name, tiles, part in zip(("all", "16"), (64, 16), parts, strict=True)
        }
        return {"subsets": subsets, "ablation": None, "textures": {}, "test_set": parts[0]["test_set"]}

    return made
