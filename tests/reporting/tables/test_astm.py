"""ASTM numbers picture by picture: the truth's, and what was found, of label maps whose answers are known."""

import numpy as np
import pandas as pd
import pytest

from micromime.judging.grain_size import astm_by_picture, true_size
from micromime.reporting.tables.astm import astm_table

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
            found = {"intercept_px": PX * 10 ** (number / -6.643856), "astm_lo": lo, "astm_hi": hi}
            rows.append({"source": "steel", "picture": name, "arm": "base", "run": run, **found})
    truths = {name: {"intercept": {"intercept_px": PX}} for name in by_picture}
    return astm_by_picture(pd.DataFrame(rows), truths)


def table(rows, truths=None):
    said, lines = astm_table(rows, truths or {row["picture"]: {"intercept": None, "astm": None} for row in rows})
    return said, [line.strip("| ").split(" | ") for line in lines.splitlines()]


def test_a_picture_has_the_means_over_runs_of_difference_and_ends():
    (row,) = rows_of(a=[(-0.2, 0.4), (0.0, 0.6)])
    assert (row["source"], row["picture"], row["arm"]) == ("steel", "a", "base")
    assert (row["n_known"], row["n_intervals"], row["n_runs"]) == (2, 2, 2)
    assert (row["difference"], row["lo"], row["hi"]) == pytest.approx((0.2, -0.1, 0.5))


def test_runs_that_found_nothing_are_counted():
    some, none = rows_of(a=[(-0.1, 0.2), (None, None)], b=[(None, None)] * 2)
    assert (some["difference"], some["n_known"], some["n_runs"]) == (pytest.approx(0.05), 1, 2)
    assert (none["difference"], none["lo"], none["n_known"]) == (None, None, 0)


def test_a_run_without_an_interval_has_a_number_all_the_same():
    one, none = rows_of(a=[(-0.1, 0.2), (None, None, -3.05)], b=[(None, None, 1.5)] * 2)
    assert (one["difference"], one["lo"], one["n_known"], one["n_intervals"]) == (pytest.approx(-1.5), -0.1, 2, 1)
    _, (_, _, *lines) = table([one, none])
    assert [line[-1] for line in lines] == ["-1.50 (interval: 1 of 2)", "+1.50 (interval: 0 of 2)"]


def test_bold_is_what_every_run_has_within_half_a_class():
    ends = {
        "within": [(-0.5, 0.5)],
        "beyond": [(-0.1, 0.52)],
        "not_all": [(-0.1, 0.2), (None, None)],
        "none": [(None,) * 2],
    }
    said, (_, _, *lines) = table(rows_of(**ends))
    assert [line[-1] for line in lines] == [
        "**+0.00 [-0.50, +0.50]**",
        "+0.21 [-0.10, +0.52]",
        "+0.05 [-0.10, +0.20] (1 of 2 runs)",
        "none",
    ]
    assert "Bold: both ends within 0.5, and every run has an interval" in said


def test_the_truth_is_an_intercept_where_there_is_no_scale_and_an_astm_number_where_there_is():
    rows = rows_of(a=[(0, 0)], b=[(0, 0)], c=[(0, 0)])
    truths = {"a": true_size(SQUARES, None), "b": true_size(SQUARES, 32.0), "c": true_size(np.ones((9, 9), int), 1.0)}
    _, (_, _, *lines) = table(rows, truths)
    px = 2 * 64 * 64 / (2 * 64 * 7)
    number = -6.643856 * np.log10(px * 32 / 1000) - 3.288
    assert [line[1] for line in lines] == [
        f"{px:.1f} px [{px:.1f}, {px:.1f}], n = 8",
        f"G {number:.2f} [{number:.2f}, {number:.2f}], n = 8",
        "none",
    ]


def test_an_interval_without_an_upper_end_says_so():
    _, (_, _, (_, truth, _)) = table(rows_of(a=[(0, 0)]), {"a": true_size(STRIPES, None)})
    half = 3.1824 * np.std([7 / 80, 7 / 80, 0, 0], ddof=1) / 2  # t of 3 degrees of freedom
    assert truth == f"{80 / 3.5:.1f} px [{1 / (3.5 / 80 + half):.1f}, none], n = 4"
