"""Each run's own threshold: chosen on the scoring set by hand-made scores, and looked up on the test set."""

import pandas as pd
import pytest
from micromime.judging.operating_point import at_operating_points, operating_points
from micromime.judging.picture_scores import THRESHOLDS

from micromime.judging.metrics import SEGMENTATION

MEAN_IOUS = {
    ("base", 1, "a"): [0.2, 0.2, 0.2, 0.6, 0.5, 0.1, 0.1, 0.1, 0.1],
    ("base", 1, "b"): [0.2, 0.2, 0.2, 0.2, 0.5, 0.9, 0.1, 0.1, 0.1],  # means 0.2, 0.4, 0.5, 0.5, 0.1: the lower of two
    ("base", 2, "a"): [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    ("base", 2, "b"): [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    ("adaptive", 2, "a"): [0.9, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.8],
    ("adaptive", 2, "b"): [0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.5],
}
"""Arm, run and picture, and what was scored at each of the thresholds."""

OWN = {("base", 1): 0.5, ("base", 2): 0.9, ("adaptive", 2): 0.1}


@pytest.fixture
def scoring():
    keys = pd.DataFrame(list(MEAN_IOUS), columns=["arm", "run", "picture"])
    return keys.join(pd.DataFrame(list(MEAN_IOUS.values()), columns=[f"mean_iou.at_{each}" for each in THRESHOLDS]))


def answers():
    """Rows of test pictures: each score says by which metric (1, 2, 3), run and threshold it was."""
    rows = []
    for number, (arm, run) in enumerate(OWN):
        scores = {f"{m}.at_{t}": n + number / 10 + t / 100 for n, m in enumerate(SEGMENTATION, 1) for t in THRESHOLDS}
        rows += [{"arm": arm, "run": run, "picture": each, "source": "steel", "grains": 3} | scores for each in "cd"]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("order", [1, -1])
def test_a_runs_threshold_is_the_one_of_highest_mean_iou_over_the_pictures(scoring, order):
    points = operating_points(scoring.iloc[::order])
    assert points["threshold"].to_dict() == OWN
    assert list(points.index.names) == ["arm", "run"]


def test_arms_keep_their_order(scoring):
    assert [arm for arm, _ in operating_points(scoring).index] == ["base", "base", "adaptive"]


def test_each_run_is_scored_at_its_own_threshold(scoring):
    found = at_operating_points(answers(), operating_points(scoring))
    assert list(found.columns) == ["arm", "run", "picture", "source", *SEGMENTATION]
    assert found["picture"].tolist() == ["c", "d"] * 3
    expected = [0.5 / 100, 0.5 / 100, 0.1 + 0.9 / 100, 0.1 + 0.9 / 100, 0.2 + 0.1 / 100, 0.2 + 0.1 / 100]
    for n, name in enumerate(SEGMENTATION, 1):
        assert found[name].tolist() == pytest.approx([n + each for each in expected])


def test_a_run_without_a_threshold_is_an_error(scoring):
    points = operating_points(scoring[scoring["arm"] == "base"])
    with pytest.raises(KeyError, match="at_nan"):
        at_operating_points(answers(), points)
