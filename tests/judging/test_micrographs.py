"""What is measured of an answer to one picture, by hand; each run's own threshold; and the verdict on all pictures."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from micromime.judging import micrographs as judging
from micromime.judging.metrics import LOWER_IS_BETTER, SCORED, SEGMENTATION, TESTED
from micromime.judging.micrographs import (
    THRESHOLDS,
    Picture,
    at_operating_points,
    at_thresholds,
    classified,
    operating_points,
    pictures_in,
    said_of,
    scored,
    sizes,
    to_choose_by,
)
from micromime.pictures.micrographs import Micrograph

LINE = np.zeros((6, 10), dtype=np.bool_)
LINE[2] = True
"""One row of six."""

CROSS = np.zeros((60, 90), dtype=np.bool_)
CROSS[29:32] = CROSS[:, 30:34] = True
"""Lines between four grains: 29 and 28 px high, 30 and 56 px wide, and up to the middle of the lines."""

of_test = judging.tested  # a name that pytest would take for a test


def picture(truth, number=-1):
    return Picture("p", np.zeros(truth.shape, np.uint8), truth, number)


def found(*, right, left, elsewhere=0.1):
    """Probabilities on both halves of the line, and beside it."""
    probability = np.where(LINE, right, elsewhere).astype(np.float32)
    probability[2, :5] = left
    return probability


def test_a_mask_is_what_is_more_likely_than_not():
    row = scored(picture(LINE), found(right=0.9, left=0.5))
    assert row["picture"] == "p"
    assert row["pixel_error"] == 5 / 60
    assert row["mean_iou"] == pytest.approx((5 / 10 + 50 / 55) / 2)
    assert row["boundary_f1"] == pytest.approx(2 * 8 / 10 / (1 + 8 / 10))  # three of the lost five lie within 3 px


def test_other_thresholds_find_more_or_less():
    row = scored(picture(LINE), found(right=0.65, left=0.45, elsewhere=0.35))
    half = (5 / 10 + 50 / 55) / 2
    everything, nothing = (10 / 60 + 0) / 2, (0 + 50 / 60) / 2
    at = {0.4: 1, 0.5: half, 0.6: half} | dict.fromkeys((0.1, 0.2, 0.3), everything)
    at |= dict.fromkeys((0.7, 0.8, 0.9), nothing)
    assert {t: row[f"mean_iou.at_{t}"] for t in THRESHOLDS} == pytest.approx(at)
    assert row["mean_iou.at_0.5"] == row["mean_iou"]


def test_average_precision_asks_for_no_threshold():
    row = scored(picture(LINE), found(right=0.4, left=0.2))
    assert (row["average_precision"], row["mean_iou"]) == (1, (0 + 50 / 60) / 2)
    # Half of the line is found first, then all pixels beside it, then the rest: 1/2 * 1 + 1/2 * 10/60.
    assert scored(picture(LINE), found(right=0.4, left=0.0))["average_precision"] == pytest.approx(1 / 2 + 1 / 12)


def test_samples_and_test_pictures_have_their_columns():
    sample, chosen_on, test = (row(picture(CROSS), CROSS.astype(np.float32)) for row in (scored, to_choose_by, of_test))
    at = [f"mean_iou.at_{each}" for each in THRESHOLDS]
    assert list(sample) == ["picture", *SCORED, *at]
    assert list(chosen_on) == ["picture", *at]
    further = [f"{name}.at_{each}" for name in SEGMENTATION for each in THRESHOLDS]
    grains = ["grains", "diameter_px", "intercept_px", "astm_lo", "astm_hi"]
    assert {*test} == {*sample, *TESTED, *further, *grains}
    assert {key: test[key] for key in sample} == sample


def test_a_test_picture_that_is_all_right_has_the_best_of_every_score():
    row = of_test(picture(CROSS), CROSS.astype(np.float32))
    assert {name: row[name] for name in TESTED} == {name: int(name not in LOWER_IS_BETTER) for name in TESTED}
    assert row["grains"] == 4
    assert row["astm_lo"] < 0 < row["astm_hi"]


def test_where_nothing_is_found_there_is_one_grain_and_no_intercept():
    row = of_test(picture(CROSS), np.zeros(CROSS.shape, np.float32))
    assert (row["grains"], row["intercept_px"], row["astm_lo"], row["astm_hi"]) == (1, None, None, None)
    assert row["diameter_px"] == pytest.approx(math.sqrt(4 * 60 * 90 / math.pi))
    assert (row["matched_grains"], row["cl_dice"], row["betti_error"]) == (0, 0, 1)
    assert row["average_precision"] == pytest.approx(CROSS.mean())


def test_grains_are_closed_where_a_line_is_too_faint_for_the_mask():
    probability = CROSS.astype(np.float32)
    probability[:, 60:64] += 0.4 * ~CROSS[:, 60:64]
    row = of_test(picture(CROSS), probability)
    assert (row["pixel_error"], row["grains"]) == (0, 6)


@given(probability=arrays(np.float32, (6, 10), elements=st.floats(0, 1, width=32)))
def test_scores_at_thresholds_are_those_of_the_masks_there(probability):
    row = at_thresholds(picture(LINE), probability, ["pixel_error"])
    assert row == {f"pixel_error.at_{t}": float(np.mean((probability > t) != LINE)) for t in THRESHOLDS}


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_row_is_json(value):
    row = of_test(picture(CROSS), np.full(CROSS.shape, value, np.float32))
    assert json.loads(json.dumps(row, allow_nan=False)) == row


@pytest.mark.parametrize(("probability", "number", "wrong"), [(0.6, 1, 0), (0.6, 0, 1), (0.5, 0, 0), (0.4, 1, 1)])
def test_a_picture_is_of_the_second_class_where_that_is_more_likely_than_not(probability, number, wrong):
    row = classified(picture(LINE, number), probability)
    assert row == {"picture": "p", "error_rate": wrong, "probability": probability}


def test_micrographs_are_pictures(micrographs):
    seen = list(pictures_in(micrographs))
    assert [(each.name, each.image.shape) for each in seen] == [("a", (40, 64)), ("b", (64, 50)), ("c", (36, 48))]
    assert all(((each.image < 100) == each.truth).all() for each in seen)


def test_samples_of_a_synthetic_set_are_pictures(scoring):
    seen = list(pictures_in(scoring))
    assert [(each.name, int(each.truth.sum())) for each in seen] == [("000000", 340), ("000001", 488), ("000002", 636)]
    assert all(((each.image < 100) == each.truth).all() and each.image.flags.writeable for each in seen)


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
def chosen_on():
    keys = pd.DataFrame(list(MEAN_IOUS), columns=["arm", "run", "picture"])
    return keys.join(pd.DataFrame(list(MEAN_IOUS.values()), columns=[f"mean_iou.at_{each}" for each in THRESHOLDS]))


@pytest.mark.parametrize("order", [1, -1])
def test_a_runs_threshold_is_the_one_of_highest_mean_iou_over_the_pictures(chosen_on, order):
    points = operating_points(chosen_on.iloc[::order])
    assert points["threshold"].to_dict() == OWN
    assert list(points["threshold"].to_dict()) == list(OWN)[::order]  # arms keep their order


def test_each_run_is_scored_at_its_own_threshold(chosen_on):
    rows = []  # each score says by which metric (1, 2, 3), run and threshold it was
    for number, (arm, run) in enumerate(OWN):
        scores = {f"{m}.at_{t}": n + number / 10 + t / 100 for n, m in enumerate(SEGMENTATION, 1) for t in THRESHOLDS}
        rows += [{"arm": arm, "run": run, "picture": each, "source": "steel", "grains": 3} | scores for each in "cd"]
    own = at_operating_points(pd.DataFrame(rows), operating_points(chosen_on))
    assert list(own.columns) == ["arm", "run", "picture", "source", *SEGMENTATION]
    assert own["picture"].tolist() == ["c", "d"] * 3
    expected = [0.5 / 100, 0.5 / 100, 0.1 + 0.9 / 100, 0.1 + 0.9 / 100, 0.2 + 0.1 / 100, 0.2 + 0.1 / 100]
    for n, name in enumerate(SEGMENTATION, 1):
        assert own[name].tolist() == pytest.approx([n + each for each in expected])
    with pytest.raises(KeyError, match="at_nan"):  # a run without a threshold
        at_operating_points(pd.DataFrame(rows), operating_points(chosen_on[chosen_on["arm"] == "base"]))


SOURCES = {"a": ("steel", 0.5), "b": ("steel", None), "c": ("iron", None)}


@pytest.fixture(scope="module")
def pictures():
    """Three micrographs of dark lines between four grains, of two sources, one with a scale."""
    greys = np.where(CROSS, 50, 200).astype(np.uint8)
    return [Micrograph(name, source, greys, CROSS, scale) for name, (source, scale) in SOURCES.items()]


@pytest.fixture(scope="module")
def said(pictures):
    """The verdict on networks that find everything, all but shyly in the later arm, and nothing in the last run."""
    rows = {of_test: [], to_choose_by: []}
    for arm, run, level in (("base", 1, 1.0), ("base", 2, 0.0), ("tuned", 1, 0.45), ("tuned", 2, 0.45)):
        for row, table in rows.items():
            for each in pictures:
                probability = (level * each.mask).astype(np.float32)
                table.append(row(Picture(each.name, each.image, each.mask), probability) | {"arm": arm, "run": run})
    test, chosen_on = map(pd.DataFrame, rows.values())
    test_set = {"kind": "surrogate", "name": "grains", "reason": "nothing is given"}
    return said_of(
        test_set,
        (test.assign(source=test["picture"].map({name: source for name, (source, _) in SOURCES.items()})), chosen_on),
        pictures,
        [("tuned", "base")],
    )


NOTHING = (1 - CROSS.mean()) / 2
"""Mean IoU where nothing is found."""


def test_the_verdict_has_arms_beside_baselines_by_source(said):
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert said["test_set"] == {"kind": "surrogate", "name": "grains", "reason": "nothing is given", "n": 3}
    assert [list(said["arms"][name]) for name in ("base", "tuned")] == [["n_runs", *TESTED]] * 2
    assert said["arms"]["base"]["mean_iou"]["mean"] == pytest.approx((1 + NOTHING) / 2)
    assert said["baselines"]["nothing_found"]["mean_iou"] == pytest.approx(NOTHING)
    assert said["baselines"]["otsu"]["mean_iou"] == 1
    assert {source: part["n"] for source, part in said["by_source"].items()} == {"steel": 2, "iron": 1}


def test_each_run_is_judged_at_its_own_threshold_too(said):
    own = said["at_operating_points"]
    assert own["thresholds"] == {"base": [0.1] * 2, "tuned": [0.1] * 2}
    assert {*own["arms"]["tuned"]} == {"n_runs", *SEGMENTATION}
    assert [part["arms"]["tuned"]["mean_iou"]["mean"] for part in (said, own)] == [pytest.approx(NOTHING), 1]
    assert set(own["by_source"]["steel"]["paired"]) == {f"tuned_vs_base_{name}" for name in SEGMENTATION}
    assert own["paired"]["tuned_vs_base_mean_iou"]["mean_difference"] == pytest.approx(1 - (1 + NOTHING) / 2)


def test_grain_sizes_stand_beside_the_truths(said):
    compared = said["grain_size"]["all"]
    assert (compared["n"], compared["truth"]["grains"], compared["truth"]["n_astm"]) == (3, 4, 1)
    assert compared["baselines"]["nothing_found"]["grains"] == 1
    assert compared["arms"]["base"]["grains"]["mean"] == (4 + 1) / 2
    assert compared["arms"]["base"]["no_intercept"]["mean"] == pytest.approx((0 + 3) / 2)
    assert said["true_sizes"]["a"]["astm"]["number"] > 0
    assert [said["true_sizes"][name]["astm"] for name in "bc"] == [None, None]
    first = said["astm_by_picture"][0]
    assert [first[key] for key in ("picture", "arm", "n_known", "n_runs")] == ["a", "base", 1, 2]
    assert first["lo"] < first["difference"] < first["hi"]


def test_a_row_for_everything_measured_knows_its_scale(pictures):
    answers = pd.DataFrame({"picture": list("abc"), "source": "s", "grains": 4, "diameter_px": 9, "intercept_px": None})
    rows = sizes(pictures, answers.assign(arm="x", run=7), answers.assign(baseline="x"))
    runs = rows.groupby("kind", sort=False)["run"].unique().map(list).to_dict()
    assert runs == {"truth": [0], "baseline": [0], "arm": [7]}
    assert rows["um_per_px"].fillna(0).tolist() == [0.5, 0, 0] * 3
    assert rows[rows["kind"] == "truth"]["grains"].tolist() == [4, 4, 4]
