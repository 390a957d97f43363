"""What units and settings are said to earn: on made-up scores."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from experiments.ablation.plan import Gain
from experiments.ablation.tables import ablation_chart, ablation_tables
from experiments.ablation.verdict import EVERYWHERE, ablation_verdict, idle, paying

RESULTS = Path(__file__).parents[1] / "results.json"
TEST_SET = {"kind": "surrogate", "name": "grain_boundaries", "reason": "nothing is given"}
GAINS = [
    Gain("leave_one_out", "twins", "all", "without_twins"),
    Gain("leave_one_out", "stains", "all", "without_stains"),
    Gain("add_one_in", "twins", "only_twins", "none"),
    Gain("settings", "cl_dice", "with_cl_dice", "all"),
]
LOST = {"without_twins": (0.1, 0.2, 0.3), "without_stains": (0.01, -0.02, 0.01), "none": (0.2, 0.2, 0.2)}
"""How much less mean IoU variants have in runs 1, 2, 3; all others have none less."""

TOPOLOGY = {"all": (0.5, 0.3, 0.6), "with_cl_dice": (0.6, 0.1, 0.6)}
"""clDice, Betti error and matched grains in every run: of the variants that settings are compared among alone."""

VARIANTS = ("all", "none", "without_twins", "without_stains", "only_twins", "with_cl_dice")


def made_up(runs=3, tried=(0.6, 0.1, 0.6), **lost):
    """What is said of scores of three pictures, two of steel and one of iron, where all that is lost is lost twice."""
    rows = []
    for name in VARIANTS:
        for run in range(1, runs + 1):
            less = (LOST | lost).get(name, (0, 0, 0))[run - 1]
            for picture, source, times in (("a", "steel", 1), ("b", "steel", 1), ("c", "iron", 2)):
                score = 0.8 + 0.01 * run - times * less
                scores = {"mean_iou": score, "boundary_f1": score / 2, "pixel_error": 0.1, "average_precision": score}
                if name in TOPOLOGY:
                    topology = (TOPOLOGY | {"with_cl_dice": tried})[name]
                    scores |= dict(zip(("cl_dice", "betti_error", "matched_grains"), topology, strict=True))
                rows.append({"variant": name, "run": run, "picture": picture, "source": source, **scores})
    return ablation_verdict(TEST_SET, pd.DataFrame(rows), GAINS) | {"made": {"Command": "x"}}


@pytest.fixture(scope="module")
def said():
    return made_up()


def test_a_gain_is_a_mean_of_paired_differences_with_students_interval(said):
    steel = said["gains"]["leave_one_out"]["twins"]["steel"]["mean_iou"]
    half = 4.302653 * 0.1 / 3**0.5  # t of 2 degrees of freedom, 97.5 %; sd of 0.1, 0.2, 0.3 is 0.1
    assert (steel["mean_difference"], steel["n_pairs"]) == (pytest.approx(0.2), 3)
    assert (steel["lo"], steel["hi"]) == (pytest.approx(0.2 - half), pytest.approx(0.2 + half))
    assert steel["p_value"] == pytest.approx(0.0742, abs=1e-4)  # t = 0.2 / (0.1 / sqrt 3) = 3.46


def test_places_are_all_pictures_and_every_source(said):
    assert said["places"] == {EVERYWHERE: 3, "steel": 2, "iron": 1}
    twins = said["gains"]["leave_one_out"]["twins"]
    means = {place: of["mean_iou"]["mean_difference"] for place, of in twins.items()}
    assert means == pytest.approx({EVERYWHERE: 0.2 * 4 / 3, "steel": 0.2, "iron": 0.4})
    assert twins["steel"]["boundary_f1"]["mean_difference"] == pytest.approx(0.1)
    assert said["gains"]["add_one_in"]["twins"]["steel"]["mean_iou"]["mean_difference"] == pytest.approx(0.2)


def test_p_values_are_corrected_within_a_kind_alone(said):
    of_kind = {name: by["steel"]["mean_iou"] for name, by in said["gains"]["leave_one_out"].items()}
    assert of_kind["twins"]["p_holm"] == pytest.approx(2 * of_kind["twins"]["p_value"])
    assert of_kind["stains"]["p_holm"] == pytest.approx(1)
    assert said["gains"]["add_one_in"]["twins"]["steel"]["mean_iou"]["p_holm"] is None  # all differ by the same


def test_a_unit_earns_nothing_where_no_mean_is_above_0(said):
    assert idle(said) == ["stains"]  # 0.01 - 0.02 + 0.01: it costs nothing either
    assert "By this rule: **stains**." in ablation_tables(said)
    one_above = made_up(without_twins=(-0.1, -0.2, -0.3), without_stains=(0.01, -0.02, 0.02))
    assert one_above["gains"]["add_one_in"]["twins"][EVERYWHERE]["mean_iou"]["mean_difference"] > 0
    assert idle(one_above) == []
    assert "By this rule: **none**." in ablation_tables(one_above)


@pytest.mark.parametrize(
    ("tried", "pays"),
    [
        ((0.6, 0.1, 0.6), ["cl_dice"]),
        ((0.5, 0.3, 0.6), []),  # nothing changes: nothing is paid
        ((0.6, 0.4, 0.6), []),  # more errors of topology
        ((0.6, 0.1, 0.59), []),
    ],
)
def test_a_setting_pays_where_no_mean_speaks_against_it(tried, pays):
    assert paying(made_up(tried=tried)) == pays


def test_settings_are_compared_in_topology_too_and_units_are_not(said):
    settings, units = (said["gains"][kind] for kind in ("settings", "leave_one_out"))
    found = {metric: test["mean_difference"] for metric, test in settings["cl_dice"][EVERYWHERE].items()}
    nothing = dict.fromkeys(("pixel_error", "mean_iou", "boundary_f1", "average_precision", "matched_grains"), 0)
    assert found == pytest.approx(nothing | {"cl_dice": 0.1, "betti_error": -0.2})
    assert units["twins"][EVERYWHERE].keys() == {"mean_iou", "boundary_f1"}
    assert "betti_error" not in said["variants"]["none"]
    text = ablation_tables(said)
    assert "| clDice (more is better) | 0.500 ± 0.000 | 0.600 ± 0.000 | +0.100 [+0.100, +0.100] | none |" in text
    assert "| cl dice | Betti error (less is better) | 0.300 ± 0.000 | 0.100 ± 0.000 |" in text


def test_the_chart_has_a_mark_for_every_gain_and_names_every_place(said):
    drawn = ablation_chart(said)
    words = {text.strip() for text in ElementTree.fromstring(drawn).itertext()}
    assert {"steel", "iron", "(2)", "(1)", "twins", "stains", "cl dice", "gain in mean IoU"} <= words


def test_the_committed_tables_are_those_of_the_committed_results():
    said = json.loads(RESULTS.read_text())
    assert ablation_tables(said) == RESULTS.with_suffix(".md").read_text()
    assert (len(said["variants"]), said["runs"], said["test_set"]["kind"]) == (33, 3, "real")
