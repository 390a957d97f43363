import pytest

from micromime.evaluation.gain_tables import gain_tables


def gain(a, b, metric, difference, interval=(-0.01, 0.03)):
    """A test by run of two arms, as far as the tables of gains look at it."""
    ends = None if interval is None else {"lo": interval[0], "hi": interval[1], "n": 2}
    return {f"{a}_vs_{b}_{metric}": {"a": a, "b": b, "mean_difference": difference, "ci99_difference": ends}}


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
    return {
        "arms": arms,
        "by_source": {"steel": {"n": 2, "paired": steel}, "iron": {"n": 1, "paired": iron}},
        "at_operating_points": {
            "thresholds": {"base": [0.5, 0.3], "later": [0.4]},
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


def test_gains_stand_by_source_with_their_intervals(verdict):
    *_, said, table, _ = gain_tables(verdict)
    assert said.startswith("Gains by source, mean difference over runs with its 99 % interval")
    assert table.splitlines() == [
        "| source (at 0.5) | a - b | mean IoU | clDice |",
        "| --- | ---: | ---: | ---: |",
        "| steel (2) | later - base | +0.020 [-0.010, +0.030] | -0.100 [-0.200, -0.000] |",
        "| iron (1) | later - base | +0.500 none | none |",
    ]


def test_the_same_stands_at_each_runs_own_threshold(verdict):
    *_, table = gain_tables(verdict)
    assert table.splitlines()[0] == "| source (at each run's own threshold) | a - b | mean IoU |"
    assert table.splitlines()[2:] == [
        "| steel (2) | later - base | +0.250 [-0.010, +0.030] |",
        "| iron (1) | later - base | +0.250 [-0.010, +0.030] |",
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
