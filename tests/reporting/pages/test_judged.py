"""Which run stands for its arm."""

from pathlib import Path

import pandas as pd
import pytest

from micromime.reporting.pages.judged import Judged, median_run

# Mean IoU of each run on picture a and b, and the run in the middle of the means.
MIDDLES = [
    ({7: (0.1, 0.3)}, 7),
    ({1: (0.2, 0.4), 2: (0.9, 0.7), 3: (0.6, 0.4)}, 3),  # means 0.3, 0.8, 0.5
    ({1: (0.9, 0.9), 2: (0.1, 0.1), 3: (0.6, 0.6), 4: (0.2, 0.9)}, 4),  # 0.9, 0.1, 0.6, 0.55: the lower of two
    ({1: (0.5, 0.5), 2: (0.1, 0.1)}, 2),
    ({1: (0.5, 0.5), 2: (0.4, 0.6), 3: (0.7, 0.3)}, 2),  # all alike: as they come
    ({999: (0.5, 0.5), 1000: (0.4, 0.4), 1001: (0.6, 0.6)}, 999),
]


def rows(arm, scores):
    table = [(arm, run, iou) for run, ious in scores.items() for iou in ious]
    return pd.DataFrame(table, columns=["arm", "run", "mean_iou"])


@pytest.mark.parametrize(("scores", "middle"), MIDDLES)
def test_the_lower_median_run_stands_for_its_arm(scores, middle):
    table = rows("base", scores)
    assert median_run(table) == middle
    assert median_run(table.iloc[::-1].sort_values("run", kind="stable")) == middle


def test_each_arm_has_a_run_of_its_own():
    both = pd.concat([rows("base", MIDDLES[1][0]), rows("adaptive", {8: (0.05, 0.05), 9: (0.05, 0.05)})])
    arms = [Path("models/adaptive"), Path("models/base")]
    judged = Judged({}, both, pd.DataFrame(), pd.DataFrame(), arms)
    assert list(judged.representative.items()) == [(arms[0], 8), (arms[1], 3)]


def test_a_run_may_stand_for_its_arm_by_another_metric():
    table = pd.DataFrame({"run": [1, 2, 3], "mean_iou": [0.1, 0.2, 0.3], "error_rate": [0.5, 0.1, 0.3]})
    assert (median_run(table), median_run(table, "error_rate")) == (2, 3)
