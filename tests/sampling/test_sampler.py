"""What samplers have in common: when to stop, how images are shared out, and whose variations they are."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from micromime.sampling.parameter_space import clusters
from micromime.sampling.sampler import Clustered, Scored, accepted_draws, fresh, whole_numbers
from micromime.sampling.samplers.worst_fraction import WorstFraction
from micromime.scenario.streams import LARGEST_SEED, stream

WITHIN = {"grain_shades": {"mean_grey": {"share": 0.01}}}


class MostlyTheSecond(Clustered):
    def shares(self, scored, members):  # noqa: ARG002 - always the same
        return np.array([0.25, 0.75])


@pytest.mark.parametrize(
    ("scores", "before", "least", "expected"),
    [
        ([0.5, 0.7], [0.6, 0.62], -0.005, True),  # a mean gain of -0.01
        ([0.5, 0.7], [0.6, 0.62], -0.02, False),
        ([0.7, 0.7], [0.6, 0.62], 0.1, True),  # 0.09
        ([0.7, 0.7], [0.6, 0.62], 0.08, False),
        ([0.5, 0.5], [0.5, 0.5], 0, False),
        ([0.5, 0.7], None, 9, False),
        ([0.5, 0.7], [0.6, 0.62], None, False),
    ],
)
def test_what_has_done_harm_falls_back_to_fresh_draws(plain, pool, scores, before, least, expected):
    sampler = WorstFraction(fraction=1, keep_seed=False, within=WITHIN, stop_below=least)
    asked = sampler.propose(plain, pool(scores, before), 5, stream(0, "test"))
    assert (asked == fresh(plain, 5, stream(0, "test"))) is expected
    assert {each.parent for each in asked} == ({""} if expected else {"000000", "000001"})


@pytest.mark.parametrize(
    ("shares", "count", "expected"),
    [
        ([0.5, 0.25, 0.25], 8, [4, 2, 2]),
        ([0.5, 0.3, 0.2], 5, [3, 1, 1]),  # 2.5, 1.5 and 1: of equal remainders the first
        ([0.1, 0.3, 0.6], 4, [1, 1, 2]),  # 0.4, 1.2 and 2.4, but for rounding
        ([0.7, 0.2, 0.1], 10, [7, 2, 1]),  # 0.7 * 10 is not 7 in every arithmetic
        ([0.2] * 5, 2, [1, 1, 0, 0, 0]),
        ([1.0], 0, [0]),
    ],
)
def test_whole_numbers_go_to_the_largest_remainders(shares, count, expected):
    assert whole_numbers(np.array(shares), count).tolist() == expected


@given(some.lists(some.floats(0.001, 1), min_size=1, max_size=30), some.integers(0, 5000))
def test_whole_numbers_have_the_sum_and_lie_next_to_the_share(shares, count):
    exact = np.array(shares) / np.sum(shares)
    whole = whole_numbers(exact, count)
    assert whole.sum() == count
    assert (np.abs(whole - exact * count) < 1 + 1e-6).all()


def two_kinds(made_of):
    """Two dark ones and three bright ones, in clusters that are numbered from dark to bright."""
    instances = made_of([{"mean_grey": grey} for grey in (80, 201, 82, 200, 202)])
    return Scored([f"{n:06d}" for n in range(5)], instances, np.full(5, 0.5))


def test_images_are_shared_out_evenly_over_the_members(plain, made_of):
    sampler = MostlyTheSecond(clusters=2, keep_seed=False, within=WITHIN)
    asked = sampler.propose(plain, two_kinds(made_of), 24, stream(0, "test"))
    dark, bright = {"000000": 3, "000002": 3}, {"000001": 6, "000003": 6, "000004": 6}
    assert Counter(each.parent for each in asked) == dark | bright
    greys = [each.instance.grain_shades.mean_grey for each in asked]
    assert sum(grey < 84 for grey in greys) == 6
    assert sum(grey > 198 for grey in greys) == 18
    assert greys != sorted(greys)


def test_fresh_draws_come_first_and_variations_fill_up(plain, made_of):
    sampler = MostlyTheSecond(clusters=2, tries=1, keep_seed=False, within=WITHIN)
    asked = sampler.propose(plain, two_kinds(made_of), 40, stream(0, "test"))
    dark = [each for each in asked if each.instance.grain_shades.mean_grey < 141]  # nearer to 81 than to 201
    assert len(dark) == 10
    assert sum(each.parent == "" for each in dark) == 9  # of 40 draws; a tenth is wanted
    assert Counter(each.parent for each in asked)[""] == 39


@pytest.mark.parametrize(("tries", "expected"), [(0, [0, 0]), (100, [4, 6])])
def test_fresh_draws_are_taken_where_they_fall(plain, made_of, tries, expected):
    found = clusters(two_kinds(made_of).instances, 2, stream(0, "test"))
    taken = accepted_draws(plain, found, np.array([4, 6], np.int32), tries, stream(0, "test"))
    assert [len(each) for each in taken] == expected
    for cluster, each in enumerate(taken):
        assert found.assigned(each).tolist() == [cluster] * len(each)


@settings(max_examples=5)
@given(some.integers(0, LARGEST_SEED))
def test_what_no_draw_can_be_is_given_up(plain, made_of, seed):
    found = clusters(made_of([{"mean_grey": 5}, {"mean_grey": 160}]), 2, stream(0, "test"))  # they are 110 to 210
    taken = accepted_draws(plain, found, np.array([4, 4], np.int32), 2, stream(seed, "test"))
    assert taken[0] == []
    assert len(taken[1]) == 4
