"""The tables of a verdict: every number printed is one of the verdict's, under the right head."""

import copy
import json

import numpy as np
import pandas as pd
import pytest

from micromime.judging.grain_size import astm_by_picture, true_size
from micromime.judging.verdict import DETAILS
from micromime.reporting.tables.tiles import tile_tables
from micromime.reporting.tables.verdict import finding, verdict_table

TEST_SET = {"kind": "surrogate", "name": "potts", "reason": "no real set was given", "n": 3}


@pytest.fixture(scope="module")
def committed(project):
    """The verdicts that are in git, beside the tables that were written of them."""
    folders = [file.parent for file in (project / "metrics").glob("*/*/verdict.json")]
    return {
        f"{folder.parent.name}/{folder.name}": (json.loads((folder / "verdict.json").read_text()), folder / DETAILS)
        for folder in folders
    }


@pytest.mark.parametrize("use_case", ["grain_boundaries", "chip_cracks"])
@pytest.mark.parametrize("part", ["demo", "evidence"])
def test_the_tables_in_git_are_those_of_the_verdicts_beside_them(committed, part, use_case):
    said, table = committed[f"{part}/{use_case}"]
    tables = {"grain_boundaries": verdict_table, "chip_cracks": tile_tables}[use_case]
    assert tables(said) == table.read_text()


def summary(mean, sd):
    """A mean of two runs, or of one where there is no sd."""
    student = None if sd is None else {"lo": mean - 1, "hi": mean + 1, "n": 2}
    agresti = {"lo": 0.1234, "hi": 0.9876, "n": 1 if sd is None else 4}
    return {"mean": mean, "sd": sd, "ci99_student": student, "ci99_agresti_coull_paper": agresti}


def compared(a, b, metric, difference, **numbers):
    """A paired test, of fifty pairs where nothing else is said."""
    paired_by = "picture" if b == "local_threshold" else "run"
    interval = {"lo": difference - 0.01, "hi": difference + 0.02, "n": 50}
    found = {"n_pairs": 50, "p_value": 0.0496, "effect_size": -0.284, "ci99_difference": interval} | numbers
    return {"a": a, "b": b, "metric": metric, "on": "x", "paired_by": paired_by, "mean_difference": difference} | found


@pytest.fixture
def one_arm():
    """Two baselines and an arm of two runs, by two sources."""

    def part(local, base):
        scores = {name: {"mean_iou": iou, "pixel_error": 1 - iou} for name, iou in (("nothing", 0.4), ("local", local))}
        arm = {"mean_iou": summary(base, 0.0283), "pixel_error": summary(1 - base, 0.0283)}
        return {"baselines": scores, "arms": {"base": {"n_runs": 2, **arm}}}

    sources = {"steel": {"n": 2, **part(0.55, 0.67)}, "iron": {"n": 1, **part(0.7, 0.52)}}
    return {"test_set": TEST_SET, **part(0.6, 0.62), "by_source": sources, "paired": {}}


def test_the_best_cell_is_bold_even_when_a_baseline_is_best(one_arm):
    text = verdict_table(one_arm)
    assert text.startswith("**Test set: surrogate, not real (no real set was given); potts, n = 3**\n\nThe arms as in")
    assert "| mean IoU (more is better) | nothing | local | base, runs: 2 |" in text
    assert "| steel (2) | 0.400 | 0.550 | **0.670 ± 0.028** |" in text
    assert "| iron (1) | 0.400 | **0.700** | 0.520 ± 0.028 |" in text
    assert "| ALL (3) | 0.600 | 0.400 | **0.380 ± 0.028** |" in text
    assert text.count("A baseline beats every arm in: iron (1).") == 2


def test_scores_that_print_alike_are_both_best(one_arm):
    one_arm["arms"]["base"]["mean_iou"] = summary(0.5996, None)
    text = verdict_table(one_arm)
    assert "| ALL (3) | 0.400 | **0.600** | **0.600** |" in text
    assert "A baseline beats every arm in: iron (1)." in text


def test_arms_stand_in_the_layout_of_the_papers_table_2_and_of_other_metrics_boundary_f1_alone(one_arm):
    for part in (one_arm, *one_arm["by_source"].values()):
        for each in (*part["baselines"].values(), part["arms"]["base"]):
            each |= {"hue_error": summary(0.5, 0.1), "boundary_f1": summary(0.5, None)}
    assert verdict_table(one_arm).splitlines()[4:9] == [
        "| arm | all 3 pictures | error | IoU | boundary F1 |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| base, runs: 2 | mean ± sd | 0.380 ± 0.028 | 0.620 ± 0.028 | 0.500 |",
        "|  | 99 % Student t, n = 2 (runs) | [-0.620, 1.380] | [-0.380, 1.620] | none (1 run) |",
        "|  | 99 % Agresti-Coull as in the paper, n = 4 (runs squared) |" + " [0.123, 0.988] |" * 3,
    ]


def test_every_paired_test_has_its_row_and_corrected_p_values_a_column(one_arm):
    one_arm["paired"] = tests = {
        "1": compared("base", "local_threshold", "mean_iou", 0.02, n_pairs=3, p_value=0.52, effect_size=None),
        "2": compared("adaptive", "base", "pixel_error", -0.0112),
    }
    assert verdict_table(one_arm).splitlines()[-4:] == [
        "| a - b | metric | paired by | n | mean difference | 99 % Student t | p (two-tailed t) | effect size d_z |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| base - local_threshold | mean IoU | picture | 3 | +0.020 | [+0.010, +0.040] | 0.52 | none |",
        "| adaptive - base | pixel error | run | 50 | -0.011 | [-0.021, +0.009] | 0.050 | -0.28 |",
    ]
    tests["2"] |= {"p_holm": 0.0992, "n_tests": 2}
    head, _, first, second = verdict_table(one_arm).splitlines()[-4:]
    assert head.endswith("| p (two-tailed t) | p of 2 tests by run (Holm) | effect size d_z |")
    assert first.endswith("| 0.52 | none | none |")
    assert second.endswith("| 0.050 | 0.099 | -0.28 |")


HOW = "(paired two-tailed t-test by run, p = {}, n = 50 pairs, d_z = -0.28)."


@pytest.mark.parametrize(
    ("metric", "difference", "changed", "said"),
    [
        ("pixel_error", -0.01, {}, f"error: b is better than a, b - a = -0.010 {HOW.format('0.050')}"),
        ("pixel_error", 0.01, {}, f"error: b is worse than a, b - a = +0.010 {HOW.format('0.050')}"),
        ("mean_iou", 0.01, {"p_value": 8.6e-18}, f"IoU: b is better than a, b - a = +0.010 {HOW.format('8.6e-18')}"),
        ("mean_iou", -0.01, {}, f"IoU: b is worse than a, b - a = -0.010 {HOW.format('0.050')}"),
        (
            "mean_iou",
            -0.01,
            {"p_value": 0.05},
            f"IoU: b - a = -0.010, not significant at 0.05 {HOW.format('0.050')}",
        ),
        (
            "mean_iou",
            -0.01,
            {"p_holm": 0.0992, "n_tests": 2},
            f"IoU: b - a = -0.010, not significant at 0.05 {HOW.format('0.099, corrected for 2 tests')}",
        ),
        ("mean_iou", 0.01, {"p_value": None, "n_pairs": 1}, "IoU: b - a = +0.010, no test (1 pair of runs)."),
        (
            "mean_iou",
            0.01,
            {"p_value": None},
            "IoU: b - a = +0.010, no test (all 50 pairs of runs differ by the same).",
        ),
    ],
)
def test_a_finding_says_which_arm_is_better_only_where_the_test_does(metric, difference, changed, said):
    assert finding(compared("b", "a", metric, difference, **changed)) == said


def test_gains_of_arms_that_cannot_be_tested_or_were_not_compared(committed):
    said = copy.deepcopy(committed["evidence/grain_boundaries"][0])
    source, part = next(iter(said["by_source"].items()))
    name, test = next(iter(part["paired"].items()))
    part["paired"] = {name: test | {"metric": "mean_iou", "ci99_difference": None, "p_holm": None}}
    said["at_operating_points"]["paired"] = {}
    text = verdict_table(said).partition("at equal operating points.")[2]
    assert "its 99 % interval (Student's t; not corrected)" in text
    assert "Corrected among themselves" not in text  # no table of tests
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {source} (") and " - " in line][:1]
    assert f"| {test['a']} - {test['b']} |" in row
    assert f"{test['mean_difference']:+.3f} none, no test |" in row


STRIPES = np.repeat(np.arange(1, 9), 10)[None, :].repeat(80, axis=0)
"""Eight grains, each 10 px wide and as high as the picture: every row crosses 7 boundaries, no column any."""

SQUARES = (np.arange(64) // 8)[:, None] * 8 + np.arange(64) // 8 + 1
"""Grains of 8 px by 8 px: 7 boundaries on each line of 64 px."""

PX = 10.0
"""The true mean linear intercept."""


def rows_of(**by_picture):
    """What comes of one arm; of each picture, run by run: ends of the interval, and the difference if that is known."""
    rows = []
    for name, runs in by_picture.items():
        for run, (lo, hi, *known) in enumerate(runs, 1):
            number = known[0] if known else (np.nan if lo is None else (lo + hi) / 2)
            sizes = {"intercept_px": PX * 10 ** (number / -6.643856), "astm_lo": lo, "astm_hi": hi}
            rows.append({"source": "steel", "picture": name, "arm": "base", "run": run, **sizes})
    truths = {name: {"intercept": {"intercept_px": PX}} for name in by_picture}
    return astm_by_picture(pd.DataFrame(rows), truths)


@pytest.fixture
def cells(one_arm):
    """What gives the cells of the last table, of ASTM numbers."""

    def written(rows, truths=None):
        truths = truths or {row["picture"]: {"intercept": None, "astm": None} for row in rows}
        text = verdict_table(one_arm | {"astm_by_picture": rows, "true_sizes": truths})
        return [line.strip("| ").split(" | ") for line in text.splitlines()[-len(truths) :]]

    return written


def test_astm_numbers_of_a_picture_are_means_over_the_runs_that_have_one():
    both, some, one, none = rows_of(
        both=[(-0.2, 0.4), (0.0, 0.6)],
        some=[(-0.1, 0.2), (None, None)],
        one=[(-0.1, 0.2), (None, None, -3.05)],
        none=[(None, None)] * 2,
    )
    assert (both["source"], both["picture"], both["arm"]) == ("steel", "both", "base")
    assert (both["difference"], both["lo"], both["hi"]) == pytest.approx((0.2, -0.1, 0.5))
    counts = [[row[f"n_{what}"] for what in ("known", "intervals", "runs")] for row in (both, some, one, none)]
    assert counts == [[2, 2, 2], [1, 1, 2], [2, 1, 2], [0, 0, 2]]
    assert [row["difference"] for row in (some, one, none)] == [pytest.approx(0.05), pytest.approx(-1.5), None]


def test_bold_is_what_every_run_has_within_half_a_class(cells):
    ends = {
        "within": [(-0.5, 0.5)],
        "beyond": [(-0.1, 0.52)],
        "not_all": [(-0.1, 0.2), (None, None)],
        "one_interval": [(-0.1, 0.2), (None, None, -3.05)],
        "none": [(None,) * 2],
    }
    assert [row[-1] for row in cells(rows_of(**ends))] == [
        "**+0.00 [-0.50, +0.50]**",
        "+0.21 [-0.10, +0.52]",
        "+0.05 [-0.10, +0.20] (1 of 2 runs)",
        "-1.50 (interval: 1 of 2)",
        "none",
    ]


def test_the_truth_is_an_intercept_where_there_is_no_scale_and_an_astm_number_where_there_is(cells):
    truths = {
        "a": true_size(SQUARES, None),
        "b": true_size(SQUARES, 32.0),
        "c": true_size(np.ones((9, 9), int), 1.0),
        "d": true_size(STRIPES, None),
    }
    px = 2 * 64 * 64 / (2 * 64 * 7)
    number = -6.643856 * np.log10(px * 32 / 1000) - 3.288
    half = 3.1824 * np.std([7 / 80, 7 / 80, 0, 0], ddof=1) / 2  # t of 3 degrees of freedom
    assert [row[1] for row in cells(rows_of(**{name: [(0, 0)] for name in truths}), truths)] == [
        f"{px:.1f} px [{px:.1f}, {px:.1f}], n = 8",
        f"G {number:.2f} [{number:.2f}, {number:.2f}], n = 8",
        "none",
        f"{80 / 3.5:.1f} px [{1 / (3.5 / 80 + half):.1f}, none], n = 4",
    ]
