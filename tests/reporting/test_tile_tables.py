"""The tables of classifiers: every number printed is one of the verdict's, under the right head."""

import copy

import pandas as pd
import pytest

from micromime.judging.verdict import verdict
from micromime.reporting.tables.tiles import learning_table, tile_tables

ON = {"kind": "surrogate", "name": "chip_cracks", "reason": "none is here"}
WRONG = {"synthetic": (2, 3, 2), "real": (4, 2, 4), "longer": (3, 3, 3), "mixed": (1, 0, 1)}
"""Wrong tiles of ten, by run."""


def judged(wrong):
    tiles = pd.DataFrame([{"picture": f"t{n}", "source": f"p{n % 3}"} for n in range(10)])

    def first(count):
        return (tiles.index < count).astype(float)

    scores = [
        tiles.assign(arm=arm, run=run, error_rate=first(count))
        for arm, counts in wrong.items()
        for run, count in enumerate(counts, 1)
    ]
    return verdict(ON, pd.concat(scores), tiles.assign(baseline="line_filter", error_rate=first(4)))


@pytest.fixture(scope="module")
def whole():
    parts = {
        "all": {"tiles": 40, "test": judged(WRONG), "every": judged(WRONG)},
        "16": {"tiles": 16, "test": judged(WRONG | {"real": (5, 5, 5)}), "every": judged(WRONG)},
    }
    ways = {
        "synthetic, filled": (2, 2, 3),
        "mixed, filled": (1, 0, 1),
        "synthetic, cut": (2, 3, 3),
        "mixed, cut": (2, 1, 0),
    }
    texture = {"accuracy": 0.61, "lo": 0.5, "hi": 0.7, "n_real": 33, "n_synthetic": 60}
    wrong = {"real_taken_for_synthetic": 0.4, "synthetic_taken_for_real": 0.38}
    return {
        "test_set": parts["all"]["test"]["test_set"],
        "subsets": parts,
        "ablation": {"tiles": 16, "ways": ["filled", "cut"], "test": judged(ways)},
        "textures": {"all": texture | wrong},
    }


@pytest.fixture
def said(whole):
    return copy.deepcopy(whole)


def test_table_1_has_the_papers_rows_and_columns(said):
    lines = tile_tables(said).splitlines()[6:]
    assert lines[0].startswith("| error rate |  | synthetic model | real model | mixed model | control: real, as long")
    cells = [cell.strip() for cell in lines[2].split("|")][1:-1]
    assert cells == [
        "test data",
        "mean ± sd",
        "0.233 ± 0.058",
        "0.333 ± 0.115",
        "0.067 ± 0.058",
        "0.300 ± 0.000",
        "0.400",
    ]
    assert "includes training tiles" in lines[5]
    assert "99 % Student t, n = 3 (runs)" in lines[3]
    assert "n = 9 (runs squared)" in lines[4]


def test_the_whole_says_what_was_tested_on_and_compares_mixed_with_real(said):
    text = tile_tables(said)
    assert text.startswith("**Test set: surrogate, not real (none is here); chip_cracks, n = 10**")
    assert "### Training tiles: 40 (all)" in text
    assert "### Training tiles: 16\n" in text
    assert "mixed - real = -0.267" in text
    assert "mixed - longer = -0.233" in text
    assert "Relative change of the error: -80%." in text
    assert "| all | 0.61 | [0.50, 0.70] | 33 + 60 | 40% | 38% |" in text


def test_the_learning_curve_begins_with_the_fewest_tiles(said):
    lines = tile_tables(said).partition("### Learning curve")[2].splitlines()
    rows = [line for line in lines if line.startswith("| ")][1:]
    assert rows[1].startswith("| 16 |")
    assert rows[2].startswith("| 40 |")
    assert rows[1].endswith("| -87%, p = 0.0059 | -78%, p = 0.020 |")
    assert "mean ± sd, n = 3 runs; p of paired two-tailed t-tests by run" in learning_table(said).splitlines()[-1]


@pytest.mark.parametrize(
    ("wrong", "written"),
    [
        ((1, 2, 0), "-33%, p = 0.74 (not significant)"),
        ((2, 1, 2), "-60%, no test"),
        ((0, 0, 0), "no error to reduce, p = 0.18 (not significant)"),
    ],
)
def test_the_learning_curve_says_what_is_not_significant(said, wrong, written):
    said["subsets"]["16"]["test"] = judged(WRONG | {"longer": wrong})
    (row,) = [line for line in learning_table(said).splitlines() if line.startswith("| 16 |")]
    assert row.endswith(f"| -80%, p = 0.015 | {written} |")


def test_the_ablation_compares_each_surface_with_the_papers(said):
    text = tile_tables(said).partition("### What the texture is worth")[2].partition("###")[0]
    assert "| filled | 0.233 ± 0.058 | 0.067 ± 0.058 |" in text
    assert "| cut | 0.267 ± 0.058 | 0.100 ± 0.100 |" in text
    assert "mixed, cut - mixed, filled = +0.033" in text
    said["ablation"] = None
    assert "texture is worth" not in tile_tables(said)


def test_no_error_at_all_cannot_be_reduced(said):
    said["subsets"]["all"] |= {"test": judged(WRONG | {"real": (0, 0, 0), "mixed": (0, 1, 0)})}
    assert tile_tables(said).count("There is no error to reduce.") == 1


def test_specimens_stand_by_themselves_and_every_model_is_tested_against_the_line_filter(tile_verdict):
    part = tile_tables(tile_verdict(runs=3)).partition("### Training tiles: 64")[2].partition("###")[0]
    # Of ten tiles the filter errs on the first four, all of part_0; mixed on 1, 2, 3 in its three runs.
    assert "| part_0 (5) | 0.800 ± 0.200 | 0.600 ± 0.200 | 0.400 ± 0.200 | 0.600 ± 0.200 | 0.800 |" in part
    assert "| part_1 (5) | 0.000 ± 0.000 | 0.000 ± 0.000 | 0.000 ± 0.000 | 0.000 ± 0.000 | 0.000 |" in part
    assert "- mixed model - line filter on test data: -0.200 [" in part
    assert part.count(" - line filter on test data: ") == 4
