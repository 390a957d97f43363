import pytest

from micromime.judging.metrics import TESTED
from micromime.reporting.words import (
    TITLES,
    cell,
    changes_said,
    headline,
    interval_text,
    markdown,
    mean_cell,
    p_or_none,
    p_text,
    signed_interval,
    title,
)


def test_a_table_has_its_first_column_to_the_left_and_the_others_to_the_right():
    assert markdown(["a", "b", "c"], [["1", "2", "3"], ["4", "", "6"]]).splitlines() == [
        "| a | b | c |",
        "| --- | ---: | ---: |",
        "| 1 | 2 | 3 |",
        "| 4 |  | 6 |",
    ]


@pytest.mark.parametrize(
    ("score", "form", "printed"),
    [
        (0.12345, ".3f", "0.123"),
        (None, ".3f", "none"),
        ({"mean": 0.6196, "sd": 0.0283}, ".3f", "0.620 ± 0.028"),
        ({"mean": 0.6196, "sd": None}, ".3f", "0.620"),
        ({"mean": None, "sd": None}, ".1f", "none"),
        ({"mean": 0.404, "sd": 0.038}, "+.2f", "+0.40 ± 0.04"),  # a spread has no sign
        ({"mean": -0.404, "sd": 0.038}, "+.2f", "-0.40 ± 0.04"),
    ],
)
def test_a_cell_is_a_number_or_a_mean_with_its_sd(score, form, printed):
    assert cell(score, form) == printed
    assert mean_cell(score, form) == printed.partition(" ±")[0]


@pytest.mark.parametrize(
    ("p_value", "printed"), [(0.0496, "0.050"), (0.5, "0.50"), (1, "1.0"), (8.64e-18, "8.6e-18"), (0.00034, "0.00034")]
)
def test_p_values_have_two_significant_digits(p_value, printed):
    assert p_text(p_value) == p_or_none(p_value) == printed


def test_where_there_is_no_test_there_is_no_p_value():
    assert p_or_none(None) == "none"


def test_intervals_have_both_ends_and_those_of_differences_their_signs():
    interval = {"lo": -0.0123, "hi": 0.5, "n": 3}
    assert interval_text(interval) == "[-0.012, 0.500]"
    assert signed_interval(interval) == "[-0.012, +0.500]"
    assert (interval_text(None), signed_interval(None)) == ("none (1 run)", "none")


def test_every_metric_of_a_test_picture_has_a_title():
    assert {*TITLES} == {*TESTED}
    assert [title(name) for name in ("cl_dice", "hue_error")] == ["clDice", "hue error"]


def test_the_headline_says_when_nothing_is_real():
    surrogate = {"kind": "surrogate", "name": "potts", "reason": "no real set was given", "n": 3}
    assert headline(surrogate) == "Test set: surrogate, not real (no real set was given); potts, n = 3"
    real = {"kind": "real", "name": "grain_boundaries", "reason": None, "n": 3}
    assert changes_said(real) == ""
    read = {name: [f"turned {name}", "stretched"] for name in "abcd"}
    said = "Changed on reading, 4 in all: a: turned a, stretched; b: turned b, stretched"
    assert changes_said(real | {"changes": read}, 2) == f"{said}; 2 more in the details."
    assert changes_said(real | {"changes": {"a": ["cut"]}}) == "Changed on reading, 1 in all: a: cut."
    assert headline(real) == "Test set: real pictures; grain_boundaries, n = 3"
