"""Tables of gains, of a verdict made by hand."""

import pytest

from micromime.reporting.tables.gains import gain_tables

P = "p = 0.25, d_z = -0.50"


def gain(a, b, metric, difference, interval=(-0.01, 0.03)):
    """A test by run of two arms, as far as the tables of gains look at it."""
    tested = {"p_holm": None, "effect_size": None} if interval is None else {"p_holm": 0.25, "effect_size": -0.5}
    ends = None if interval is None else {"lo": interval[0], "hi": interval[1], "n": 2}
    return {f"{a}_vs_{b}_{metric}": {"a": a, "b": b, "mean_difference": difference, "ci99_difference": ends, **tested}}


def score(mean, sd=0.0125):
    return {"mean": mean, "sd": sd}


@pytest.fixture
def verdict():
    """Two arms of two runs on two sources; one metric at each run's own threshold, two at 0.5."""
    arms = {
        "base": {"n_runs": 2, "mean_iou": score(0.6), "cl_dice": score(0.5)},
        "later": {"n_runs": 1, "mean_iou": score(0.7, None), "cl_dice": score(0.4, None)},
    }
    own = {arm: {"n_runs": 2, "mean_iou": score(each["mean_iou"]["mean"] + 0.1)} for arm, each in arms.items()}
    steel = gain("later", "base", "mean_iou", 0.02) | gain("later", "base", "cl_dice", -0.1, (-0.2, -0.0004))
    iron = gain("later", "base", "mean_iou", 0.5, None)
    at_points = gain("later", "base", "mean_iou", 0.25)
    tested = {"metric": "mean_iou", "n_pairs": 2, "p_value": 0.01, "effect_size": 1.5}
    tested_by_run = tested | {"paired_by": "run", "p_holm": 0.02, "n_tests": 2}
    by_run = {name: test | tested_by_run for name, test in at_points.items()}
    by_picture = {name: test | tested for name, test in gain("later", "local_threshold", "mean_iou", 0.3).items()}
    return {
        "arms": arms,
        "by_source": {"steel": {"n": 2, "paired": steel}, "iron": {"n": 1, "paired": iron}},
        "at_operating_points": {
            "thresholds": {"base": [0.5, 0.3], "later": [0.4]},
            "tried": [0.3, 0.4, 0.5, 0.6],
            "paired": by_run | {name: test | {"paired_by": "picture"} for name, test in by_picture.items()},
            "arms": own,
            "by_source": {"steel": {"n": 2, "paired": at_points}, "iron": {"n": 1, "paired": at_points}},
        },
    }


def test_a_verdict_of_arms_that_were_not_compared_has_none_of_these_tables(verdict):
    del verdict["at_operating_points"]
    assert list(gain_tables(verdict)) == []


def test_arms_stand_with_the_thresholds_of_their_runs(verdict):
    said, table, *_ = gain_tables(verdict)
    assert "each run at a threshold of its own" in said
    assert "no test picture has a say in it" in said
    assert table.splitlines() == [
        "| arm | thresholds | mean IoU |",
        "| --- | ---: | ---: |",
        "| base | 0.3 to 0.5 | 0.700 ± 0.013 |",
        "| later | 0.4 to 0.4 | 0.800 ± 0.013 |",
    ]


def test_it_is_said_what_a_threshold_was_chosen_from_and_how_many_have_an_outermost_one(verdict):
    said, *_ = gain_tables(verdict)
    assert "of 0.3, 0.4 to 0.6 (outermost: 1 of 3 runs), that of highest mean IoU" in said


def test_arms_are_tested_at_equal_operating_points(verdict):
    _, _, table, said, gains, *_ = gain_tables(verdict)
    assert table.splitlines()[2:] == [
        "| later - base | mean IoU | run | 2 | +0.250 | [-0.010, +0.030] | 0.010 | 0.020 | +1.50 |"
    ]
    assert said == "Corrected among themselves, apart from the tests at 0.5."
    assert "(Student's t, n = 2 pairs of runs; not corrected), p of" in gains


def test_where_no_arms_were_compared_no_tests_are_told(verdict):
    verdict["at_operating_points"]["paired"] = {}
    _, _, gains, *_ = gain_tables(verdict)
    assert gains.startswith(
        "Gains by source: mean difference over runs, its 99 % interval (Student's t; not corrected)"
    )


def test_gains_stand_by_source_with_their_intervals(verdict):
    *_, said, table, _ = gain_tables(verdict)
    assert said.endswith("corrected after Holm over the sources and pairs of a column, and effect size d_z.")
    assert table.splitlines() == [
        "| source (at 0.5) | a - b | mean IoU | clDice |",
        "| --- | ---: | ---: | ---: |",
        f"| steel (2) | later - base | +0.020 [-0.010, +0.030], {P} | -0.100 [-0.200, -0.000], {P} |",
        "| iron (1) | later - base | +0.500 none, no test | none |",
    ]


def test_the_same_stands_at_each_runs_own_threshold(verdict):
    *_, table = gain_tables(verdict)
    assert table.splitlines()[0] == "| source (at each run's own threshold) | a - b | mean IoU |"
    assert table.splitlines()[2:] == [
        f"| steel (2) | later - base | +0.250 [-0.010, +0.030], {P} |",
        f"| iron (1) | later - base | +0.250 [-0.010, +0.030], {P} |",
    ]


def test_every_pair_has_a_row_in_every_source(verdict):
    for part in (verdict, verdict["at_operating_points"]):
        part["by_source"]["iron"]["paired"] = gain("third", "base", "mean_iou", 0.1) | gain(
            "third", "later", "mean_iou", -0.1
        )
    *_, table = gain_tables(verdict)
    assert [line.split(" | ")[:2] for line in table.splitlines()[3:]] == [
        ["| iron (1)", "third - base"],
        ["| iron (1)", "third - later"],
    ]
