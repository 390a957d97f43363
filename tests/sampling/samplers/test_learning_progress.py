from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from micromime.sampling.sampler import Scored
from micromime.sampling.samplers.learning_progress import LearningProgress, capped
from micromime.scenario.streams import stream

MEMBERS = [np.array([0, 1]), np.array([2, 3]), np.array([4, 5, 6, 7])]
BEFORE = np.array([0.2, 0.4, 0.5, 0.3, 0.9, 0.9, 0.9, 0.9])
SCORES = np.array([0.4, 0.4, 0.9, 0.5, 0.6, 0.8, 0.7, 0.7])
"""Mean gains of 0.1, 0.3 and -0.2."""


def sampler(**told):
    within = {"grain_shades": {"mean_grey": 1}}
    return LearningProgress(**{"clusters": 3, "keep_seed": False, "within": within, "largest_share": 1, **told})


def scored(instances=(), scores=SCORES, before=BEFORE):
    return Scored([f"{n:06d}" for n in range(8)], instances, scores, before)


@pytest.mark.parametrize(
    ("even", "largest", "expected"),
    [
        (0.0, 1, [0.25, 0.75, 0]),
        (0.3, 1, [0.275, 0.625, 0.1]),
        (1.0, 1, [1 / 3, 1 / 3, 1 / 3]),
        (
            0.3,
            0.5,
            [0.1 + 0.9 * 0.175 / 0.275 - 0.1 - 0.9 * 0.175 / 0.275 + 0.5 * 0.275 / 0.375, 0.5, 0.5 * 0.1 / 0.375],
        ),
        (0.3, 0.4, [0.4, 0.4, 0.2]),  # the second is cut off, what is left lifts the first to 0.44
        (0.3, 0.1, [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_shares_follow_the_positive_gains(even, largest, expected):
    shares = sampler(even_share=even, largest_share=largest).shares(scored(), MEMBERS)
    assert shares == pytest.approx(np.array(expected))


@pytest.mark.parametrize("before", [None, SCORES, SCORES + 0.1], ids=["first round", "no gain", "all lost"])
def test_without_a_gain_all_get_the_same(before):
    shares = sampler(even_share=0).shares(scored(before=before), MEMBERS)
    assert shares == pytest.approx(np.full(3, 1 / 3))


def test_images_come_from_the_clusters_that_gain(plain, made_of):
    instances = made_of([{"mean_grey": grey} for grey in (40, 41, 120, 121, 200, 201, 202, 203)])
    asked = sampler(even_share=0.3, largest_share=0.4).propose(plain, scored(instances), 20, stream(0, "test"))
    first, second, third = (Counter(f"{n:06d}" for n in each) for each in MEMBERS)
    assert Counter(each.parent for each in asked) == Counter({**dict.fromkeys([*first, *second], 4), **third})


@pytest.mark.parametrize(
    ("shares", "largest", "expected"),
    [
        ([0.5, 0.3, 0.2], 0.4, [0.4, 0.36, 0.24]),
        ([0.8, 0.1, 0.1], 0.4, [0.4, 0.3, 0.3]),
        ([0.6, 0.35, 0.05], 0.4, [0.4, 0.4, 0.2]),
        ([1, 0, 0], 0.5, [0.5, 0.25, 0.25]),
        ([0.6, 0.4], 0.3, [0.5, 0.5]),
        ([1], 0.3, [1]),
    ],
)
def test_what_is_cut_off_goes_to_the_others(shares, largest, expected):
    assert capped(np.array(shares, dtype=np.float64), largest) == pytest.approx(np.array(expected))


@given(some.lists(some.floats(0, 1), min_size=1, max_size=20), some.floats(0.01, 1))
def test_capped_shares_add_up_keep_their_order_and_stay_below(shares, largest):
    shares = (np.array(shares) + 1e-6) / np.sum(np.array(shares) + 1e-6)
    cut = capped(shares, largest)
    assert cut.sum() == pytest.approx(1)
    assert cut.max() <= max(largest, 1 / len(shares)) + 1e-9
    assert (np.diff(cut[np.argsort(shares)]) >= -1e-9).all()
