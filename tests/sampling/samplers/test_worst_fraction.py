from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from micromime.sampling.samplers.worst_fraction import WorstFraction, worst_first
from micromime.scenario.streams import LARGEST_SEED, stream
from micromime.use_cases import instance_kind

GRAINS = instance_kind("grain_boundaries")
WITHIN = {"grain_boundaries": {"thickness_px": 1.5}, "grain_shades": {"mean_grey": 30, "contrast_grey": 10}}
MOVED = {f"{model}.{key}": most for model, each in WITHIN.items() for key, most in each.items()}


def sampler(fraction=0.1, keep_seed=False, within=WITHIN):
    return WorstFraction(fraction=fraction, keep_seed=keep_seed, within=within)


def parents(asked):
    return [each.parent for each in asked]


@pytest.mark.parametrize(
    ("scores", "fraction", "expected"),
    [
        ([0.9, 0.2, 0.5, 0.1, 0.7], 0.4, [3, 1]),
        ([0.9, 0.2, 0.5, 0.1, 0.7], 1, [3, 1, 2, 4, 0]),
        ([0.5, 0.2, 0.7, 0.2, 0.2], 0.4, [1, 3]),  # ties in their order
        ([0.5, 0.2, 0.7, 0.2, 0.2], 0.8, [1, 3, 4, 0]),
        ([0.4, 0.3, 0.2, 0.1], 0.3, [3]),  # 1.2
        ([0.4, 0.3, 0.2, 0.1], 0.4, [3, 2]),  # 1.6
        ([0.4, 0.3, 0.2, 0.1], 0.01, [3]),  # at least one
        ([0.5], 0.01, [0]),
    ],
)
def test_the_worst_are_those_with_the_least_scores(pool, scores, fraction, expected):
    assert worst_first(pool(scores), fraction) == expected


def test_160_from_the_worst_tenth_of_160_are_ten_of_each(grains, pool):
    scores = np.arange(160) * 7 % 160 / 160  # n is the worst but m where 7 n = m modulo 160
    asked = sampler().propose(grains, pool(scores), 160, stream(0, "test"))
    expected = {f"{n:06d}" for n in range(160) if n * 7 % 160 < 16}
    assert Counter(parents(asked)) == dict.fromkeys(expected, 10)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (8, {"000003": 3, "000001": 3, "000002": 2}),
        (7, {"000003": 3, "000001": 2, "000002": 2}),
        (2, {"000003": 1, "000001": 1}),
    ],
)
def test_what_does_not_divide_goes_to_the_very_worst(grains, pool, count, expected):
    asked = sampler(0.6).propose(grains, pool([0.9, 0.2, 0.5, 0.1, 0.7]), count, stream(0, "test"))
    assert Counter(parents(asked)) == expected


@given(some.booleans(), some.integers(0, LARGEST_SEED))
def test_every_variation_lies_within_the_interval_about_its_parent(grains, pool, keep_seed, seed):
    scored = pool([0.3, 0.1, 0.2])
    for each in sampler(1, keep_seed).propose(grains, scored, 6, stream(seed, "test")):
        row, stored = each.instance.row(), scored.instances[int(each.parent)].row()
        differ = {key for key in row if row[key] != stored[key]}
        assert differ == ({*MOVED} if keep_seed else {*MOVED, "seed"})
        assert all(abs(row[key] - stored[key]) <= most for key, most in MOVED.items())
