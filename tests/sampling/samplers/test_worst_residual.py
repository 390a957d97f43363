import numpy as np
import pytest

from micromime.sampling.sampler import Scored
from micromime.sampling.samplers.worst_fraction import WorstFraction
from micromime.sampling.samplers.worst_residual import WorstResidual, nuisances, unexplained
from micromime.scenario.streams import stream

TOLD = {"fraction": 0.1, "keep_seed": False, "within": {"grain_shades": {"mean_grey": 1}}}
CONTRAST, GREY = "grain_shades.contrast_grey", "grain_shades.mean_grey"
CONTRASTS = np.linspace(5, 45, 40)


def scored(made_of, scores):
    instances = made_of([{"contrast_grey": contrast, "mean_grey": 100.0} for contrast in CONTRASTS])
    return Scored([f"{n:06d}" for n in range(40)], instances, scores)


@pytest.mark.parametrize(
    "law",
    [lambda x: 0.01 * x, lambda x: 0.9 - 0.01 * x, lambda x: 0.9 - 0.001 * (x - 25) ** 2, lambda x: 0.2 * np.log(x)],
    ids=["rising", "falling", "quadratic", "logarithmic"],
)
@pytest.mark.parametrize("planted", [[20, 23, 17, 26], [3, 11, 28, 36]], ids=str)
def test_what_the_nuisance_explains_is_left_alone(plain, made_of, law, planted):
    scores = law(CONTRASTS)
    scores[planted] -= 0.08
    given = scored(made_of, scores)
    chosen = WorstResidual(**TOLD, nuisance=[CONTRAST], logs=False).propose(plain, given, 12, stream(0, "test"))
    plain = WorstFraction(**TOLD).propose(plain, given, 12, stream(0, "test"))
    assert {int(each.parent) for each in chosen} == {*planted}
    assert {int(each.parent) for each in plain} != {*planted}


def test_without_spread_in_the_nuisance_the_worst_scores_are_the_worst(plain, made_of):
    given = scored(made_of, np.arange(40) * 7 % 40 / 40)
    ask = WorstResidual(**TOLD, nuisance=[GREY]).propose(plain, given, 12, stream(0, "test"))
    assert ask == WorstFraction(**TOLD).propose(plain, given, 12, stream(0, "test"))


def test_the_residual_is_that_of_a_ridge_regression():
    """Standardised -1 and 1, their squares without spread: a slope of (0.5 + 0.5) / (2 + 1)."""
    left = unexplained(np.array([0.0, 1.0]), np.array([[3.0], [7.0]]))
    assert left == pytest.approx(np.array([-1 / 6, 1 / 6]))


def test_two_nuisances_are_explained_together():
    one, other = (each.ravel() for each in np.meshgrid(np.linspace(1, 2, 30), np.linspace(0, 5, 20)))
    scores = 0.3 * one - 0.1 * other + 0.05 * one * other
    left = unexplained(scores, np.column_stack([one, other]))
    assert np.abs(left).max() < 0.01 * np.ptp(scores)


def test_equal_scores_stay_equal():
    left = unexplained(np.full(12, 0.1), np.arange(24, dtype=np.float64).reshape(12, 2) ** 2)
    assert len(set(left.tolist())) == 1


def test_positive_nuisances_enter_by_their_logarithm(made_of):
    given = scored(made_of, np.zeros(40))
    assert nuisances(given, [CONTRAST], True)[:, 0] == pytest.approx(np.log(CONTRASTS))
    assert nuisances(given, [GREY, CONTRAST], False)[:, 1] == pytest.approx(CONTRASTS)
    zero = given._replace(instances=made_of([{"contrast_grey": 0.0}, {"contrast_grey": 9.0}]))
    assert nuisances(zero, [CONTRAST], True)[:, 0].tolist() == [0, 9]
