"""Rounds descend from the base arm or from one another; arms of one generation are compared."""

import pytest

from micromime.arms.rounds import (
    RoundParameters,
    arms_of,
    compared,
    generation,
    main_comparison,
    rounds_of,
    score_of,
    without_control,
)
from micromime.mistakes import Mistake

TWO_LINES = {"random": "base", "adaptive": "base", "random_2": "random", "adaptive_2": "adaptive"}
"""Name and parent of the rounds of two samplers, two each."""


def written(parent, sampler="random_draws"):
    return {"parent": parent, "seed": 3, "sampler": {sampler: {}}}


def tree(parents):
    """What params.yaml has of such rounds."""
    return {"grains": {"rounds": {name: written(parent) for name, parent in parents.items()}}}


def made(parents):
    return {name: RoundParameters(**written(p, name.partition("_")[0] + "_draws")) for name, p in parents.items()}


def test_rounds_come_in_the_order_of_the_file_after_the_base_arm():
    parents = {"b": "a", "a": "base", "c": "b"}
    rounds = rounds_of(tree(parents), "grains")
    assert rounds == {name: RoundParameters(**written(parent)) for name, parent in parents.items()}
    assert arms_of(tree(parents), "grains") == ["base", "b", "a", "c"]
    assert {name: generation(rounds, name) for name in ("base", *rounds)} == {"base": 0, "a": 1, "b": 2, "c": 3}


def test_every_round_is_compared_with_the_base_arm_and_with_those_of_its_generation():
    alike = [("adaptive", "random"), ("adaptive_2", "random_2")]
    assert compared(made(TWO_LINES)) == [*((name, "base") for name in TWO_LINES), *alike]


@pytest.mark.parametrize(
    ("rounds", "pair"),
    [
        (TWO_LINES, ["adaptive_2", "random_2"]),
        ({"adaptive": "base", "random": "base"}, ["adaptive", "random"]),  # whichever stands first
        ({"random": "base", "random_b": "base", "adaptive": "base"}, ["adaptive", "random"]),  # the first control
        ({"random": "base"}, []),
        ({}, []),
    ],
)
def test_the_main_comparison_is_the_last_round_that_goes_by_scores_against_its_control(rounds, pair):
    assert main_comparison(made(rounds)) == pair


@pytest.mark.parametrize(
    ("changed", "alone"),
    [
        ({}, []),
        ({"random_2": "adaptive"}, ["adaptive_2", "random_2"]),  # a control that has seen a score is none
        ({"adaptive_3": "adaptive_2"}, ["adaptive_3"]),
        ({"adaptive_3": "adaptive_2", "random_3": "random_2"}, []),
    ],
)
def test_a_control_is_of_the_same_generation_and_random_throughout(changed, alone):
    assert sorted(without_control(made(TWO_LINES | changed))) == alone


@pytest.mark.parametrize(
    ("parents", "said"),
    [
        ({"a": "b", "b": "c"}, "grains.rounds.b.parent: 'c' is no arm; use one of: base, a, b."),
        ({"a": "a"}, "grains.rounds.a descends from itself; give one of its ancestors the parent base."),
        ({"child": "a", "a": "b", "b": "a"}, "grains.rounds.a descends from itself; give one of"),
    ],
    ids=str,
)
def test_a_round_that_descends_from_no_base_arm_is_a_mistake(parents, said):
    with pytest.raises(Mistake) as mistake:
        rounds_of(tree(parents), "grains")
    assert str(mistake.value).startswith(said)


def test_the_samplers_score_needs_no_other_key():
    assert score_of({"grains": {"resample": {"score": "mean_iou"}}}, "grains") == "mean_iou"
    with pytest.raises(Mistake, match=r"^grains\.resample\.score: is missing; add it\.$"):
        score_of({"grains": {"resample": {"count": 4}}}, "grains")
