import json
import math

import pandas as pd
import pytest

from micromime.judging.grain_size import compare_sizes
from micromime.judging.statistics import logit_interval, student_over_sources
from micromime.judging.verdict import verdict
from micromime.mistakes import Mistake

REAL = {"kind": "real", "name": "grain_boundaries", "reason": None}
SURROGATE = {"kind": "surrogate", "name": "potts", "reason": "no real set was given"}

# Three pictures of two sources (a, b of steel, c of iron); mean IoU of picture a, b, c.
BASELINE_IOUS = {"nothing_found": [0.40, 0.40, 0.40], "local_threshold": [0.50, 0.60, 0.70]}
ARM_IOUS = {
    ("base", 1): [0.60, 0.70, 0.50],
    ("base", 2): [0.64, 0.74, 0.54],
    ("adaptive", 1): [0.65, 0.75, 0.55],
    ("adaptive", 2): [0.67, 0.77, 0.57],
}


def rows(ious, **keys):
    return pd.DataFrame({**keys, "picture": ["a", "b", "c"], "source": ["steel", "steel", "iron"], "mean_iou": ious})


def tables(arms=("base", "adaptive"), runs=(1, 2)):
    scores = [rows(v, arm=arm, run=run) for (arm, run), v in ARM_IOUS.items() if arm in arms and run in runs]
    baselines = [rows(ious, baseline=name) for name, ious in BASELINE_IOUS.items()]
    both = pd.concat(scores, ignore_index=True), pd.concat(baselines, ignore_index=True)
    return [table.assign(pixel_error=1 - table["mean_iou"]) for table in both]


def test_an_arms_mean_is_over_runs_of_means_over_pictures():
    arm = verdict(REAL, *tables())["arms"]["base"]
    assert arm["n_runs"] == 2
    assert arm["mean_iou"]["mean"] == pytest.approx((0.60 + 0.64) / 2)
    assert arm["mean_iou"]["sd"] == pytest.approx(0.04 / math.sqrt(2))
    assert arm["mean_iou"]["ci99_student"] == {
        "lo": pytest.approx(0.62 - 0.02 * 63.657, abs=1e-4),
        "hi": pytest.approx(0.62 + 0.02 * 63.657, abs=1e-4),
        "n": 2,
    }
    assert arm["mean_iou"]["ci99_agresti_coull_paper"]["n"] == 4


def test_an_arm_has_intervals_that_stay_in_range_over_runs_and_over_sources():
    score = verdict(REAL, *tables())["arms"]["base"]["mean_iou"]
    assert score["ci99"] == logit_interval(score["mean"], score["ci99_student"])
    assert score["ci99_student"]["hi"] > 1 > score["ci99"]["hi"] > score["mean"] > score["ci99"]["lo"] > 0
    over_sources = logit_interval(0.62, student_over_sources([0.67, 0.52], [2, 1]))
    assert score["ci99_sources"] == pytest.approx(over_sources)
    one = verdict(REAL, *(table[table["source"] == "steel"] for table in tables(runs=[1])))
    assert [one["arms"]["base"]["mean_iou"][key] for key in ("ci99", "ci99_sources")] == [None, None]


def test_sources_have_their_own_means_beside_the_baselines():
    by_source = verdict(REAL, *tables())["by_source"]
    assert list(by_source) == ["steel", "iron"]
    assert verdict(REAL, *tables())["baselines"]["local_threshold"]["mean_iou"] == pytest.approx(0.6)
    assert by_source["steel"]["n"] == 2
    assert by_source["steel"]["arms"]["base"]["mean_iou"] == {
        "mean": pytest.approx(0.67),
        "sd": pytest.approx(0.04 / math.sqrt(2)),
    }
    assert by_source["iron"]["baselines"]["local_threshold"] == {
        "mean_iou": pytest.approx(0.7),
        "pixel_error": pytest.approx(0.3),
    }


def test_an_arm_is_paired_with_the_local_threshold_by_picture():
    test = verdict(REAL, *tables())["paired"]["base_vs_local_threshold_mean_iou"]
    assert (test["a"], test["b"], test["metric"], test["on"]) == (
        "base",
        "local_threshold",
        "mean_iou",
        "real grain_boundaries",
    )
    assert (test["paired_by"], test["n_pairs"]) == ("picture", 3)
    assert test["mean_difference"] == pytest.approx((0.12 + 0.12 - 0.18) / 3)
    assert test["effect_size"] == pytest.approx(0.02 / math.sqrt((0.1**2 + 0.1**2 + 0.2**2) / 2))


def test_a_later_arm_is_paired_with_the_earlier_by_run():
    test = verdict(REAL, *tables())["paired"]["adaptive_vs_base_mean_iou"]
    assert (test["a"], test["b"], test["paired_by"], test["n_pairs"]) == ("adaptive", "base", "run", 2)
    assert test["mean_difference"] == pytest.approx((0.05 + 0.03) / 2)


def test_arms_are_paired_over_the_runs_that_both_have():
    scores, baselines = tables()
    test = verdict(REAL, scores[(scores["arm"] == "base") | (scores["run"] == 2)], baselines)["paired"]
    assert test["adaptive_vs_base_mean_iou"]["n_pairs"] == 1
    assert test["adaptive_vs_base_mean_iou"]["p_value"] is None


def test_the_order_of_rows_does_not_change_the_numbers():
    scores, baselines = tables()
    mixed = scores.sort_values(["arm", "picture"], ascending=[False, False])
    before, after = (verdict(REAL, table, baselines)["paired"] for table in (scores, mixed))
    assert before.keys() == after.keys()
    for name, test in before.items():
        assert after[name]["mean_difference"] == pytest.approx(test["mean_difference"])


@pytest.mark.parametrize("runs", [(1,), (1, 2)])
def test_a_verdict_is_json_without_nan_and_survives_the_file(runs):
    found = verdict(SURROGATE, *tables(runs=runs))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["arms"]["base"]["mean_iou"]["sd"] is None) == (len(runs) == 1)
    assert found["test_set"] == {**SURROGATE, "n": 3}


@pytest.mark.parametrize(("lost", "named"), [(1, "arm base, run 1"), (5, "arm base, run 2")])
def test_a_missing_or_doubled_picture_is_named(lost, named):
    scores, baselines = tables()
    with pytest.raises(Mistake, match=f"{named}: 2 rows for 3 pictures"):
        verdict(REAL, scores.drop(index=lost), baselines)
    with pytest.raises(Mistake, match=f"{named}: 4 rows for 3 pictures"):
        verdict(REAL, pd.concat([scores, scores.loc[[lost]]]), baselines)


def test_a_score_that_is_no_number_is_named():
    scores, baselines = tables()
    baselines.loc[4, "mean_iou"] = float("nan")
    with pytest.raises(Mistake, match="baseline local_threshold: a metric is not a finite number"):
        verdict(REAL, scores, baselines)


BETTER = [("adaptive", "base")]


def gained_in_iron():
    """The tables of two arms, of which the later has 0.1 more on the iron in its second run."""
    scores, baselines = tables()
    place = (scores["arm"] == "adaptive") & (scores["run"] == 2) & (scores["source"] == "iron")
    scores.loc[place, "mean_iou"] += 0.1
    return scores, baselines


def test_a_difference_has_students_interval():
    test = verdict(REAL, *tables())["paired"]["adaptive_vs_base_mean_iou"]
    half = 63.657 * 0.02 / math.sqrt(2) / math.sqrt(2)  # differences 0.05 and 0.03
    interval = {"lo": pytest.approx(0.04 - half, abs=1e-4), "hi": pytest.approx(0.04 + half, abs=1e-4), "n": 2}
    assert test["ci99_difference"] == interval


def test_p_values_of_compared_arms_are_corrected_for_their_number():
    paired = verdict(REAL, *tables(), pairs=BETTER)["paired"]
    p_value = 1 - 2 * math.atan(4) / math.pi  # t = 0.04 / (0.01414 / sqrt(2)) = 4 with 1 degree of freedom
    for metric in ("mean_iou", "pixel_error"):
        test = paired[f"adaptive_vs_base_{metric}"]
        assert (test["p_value"], test["p_holm"]) == (pytest.approx(p_value), pytest.approx(2 * p_value))
        assert test["n_tests"] == 2
    assert "p_holm" not in paired["base_vs_local_threshold_mean_iou"]


def test_where_there_is_no_test_nothing_is_corrected():
    scores, baselines = tables()
    scores["pixel_error"] = 0.25
    paired = verdict(REAL, scores, baselines, pairs=BETTER)["paired"]
    alike, other = paired["adaptive_vs_base_pixel_error"], paired["adaptive_vs_base_mean_iou"]
    assert (alike["p_value"], alike["p_holm"], alike["n_tests"]) == (None, None, 1)
    assert other["p_holm"] == pytest.approx(other["p_value"])


def test_gains_are_told_by_source_too():
    by_source = verdict(REAL, *gained_in_iron(), pairs=BETTER)["by_source"]
    gains = {source: part["paired"]["adaptive_vs_base_mean_iou"] for source, part in by_source.items()}
    assert {source: each["mean_difference"] for source, each in gains.items()} == {
        "steel": pytest.approx((0.05 + 0.03) / 2),
        "iron": pytest.approx((0.05 + 0.13) / 2),
    }
    assert (gains["iron"]["on"], gains["iron"]["paired_by"]) == ("iron", "run")


def test_p_values_by_source_are_corrected_for_sources_and_pairs_within_a_metric():
    by_source = verdict(REAL, *gained_in_iron(), pairs=BETTER)["by_source"]
    for metric in ("mean_iou", "pixel_error"):
        tests = [part["paired"][f"adaptive_vs_base_{metric}"] for part in by_source.values()]
        small, large = sorted(tests, key=lambda each: each["p_value"])
        assert {each["n_tests"] for each in tests} == {2}
        assert small["p_holm"] == pytest.approx(min(2 * small["p_value"], 1))
        assert large["p_holm"] == pytest.approx(max(large["p_value"], small["p_holm"]))


def test_without_pairs_every_arm_is_compared_and_nothing_corrected():
    none = verdict(REAL, *tables(), pairs=[])
    assert {each["paired_by"] for each in none["paired"].values()} == {"picture"}
    assert [part["paired"] for part in none["by_source"].values()] == [{}, {}]
    said = verdict(REAL, *tables())
    assert not any("p_holm" in each for each in said["paired"].values())
    assert not any("paired" in part for part in said["by_source"].values())


def measured(grains):
    """Grains of pictures a, b, c by the truth, a baseline and an arm."""
    kinds = [("truth", "truth", 0), ("baseline", "otsu", 0), ("arm", "base", 1)]
    places = [("a", "steel"), ("b", "steel"), ("c", "iron")]
    table = pd.DataFrame([(*kind, *place) for kind in kinds for place in places])
    table.columns = ["kind", "name", "run", "picture", "source"]
    return table.assign(grains=grains, diameter_px=22.0, intercept_px=20.0, um_per_px=None)


def test_grain_sizes_stand_beside_the_scores_where_they_are_given():
    sizes = measured(range(9))
    said = verdict(REAL, *tables(), sizes)
    assert said["grain_size"] == compare_sizes(sizes)
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    assert "grain_size" not in verdict(REAL, *tables())


def test_a_picture_whose_grains_were_not_measured_is_named():
    with pytest.raises(Mistake, match="kind baseline, name otsu, run 0: 2 rows for 3 pictures"):
        verdict(REAL, *tables(), measured(range(9)).drop(index=4))
