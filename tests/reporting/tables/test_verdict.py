import copy
import re

import pytest

from micromime.reporting.tables.verdict import arms_table, headline, verdict_table

REAL = {"kind": "real", "name": "grain_boundaries", "reason": None, "n": 3}
SURROGATE = {"kind": "surrogate", "name": "potts", "reason": "no real set was given", "n": 3}


def summary(mean, sd):
    """A mean of two runs, or of one where there is no sd."""
    student = None if sd is None else {"lo": mean - 1, "hi": mean + 1, "n": 2}
    agresti = {"lo": 0.1234, "hi": 0.9876, "n": 1 if sd is None else 4}
    return {"mean": mean, "sd": sd, "ci99_student": student, "ci99_agresti_coull_paper": agresti}


def compared(a, b, metric, difference, **numbers):
    """A paired test, of fifty pairs where nothing else is said."""
    paired_by = "picture" if b == "local_threshold" else "run"
    interval = {"lo": difference - 0.01, "hi": difference + 0.02, "n": 50}
    found = {"n_pairs": 50, "p_value": 0.0496, "effect_size": -0.284, "ci99_difference": interval} | numbers
    return {"a": a, "b": b, "metric": metric, "on": "x", "paired_by": paired_by, "mean_difference": difference} | found


def iou(mean, sd=None):
    return {"mean_iou": {"mean": mean, "sd": sd}, "pixel_error": {"mean": 1 - mean, "sd": sd}}


def alone(mean):
    return {"mean_iou": mean, "pixel_error": 1 - mean}


@pytest.fixture
def one_arm():
    """Two baselines and an arm of two runs, by two sources."""
    return {
        "test_set": SURROGATE,
        "arms": {"base": {"n_runs": 2, "pixel_error": summary(0.38, 0.0283), "mean_iou": summary(0.62, 0.0283)}},
        "baselines": {"nothing_found": alone(0.4), "local_threshold": alone(0.6)},
        "by_source": {
            "steel": {
                "n": 2,
                "arms": {"base": iou(0.67, 0.0283)},
                "baselines": {"nothing_found": alone(0.4), "local_threshold": alone(0.55)},
            },
            "iron": {
                "n": 1,
                "arms": {"base": iou(0.52, 0.0283)},
                "baselines": {"nothing_found": alone(0.4), "local_threshold": alone(0.7)},
            },
        },
        "paired": {"1": compared("base", "local_threshold", "mean_iou", 0.02, n_pairs=3, p_value=0.52)},
    }


@pytest.fixture
def two_arms(one_arm):
    said = copy.deepcopy(one_arm)
    for part in (said, *said["by_source"].values()):
        part["arms"]["adaptive"] = part["arms"]["base"]
    for name, metric, difference in (("2", "pixel_error", -0.0112), ("3", "mean_iou", -0.0151)):
        said["paired"][name] = compared("adaptive", "base", metric, difference)
    return said


def sentence(verdict, metric, **changed):
    """What is said of the arms' difference by one metric."""
    (test,) = [each for each in verdict["paired"].values() if each["paired_by"] == "run" and each["metric"] == metric]
    test |= changed
    title = {"pixel_error": "error", "mean_iou": "IoU"}[metric]
    (found,) = [line for line in arms_table(verdict).splitlines() if line.startswith(f"- {title}: ")]
    return found.removeprefix(f"- {title}: ")


def test_the_headline_says_when_nothing_is_real():
    assert headline(SURROGATE) == "Test set: surrogate, not real (no real set was given); potts, n = 3"
    assert headline(REAL) == "Test set: real pictures; grain_boundaries, n = 3"


def test_the_table_marks_the_best_cell_even_when_a_baseline_is_best(one_arm):
    text = verdict_table(one_arm)
    assert text.splitlines()[0] == f"**{headline(SURROGATE)}**"
    assert "| mean IoU (more is better) | nothing_found | local_threshold | base, runs: 2 |" in text
    assert "| steel (2) | 0.400 | 0.550 | **0.670 ± 0.028** |" in text
    assert "| iron (1) | 0.400 | **0.700** | 0.520 ± 0.028 |" in text
    assert "| ALL (3) | 0.600 | 0.400 | **0.380 ± 0.028** |" in text
    assert text.count("A baseline beats every arm in: iron (1).") == 2


def test_scores_that_print_alike_are_both_best(one_arm):
    one_arm["arms"]["base"]["mean_iou"] = summary(0.5996, None)
    text = verdict_table(one_arm)
    assert "| ALL (3) | 0.400 | **0.600** | **0.600** |" in text
    assert "A baseline beats every arm in: iron (1)." in text


def test_every_paired_test_has_its_row(two_arms):
    text = verdict_table(two_arms)
    head = "| a - b | metric | paired by | n | mean difference | 99 % interval | p (two-tailed t) | effect size d_z |"
    assert head in text
    assert "| base - local_threshold | mean IoU | picture | 3 | +0.020 | [+0.010, +0.040] | 0.52 | -0.28 |" in text
    assert "| adaptive - base | pixel error | run | 50 | -0.011 | [-0.021, +0.009] | 0.050 | -0.28 |" in text


def test_no_paired_test_leaves_the_head(one_arm):
    one_arm["paired"] = {}
    assert "| a - b | metric | paired by |" in verdict_table(one_arm)


@pytest.fixture
def corrected(two_arms):
    """Two arms whose tests by run were corrected for their number."""
    for name, p_holm in (("2", 0.0992), ("3", None)):
        two_arms["paired"][name] |= {"p_holm": p_holm, "n_tests": 2}
    return two_arms


def test_corrected_p_values_have_a_column(corrected):
    lines = verdict_table(corrected).splitlines()
    (head,) = [line for line in lines if line.startswith("| a - b | metric | paired by |")]
    assert head.endswith("| p (two-tailed t) | p of 2 tests by run (Holm) | effect size d_z |")
    ends = ["| 0.52 | none | -0.28 |", "| 0.050 | 0.099 | -0.28 |", "| 0.050 | none | -0.28 |"]
    rows = [line for line in lines if " | picture | " in line or " | run | " in line]
    assert [row.endswith(end) for row, end in zip(rows, ends, strict=True)] == [True] * 3


def test_the_corrected_p_value_says_what_is_significant(corrected):
    how = "(paired two-tailed t-test by run, p = 0.099, corrected for 2 tests, n = 50 pairs, d_z = -0.28)."
    assert sentence(corrected, "pixel_error") == f"adaptive - base = -0.011, not significant at 0.05 {how}"
    assert "adaptive is better than base" in sentence(corrected, "pixel_error", p_holm=0.0499)


def test_arms_stand_in_the_layout_of_the_papers_table_2(one_arm):
    assert arms_table(one_arm).splitlines()[2:] == [
        "| arm | all 3 pictures | error | IoU |",
        "| --- | ---: | ---: | ---: |",
        "| base, runs: 2 | mean ± sd | 0.380 ± 0.028 | 0.620 ± 0.028 |",
        "|  | 99 % Student t, n = 2 (runs) | [-0.620, 1.380] | [-0.380, 1.620] |",
        "|  | 99 % Agresti-Coull as in the paper, n = 4 (runs squared) | [0.123, 0.988] | [0.123, 0.988] |",
    ]


def test_of_metrics_that_the_paper_has_not_boundary_f1_follows_alone(two_arms):
    two_arms["arms"]["base"] |= {"hue_error": summary(0.5, 0.1), "boundary_f1": summary(0.5, 0.1)}
    two_arms["arms"]["adaptive"] = two_arms["arms"]["base"]
    two_arms["paired"]["4"] = compared("adaptive", "base", "hue_error", 0.1)
    assert "| error | IoU | boundary F1 |\n" in arms_table(two_arms)
    assert "hue error" not in arms_table(two_arms)


def test_every_metric_has_a_table_by_source(one_arm):
    for part in (one_arm, *one_arm["by_source"].values()):
        for each in (*part["arms"].values(), *part["baselines"].values()):
            each["betti_error"] = 0.25
    head = "| Betti error (less is better) | nothing_found | local_threshold | base, runs: 2 |"
    assert head in verdict_table(one_arm)


def test_a_single_run_has_neither_sd_nor_students_interval(one_arm):
    one_arm["arms"]["base"] = {"n_runs": 1, "mean_iou": summary(0.62, None)}
    assert arms_table(one_arm).splitlines()[4:] == [
        "| base, runs: 1 | mean ± sd | 0.620 |",
        "|  | 99 % Student t, n = 1 (runs) | none (1 run) |",
        "|  | 99 % Agresti-Coull as in the paper, n = 1 (runs squared) | [0.123, 0.988] |",
    ]


def test_the_arms_come_right_after_the_headline(two_arms):
    assert verdict_table(two_arms).startswith(f"**{headline(SURROGATE)}**\n\n{arms_table(two_arms)}\n\n")
    assert arms_table(two_arms).count("\n- ") == 2


def test_a_significant_difference_says_which_arm_is_better_or_worse(two_arms):
    how = "(paired two-tailed t-test by run, p = 0.050, n = 50 pairs, d_z = -0.28)."
    assert sentence(two_arms, "pixel_error") == f"adaptive is better than base, adaptive - base = -0.011 {how}"
    assert sentence(two_arms, "mean_iou") == f"adaptive is worse than base, adaptive - base = -0.015 {how}"
    assert "adaptive is worse than base" in sentence(two_arms, "pixel_error", mean_difference=0.0112)
    assert "adaptive is better than base" in sentence(two_arms, "mean_iou", mean_difference=0.0151)


@pytest.mark.parametrize(("p_value", "printed"), [(8.6e-18, "8.6e-18"), (0.01, "0.010"), (0.00034, "0.00034")])
def test_p_values_have_two_digits(two_arms, p_value, printed):
    assert f"p = {printed}, " in sentence(two_arms, "mean_iou", p_value=p_value)


@pytest.mark.parametrize("p_value", [0.05, 0.16])
def test_a_difference_that_is_not_significant_is_no_finding(two_arms, p_value):
    said = sentence(two_arms, "pixel_error", p_value=p_value)
    assert said.startswith("adaptive - base = -0.011, not significant at 0.05 (paired two-tailed t-test by run, p = ")
    assert not re.search("better|worse", said)


@pytest.mark.parametrize(("n", "why"), [(1, "1 pair of runs"), (4, "all 4 pairs of runs differ by the same")])
def test_where_there_is_no_test_the_sentence_says_why(two_arms, n, why):
    said = sentence(two_arms, "mean_iou", p_value=None, effect_size=None, n_pairs=n)
    assert said == f"adaptive - base = -0.015, no test ({why})."


def found(grains, intercept, difference, none):
    """Values of one baseline, or pairs of mean and sd of an arm."""
    sizes = {"grains": grains, "grains_ratio": 0.92, "diameter_px": 26.0, "diameter_ratio": 0.87}
    lines = {"intercept_px": intercept, "astm_difference": difference, "astm_absolute_difference": 0.303}
    return sizes | lines | {"no_intercept": none}


def part(n, truth, otsu, base):
    arm = {name: {"mean": value, "sd": None if value is None else abs(value) / 10} for name, value in base.items()}
    return {"n": n, "truth": truth, "baselines": {"otsu": otsu}, "arms": {"base": arm}}


def test_grain_sizes_have_a_table_each_by_source(one_arm):
    steel = {"grains": 31.25, "diameter_px": 28.0, "intercept_px": 20.04, "astm_number": 8.004, "n_astm": 1}
    iron = {"grains": 9.0, "diameter_px": 31.0, "intercept_px": None, "astm_number": None, "n_astm": 0}
    steel_part = part(2, steel, found(40.0, 15.0, 0.5, 0.0), found(30.0, 25.0, -0.404, 1.5))
    iron_part = part(1, iron, found(1.0, None, None, 1.0), found(8.0, None, None, 1.0))
    assert "ASTM" not in verdict_table(one_arm)
    text = verdict_table(
        one_arm | {"grain_size": {"all": steel_part, "by_source": {"hot steel": steel_part, "iron": iron_part}}}
    )
    assert "| grains found (found / true) | truth | otsu | base |" in text
    assert "| hot steel (2) | 31.2 | 40.0 (0.92) | 30.0 ± 3.0 (0.92) |" in text
    assert "| mean equivalent diameter, px (found / true) | truth | otsu | base |" in text
    assert "| hot steel (2) | 28.0 | 26.0 (0.87) | 26.0 ± 2.6 (0.87) |" in text
    assert "| hot steel (2) | 20.0 | 15.0 (0) | 25.0 ± 2.5 (1.5) |" in text
    assert "| iron (1) | none | none (1) | none (1) |" in text
    assert "| ALL (2) | 8.00 (n = 1) | +0.50 (0.30) | -0.40 ± 0.04 (0.30) |" in text
    assert "| iron (1) | no scale | none (0.30) | none (0.30) |" in text
