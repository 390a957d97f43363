"""What holds for every sampler, whichever files are in the folder."""

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from micromime.mistakes import Mistake
from micromime.samplers import read_sampler, samplers
from micromime.scenarios import instance_kind
from micromime.streams import LARGEST_SEED, stream

GRAINS = instance_kind("grain_boundaries")

SETTINGS = {
    "random_draws": {},
    "worst_fraction": {
        "fraction": 0.25,
        "keep_seed": False,
        "within": {"grain_boundaries": {"thickness_px": 1.5}, "gaussian_blur": {"kernel_px": 2}},
    },
}
"""A new sampler says here what it may be told."""

every = pytest.mark.parametrize(
    "sampler", [read_sampler({name: SETTINGS[name]}, "s") for name in SETTINGS], ids=SETTINGS
)
scores = some.lists(some.floats(0, 1), min_size=1, max_size=12)
seeds = some.integers(0, LARGEST_SEED)


def test_every_file_of_samplers_has_settings_here():
    assert samplers() == sorted(SETTINGS)


@every
def test_its_settings_fit_the_use_case(sampler):
    sampler.check(GRAINS, "s")


@every
@given(scores, some.integers(0, 15), seeds)
def test_it_asks_for_as_many_as_it_is_told_and_each_is_valid(grains, pool, sampler, scores, count, seed):
    scored = pool(scores)
    asked = sampler.ask(grains, scored, count, stream(seed, "test"))
    assert len(asked) == count
    assert {each.parent for each in asked} <= {"", *scored.ids}
    for each in asked:
        assert GRAINS.model_validate(each.instance.model_dump()) == each.instance
        assert (each.instance.rows, each.instance.cols) == (72, 96)


@every
@given(scores, seeds)
def test_it_leaves_what_it_is_given(grains, pool, sampler, scores, seed):
    scored = pool(scores)
    before = copy.deepcopy((scored.ids, scored.instances, grains.parameters))
    sampler.ask(grains, scored, 5, stream(seed, "test"))
    assert (scored.ids, scored.instances, grains.parameters) == before
    assert scored.scores.tolist() == scores


@every
def test_the_seed_decides_and_no_two_instances_are_alike(grains, pool, sampler):
    scored = pool(np.linspace(1, 0, 8))
    first, again, other = (sampler.ask(grains, scored, 12, stream(seed, "test")) for seed in (0, 0, 1))
    assert first == again
    assert len({each.instance.seed for each in first + other}) == 24


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"best": {}}, r"^x\.sampler: 'best' is not known; use one of: random_draws, worst_fraction\.$"),
        ({1: {}}, r"^x\.sampler: '1' is not known"),
        (
            {"random_draws": {}, "worst_fraction": {}},
            r"^x\.sampler is \{.*\}; give one key, the name of a sampler: random_",
        ),
        ({}, r"^x\.sampler is \{\}; give one key"),
        ("random_draws", r"^x\.sampler is 'random_draws'; give one key"),
        (None, r"^x\.sampler is None; give one key"),
        ({"random_draws": {"seed": 1}}, r"^x\.sampler\.random_draws\.seed is not a known key"),
        ({"random_draws": 5}, r"^x\.sampler\.random_draws: 5 is not allowed"),
        ({"worst_fraction": {}}, r"^x\.sampler\.worst_fraction\.fraction: is missing"),
    ],
    ids=str,
)
def test_wrong_samplers_say_what_is_wrong(written, said):
    with pytest.raises(Mistake, match=said):
        read_sampler(written, "x.sampler")


def test_a_sampler_without_settings_may_be_left_empty():
    assert read_sampler({"random_draws": None}, "x") == read_sampler({"random_draws": {}}, "x")
