import math

import numpy as np
import pytest

from micromime.sampling.sampler import Scored
from micromime.sampling.samplers.adversarial_draws import AdversarialDraws, standardised
from micromime.scenario.streams import stream

MEMBERS = [np.array([0, 1]), np.array([2, 3])]
SCORES = np.array([0.1, 0.3, 0.7, 0.9])
"""Standardised, their means are -0.3 and 0.3 over a standard deviation of sqrt(0.1)."""
Z = 0.3 / math.sqrt(0.1)


def sampler(rate, **told):
    within = {"grain_shades": {"mean_grey": 1}}
    return AdversarialDraws(clusters=2, keep_seed=False, within=within, rate=rate, **told)


def policy(rate, scores=SCORES, before=None, members=MEMBERS):
    return sampler(rate).shares(Scored([], [], scores, before), members).tolist()


@pytest.mark.parametrize("rate", [0, 0.5, 2])
def test_it_is_an_exponential_of_the_reward(rate):
    odds = math.exp(2 * rate * Z)
    assert policy(rate) == pytest.approx([odds / (1 + odds), 1 / (1 + odds)])


def test_the_rewards_of_two_rounds_add_up():
    odds = math.exp(4 * Z)
    assert policy(1, before=SCORES) == pytest.approx([odds / (1 + odds), 1 / (1 + odds)])
    assert policy(1, before=SCORES[::-1]) == pytest.approx([0.5, 0.5])


def test_it_starts_from_the_shares_of_the_scenario():
    assert policy(0, members=[np.array([0]), np.array([1, 2, 3])]) == pytest.approx([0.25, 0.75])
    assert policy(5, scores=np.full(4, 0.1), members=[np.array([0]), np.array([1, 2, 3])]) == pytest.approx(
        [0.25, 0.75]
    )


def test_the_largest_rate_overflows_nowhere():
    assert policy(100, before=SCORES) == pytest.approx([1, 0])


def test_images_come_from_where_the_scores_are_low(plain, made_of):
    instances = made_of([{"mean_grey": grey} for grey in (40, 41, 200, 201)])
    scored = Scored([f"{n:06d}" for n in range(4)], instances, SCORES)
    asked = sampler(1).propose(plain, scored, 100, stream(0, "test"))
    assert sum(each.parent in {"000000", "000001"} for each in asked) == round(100 * policy(1)[0]) == 87


def test_standardised_scores():
    assert standardised(np.array([1.0, 3.0])).tolist() == [-1, 1]
    assert standardised(np.full(3, 0.1)).tolist() == [0, 0, 0]
