"""What the runs of a planted gap are said to show: on made-up scores."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from experiments.planted_gap.plan import Cell
from experiments.planted_gap.tables import gap_chart, planted_gap_tables
from experiments.planted_gap.verdict import Statement, gap_verdict, images_needed, reached, rows_of, statements
from micromime.judging.statistics import paired_t_test

IMAGES = np.array([0.0, 100, 200, 300])
RESULTS = Path(__file__).parents[1] / "results.json"


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
            found[Cell(experiment, sampler, run)] = table(scores)
    return rows_of(found)


def outcomes(rows, stopping=()):
    return {each.text.split(",")[0].split(" in ")[0]: each.outcome for each in statements(gap_verdict(rows), stopping)}


@pytest.mark.parametrize(
    ("scores", "target", "images"),
    [
        ([0.5, 0.6, 0.8, 0.9], 0.4, 0),
        ([0.5, 0.6, 0.8, 0.9], 0.55, 50),
        ([0.5, 0.6, 0.8, 0.9], 0.6, 100),
        ([0.5, 0.6, 0.8, 0.9], 0.7, 150),
        ([0.5, 0.6, 0.8, 0.9], 0.9, 300),
        ([0.5, 0.6, 0.8, 0.9], 0.91, np.inf),
        ([0.5, 0.9, 0.4, 0.6], 0.7, 50),  # a curve that falls has reached what it passed
    ],
)
def test_images_needed_lie_on_straight_lines_between_rounds(scores, target, images):
    flat = np.full((2, 4), 0.5)
    found = reached(IMAGES, np.vstack([flat[:1], [scores], flat[1:]]), np.array([0.6, target, 0.5]))
    assert found == pytest.approx([np.inf, images, 0])


def test_images_needed_of_a_better_sampler_a_worse_one_and_random_itself():
    rows = made_up(last={"progress": 0.8, "worst": 0.4}, spread=1e-6)  # progress: 0.65 after 100; random ends at 0.6
    needed = {name: images_needed(rows, name, "all_iou") for name in ("progress", "worst", "random")}
    assert needed["progress"]["needed"] == pytest.approx(100 * 2 / 3, abs=0.1)
    assert needed["progress"]["lo"] <= needed["progress"]["needed"] <= needed["progress"]["hi"]
    assert needed["worst"] == {"needed": None, "lo": None, "hi": None}
    assert needed["random"] == pytest.approx({"needed": 300, "lo": 300, "hi": 300}, abs=0.1)


@pytest.mark.parametrize("gain", [0.0, -0.05])
def test_what_random_did_not_gain_nobody_needs_images_for(gain):
    rows = made_up(last={"random": 0.5 + gain, "progress": 0.4})
    assert images_needed(rows, "progress", "all_iou") == {}
    assert outcomes(rows)["progress needs at most half of random's 300 images"] == "not shown"
    assert "| progress | none | none |" in planted_gap_tables(gap_verdict(rows), [], {})


def test_a_run_without_pictures_of_the_mode_has_no_mode_score():
    tables = {Cell("gap", name, run): table([0.5, 0.6]) for name in ("random", "progress") for run in (1, 2, 3)}
    tables["gap", "progress", 2]["mode_f1"] = [None, None]
    said = gap_verdict(rows_of(tables))["gap"]
    assert said["samplers"]["progress"]["images_needed"]["mode_f1"] == {}
    assert (said["minus_random"]["mode_f1"], said["samplers"]["progress"]["rounds"][1]["mode_f1"]) == ({}, None)
    assert "<svg" in gap_chart("gap", said)


def test_p_values_are_those_of_paired_tests_after_holm_beside_random_and_beside_the_blind_one():
    rows = made_up(last={"progress": 0.61, "stratified": 0.605, "residual": 0.62}, spread=0.01)
    last = rows[rows["round"] == 3].pivot(index="run", columns="sampler", values="all_iou")
    said = gap_verdict(rows)
    for key, control, names in (
        ("minus_random", "random", ["progress", "residual", "stratified"]),
        ("minus_stratified", "stratified", ["progress", "residual"]),
    ):
        p = sorted((paired_t_test(last[name], last[control])["p_value"], name) for name in names)
        steps = np.minimum(np.maximum.accumulate([(len(p) - n) * each for n, (each, _) in enumerate(p)]), 1)
        tests = said["gap"][key]["all_iou"]
        assert tests.keys() == set(names)
        assert [tests[name]["p_holm"] for _, name in p] == pytest.approx(steps.tolist())
    assert tests["progress"]["mean_difference"] == pytest.approx((last["progress"] - last["stratified"]).mean())
    assert "Minus stratified" in planted_gap_tables(said, [], {})
    assert "Minus stratified" not in planted_gap_tables(gap_verdict(made_up(last={"progress": 0.8})), [], {})


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


@pytest.mark.parametrize(
    ("score", "runs", "outcome"), [(0.6, 12, "holds"), (0.7, 12, "contradicted"), (0.99, 1, "not shown")]
)
def test_without_a_gap_nobody_gains_where_that_was_tested(score, runs, outcome):
    assert outcomes(made_up("no_gap", {"worst": score}, runs))["no sampler gains on random"] == outcome


def test_tables_and_chart_name_every_sampler_and_one_run_has_no_test():
    said = gap_verdict(made_up("trap", {"worst": 0.7, "residual_stop": 0.8, "oracle": 0.9}, runs=1))
    text = planted_gap_tables(said, statements(said, []), {})
    for words in ("## trap, runs: 1", "| worst | 0.10 / 0.20 / 0.30 | 0.10 /", "no test", "**not shown**", "trap.svg"):
        assert words in text
    drawn = gap_chart("trap", said["trap"])
    panels = [each for each in ElementTree.fromstring(drawn).iter() if "axes_" in each.get("id", "")]
    assert len(panels) == 4 * 3
    assert "residual" in drawn


def test_the_committed_tables_are_those_of_the_committed_results():
    said = json.loads(RESULTS.read_text())
    found = [Statement(**each) for each in said["statements"]]
    assert planted_gap_tables(said["experiments"], found, said["made"]) == RESULTS.with_suffix(".md").read_text()
    assert [each._asdict() for each in statements(said["experiments"], ["residual_stop", "progress_stop"])] == said[
        "statements"
    ]
