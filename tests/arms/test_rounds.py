"""Rounds descend from the base arm or from one another; arms of one generation are compared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micromime.arms.rounds import RoundParameters, arms_of, compared, generation, rounds_of
from micromime.mistakes import Mistake

TWO_LINES = {"random": "base", "adaptive": "base", "random_2": "random", "adaptive_2": "adaptive"}
"""Name and parent of the rounds of two samplers, two each."""


def tree(parents):
    """What params.yaml has of such rounds."""
    return {"grains": {"rounds": {name: written(parent) for name, parent in parents.items()}}}


def written(parent):
    return {"parent": parent, "seed": 3, "sampler": {"random_draws": {}}}


def made(parents):
    return {name: RoundParameters(**written(parent)) for name, parent in parents.items()}


def test_rounds_come_in_the_order_of_the_file():
    rounds = rounds_of(tree({"b": "a", "a": "base", "c": "b"}), "grains")
    assert [(name, each.parent) for name, each in rounds.items()] == [("b", "a"), ("a", "base"), ("c", "b")]
    assert rounds["b"] == RoundParameters(parent="a", seed=3, sampler={"random_draws": {}})


def test_the_base_arm_is_the_first_of_all():
    assert arms_of(tree({"b": "a", "a": "base"}), "grains") == ["base", "b", "a"]
    assert arms_of(tree({}), "grains") == ["base"]


def test_a_generation_is_the_way_to_the_base_arm():
    rounds = made({"c": "b", "a": "base", "b": "a"})
    assert {name: generation(rounds, name) for name in ("base", *rounds)} == {"base": 0, "a": 1, "b": 2, "c": 3}


def test_every_round_is_compared_with_the_base_arm_and_with_those_of_its_generation():
    assert compared(made(TWO_LINES)) == [
        ("random", "base"),
        ("adaptive", "base"),
        ("random_2", "base"),
        ("adaptive_2", "base"),
        ("adaptive", "random"),
        ("adaptive_2", "random_2"),
    ]


def test_where_there_are_no_rounds_nothing_is_compared():
    assert compared({}) == []


@given(parents=st.lists(st.integers(0, 7), min_size=1, max_size=7))
def test_no_pair_is_compared_twice_and_none_with_itself(parents):
    names = ["base", *(f"r{n}" for n in range(1, len(parents) + 1))]
    rounds = made({names[n]: names[parent % n] for n, parent in enumerate(parents, 1)})
    pairs = compared(rounds)
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)
    assert all(len({*pair}) == 2 for pair in pairs)
    assert all(
        earlier == "base" or generation(rounds, later) == generation(rounds, earlier) for later, earlier in pairs
    )


@pytest.mark.parametrize(
    ("parents", "said"),
    [
        ({"a": "first"}, "grains.rounds.a.parent: 'first' is no arm; use one of: base, a."),
        ({"a": "b", "b": "c"}, "grains.rounds.b.parent: 'c' is no arm; use one of: base, a, b."),
        ({"a": "a"}, "grains.rounds.a descends from itself; give one of its ancestors the parent base."),
        ({"b": "base", "a": "c", "c": "a"}, "grains.rounds.a descends from itself; give one of"),
        ({"child": "a", "a": "b", "b": "a"}, "grains.rounds.a descends from itself; give one of"),
    ],
    ids=str,
)
def test_a_round_that_descends_from_no_base_arm_is_a_mistake(parents, said):
    with pytest.raises(Mistake) as mistake:
        rounds_of(tree(parents), "grains")
    assert str(mistake.value).startswith(said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, r"^grains\.rounds is missing from params\.yaml; add that section\.$"),
        ({"rounds": {"a": 5}}, r"^grains\.rounds\.a: 5 is not allowed; it should be a valid dictionary"),
        ({"rounds": {"a": {"seed": 1, "sampler": {}}}}, r"^grains\.rounds\.a\.parent: is missing; add it\.$"),
    ],
    ids=str,
)
def test_rounds_that_are_not_whole_are_mistakes(content, said):
    with pytest.raises(Mistake, match=said):
        rounds_of({"grains": content}, "grains")
