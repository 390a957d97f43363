"""What the runs of a planted gap are said to show: on made-up scores."""

from xml.etree import ElementTree

import numpy as np
import pytest

from experiments.planted_gap.chart import gap_chart
from experiments.planted_gap.statements import statements
from experiments.planted_gap.tables import planted_gap_tables, summary_of_gaps
from experiments.planted_gap.verdict import gap_verdict, images_needed, reached, rows_of
from micromime.judging.statistics import paired_t_test

IMAGES = np.array([0.0, 100, 200, 300])


def table(scores):
    """What a record keeps; the endpoints of each round are all the same."""
    columns = ("mode_f1", "all_iou", "rest_f1", "training_iou", "all_f1", "mode_iou", "rest_iou", "scoring")
    asked = [None, *np.linspace(0.1, 0.3, len(scores) - 1)]
    said = {"round": list(range(len(scores))), "images": [100 * n for n in range(len(scores))]}
    return said | {"asked_of_mode": asked, "asked_hopeless": asked} | {name: list(scores) for name in columns}


def made_up(experiment="gap", last=None, runs=12, spread=0.02):
    """Rows of samplers whose mean last scores are given; each run of random is the base plus 0.1 at last."""
    rng, found = np.random.default_rng(0), {}
    for run in range(1, runs + 1):
        for sampler, score in {"random": 0.6, **(last or {})}.items():
            scores = 0.5 + (score - 0.5) * np.array([0, 0.5, 0.8, 1]) + [0, *rng.normal(0, spread, 3)]
            found[experiment, sampler, run] = table(scores)
    return rows_of(found)


def outcomes(rows, stopping=()):
    return {each.text.split(",")[0].split(" in ")[0]: each.outcome for each in statements(gap_verdict(rows), stopping)}


@pytest.mark.parametrize(
    ("target", "images"), [(0.4, 0), (0.55, 50), (0.7, 150), (0.9, 300), (0.91, float("inf")), (0.6, 100)]
)
def test_images_needed_lie_on_straight_lines_between_rounds(target, images):
    assert reached(IMAGES, np.array([0.5, 0.6, 0.8, 0.9]), target) == pytest.approx(images)


def test_a_curve_that_falls_has_reached_what_it_passed():
    assert reached(IMAGES, np.array([0.5, 0.9, 0.4, 0.6]), 0.7) == pytest.approx(50)


def test_images_needed_of_a_better_sampler():
    rows = made_up(last={"progress": 0.8}, spread=1e-6)  # 0.65 after 100; random ends at 0.6
    needed = images_needed(rows, "progress", "all_iou")
    assert needed["needed"] == pytest.approx(100 * 2 / 3, abs=0.1)
    assert needed["lo"] <= needed["needed"] <= needed["hi"]
    assert images_needed(rows, "random", "all_iou")["needed"] == pytest.approx(300, abs=0.1)


def test_random_reaches_what_it_has_itself():
    needed = images_needed(made_up(runs=20, spread=1e-6), "random", "mode_f1")
    assert needed == pytest.approx({"needed": 300, "lo": 300, "hi": 300}, abs=0.1)


def test_never_is_none():
    assert images_needed(made_up(last={"worst": 0.4}), "worst", "mode_f1") == {"needed": None, "lo": None, "hi": None}


@pytest.mark.parametrize("gain", [0.0, -0.05])
def test_what_random_did_not_gain_nobody_needs_images_for(gain):
    rows = made_up(last={"random": 0.5 + gain, "progress": 0.4})
    assert images_needed(rows, "progress", "all_iou") == {}
    assert outcomes(rows)["progress needs at most half of random's 300 images"] == "not shown"
    said = gap_verdict(rows)
    assert "| progress | none | none |" in planted_gap_tables(said, statements(said, []))


def test_a_run_without_pictures_of_the_mode_has_no_mode_score():
    tables = {("gap", name, run): table([0.5, 0.6]) for name in ("random", "progress") for run in (1, 2, 3)}
    tables["gap", "progress", 2]["mode_f1"] = [None, None]
    said = gap_verdict(rows_of(tables))["gap"]
    assert said["samplers"]["progress"]["images_needed"]["mode_f1"] == {}
    assert (said["minus_random"]["mode_f1"], said["samplers"]["progress"]["rounds"][1]["mode_f1"]) == ({}, None)


def test_a_missing_score_is_no_curve_that_never_gets_there():
    rows = made_up(last={"progress": 0.9})
    rows.loc[(rows["sampler"] == "progress") & (rows["run"] == 3) & (rows["round"] == 2), "mode_f1"] = None
    assert images_needed(rows, "progress", "mode_f1") == {}
    assert images_needed(rows, "progress", "all_iou")["needed"] < 150
    assert outcomes(rows)["progress needs at most half of random's 300 images"] == "not shown"


def test_p_values_are_those_of_paired_tests_after_holm():
    rows = made_up(last={"progress": 0.61, "worst": 0.605, "residual": 0.62}, spread=0.01)
    last = rows[rows["round"] == 3].pivot(index="run", columns="sampler", values="all_iou")
    names = ["progress", "residual", "worst"]
    p = sorted((paired_t_test(last[name], last["random"])["p_value"], name) for name in names)
    steps = np.minimum(np.maximum.accumulate([3 * p[0][0], 2 * p[1][0], p[2][0]]), 1)
    tests = gap_verdict(rows)["gap"]["minus_random"]["all_iou"]
    assert [tests[name]["p_holm"] for _, name in p] == pytest.approx(steps.tolist())


def test_samplers_are_compared_with_the_one_that_is_blind_to_scores_too():
    rows = made_up(last={"stratified": 0.7, "progress": 0.8, "oracle": 0.7}, spread=0.01)
    last = rows[rows["round"] == 3].pivot(index="run", columns="sampler", values="mode_f1")
    said = gap_verdict(rows)
    tests = said["gap"]["minus_stratified"]["mode_f1"]
    assert tests.keys() == {"progress", "oracle"}
    assert tests["progress"]["mean_difference"] == pytest.approx((last["progress"] - last["stratified"]).mean())
    p = {name: paired_t_test(last[name], last["stratified"])["p_value"] for name in tests}
    assert tests["progress"]["p_holm"] == pytest.approx(2 * p["progress"])
    assert "Minus stratified" in planted_gap_tables(said, [])


def test_without_a_blind_sampler_nothing_is_compared_with_it():
    said = gap_verdict(made_up(last={"progress": 0.8}))
    assert set(map(len, said["gap"]["minus_stratified"].values())) == {0}
    assert "Minus stratified" not in planted_gap_tables(said, [])


def test_rounds_have_mean_spread_and_interval_over_runs():
    said = gap_verdict(rows_of({("gap", "random", n): table([0.5, 0.4 + 0.1 * n]) for n in (1, 2, 3)}))["gap"]
    first, last = said["samplers"]["random"]["rounds"]
    assert (first["images"], last["images"]) == (0, 100)
    assert first["asked_of_mode"] is None
    assert last["all_iou"] == pytest.approx({"mean": 0.6, "sd": 0.1, "lo": 0.3516, "hi": 0.8484}, abs=1e-4)
    assert said["samplers"]["random"]["learnt"] == 0
    assert said["runs"] == 3


def test_runs_that_not_all_samplers_have_are_left_out():
    rows = made_up(last={"worst": 0.7}, runs=5)
    assert gap_verdict(rows[~((rows["sampler"] == "worst") & (rows["run"] == 4))])["gap"]["runs"] == 4


@pytest.mark.parametrize(
    ("score", "beats", "half"),
    [
        (0.8, "holds", "holds"),
        (0.654, "holds", "not shown"),  # just there after 150
        (0.6, "not shown", "contradicted"),
        (0.45, "contradicted", "contradicted"),
    ],
)
def test_what_is_expected_of_a_gap_is_computed(score, beats, half):
    said = outcomes(made_up(last={"progress": score}))
    assert said == {"progress beats random": beats, "progress needs at most half of random's 300 images": half}


@pytest.mark.parametrize(
    ("loss", "outcome"), [(0.0, "holds"), (0.0045, "not shown"), (0.0055, "not shown"), (0.02, "contradicted")]
)
def test_harm_is_bounded_only_where_the_whole_interval_is(loss, outcome):
    rows = made_up("no_gap", {"progress_stop": 0.6 - loss}, spread=0.003)
    assert outcomes(rows, ["progress_stop"])["progress_stop"] == outcome


@pytest.mark.parametrize(("score", "outcome"), [(0.6, "holds"), (0.7, "contradicted")])
def test_without_a_gap_nobody_gains(score, outcome):
    assert outcomes(made_up("no_gap", {"worst": score}))["no sampler gains on random"] == outcome


@pytest.mark.parametrize(("last", "runs"), [({"worst": 0.99}, 1), ({}, 12)])
def test_where_nothing_was_tested_nothing_holds(last, runs):
    rows = made_up("no_gap", last, runs)
    (none_gains,) = statements(gap_verdict(rows), [])
    assert (none_gains.outcome, none_gains.found) == ("not shown", "no test")


def test_of_one_run_no_images_are_said_to_be_needed():
    assert outcomes(made_up(last={"progress": 0.9}, runs=1))["progress needs at most half of random's 300 images"] == (
        "not shown"
    )


def test_tables_name_every_sampler_and_one_run_has_no_test():
    said = gap_verdict(made_up("trap", {"worst": 0.7, "oracle": 0.8}, runs=1))
    text = planted_gap_tables(said, statements(said, []))
    for words in ("## trap, runs: 1", "| worst | 0.10 / 0.20 / 0.30 | 0.10 /", "no test", "**not shown**", "trap.svg"):
        assert words in text


def test_in_short_only_what_gains_in_both_scores_is_bold():
    rows = made_up(last={"progress": 0.9, "worst": 0.3, "residual": 0.6, "oracle": 0.9}, spread=0.005)
    rows.loc[rows["sampler"] == "residual", "mode_f1"] += 0.2
    said = gap_verdict(rows)
    text = summary_of_gaps({**said, "no_gap": gap_verdict(made_up("no_gap", {"worst": 0.6}))["no_gap"]}, [])
    (progress, worst, residual, oracle) = (
        next(line for line in text.splitlines() if line.startswith(f"| {name} |"))
        for name in ("progress", "worst", "residual", "oracle")
    )
    assert progress.startswith("| progress | **+0.")
    assert progress.endswith("| not tried |")
    assert worst.startswith("| worst | -0.")
    assert "(never / never)" in worst
    assert residual.startswith("| residual | +0.199 / -0.001 ")  # gains in one of the two: not bold
    assert oracle.endswith("| is random |")


def test_in_short_statements_that_do_not_hold_are_named():
    rows = made_up(last={"oracle": 0.9, "progress": 0.4})
    said = gap_verdict(rows)
    found = statements(said, [])
    text = summary_of_gaps(said, found)
    assert "Of 4 statements 2 hold; these do not:" in text
    assert text.count("\n- gap: progress") == 2
    assert "- gap: oracle" not in text
    assert "**Contradicted**: mode F1 -0." in text
    assert summary_of_gaps(said, found[:2]).endswith("Of 2 statements 2 hold.")


def test_without_runs_nothing_is_claimed():
    said = gap_verdict(rows_of({}))
    assert said == {}
    assert "nothing is shown" in planted_gap_tables(said, statements(said, []))


@pytest.mark.parametrize("runs", [1, 5])
def test_a_chart_has_a_panel_for_each_sampler_and_score(runs):
    said = gap_verdict(made_up(last={"worst": 0.7, "residual_stop": 0.8}, runs=runs))["gap"]
    drawn = gap_chart("gap", said)
    root = ElementTree.fromstring(drawn)
    assert len([each for each in root.iter() if "axes_" in each.get("id", "")]) == 8
    assert drawn == gap_chart("gap", said)
    assert "residual" in drawn


def test_a_chart_of_random_alone():
    assert "<svg" in gap_chart("gap", gap_verdict(made_up(runs=2))["gap"])


def test_without_runs_a_chart_says_so():
    assert "gap: no runs" in "".join(ElementTree.fromstring(gap_chart("gap", None)).itertext())
