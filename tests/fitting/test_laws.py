import numpy as np
import pytest
from scipy import stats

from micromime.fitting.laws import empirical, fit_counts, fit_reals
from micromime.mistakes import Mistake
from micromime.scenario.distributions import distribution


def spread(law, count=400):
    return law.ppf((np.arange(count) + 0.5) / count)


@pytest.mark.parametrize(
    ("law", "name", "numbers"),
    [
        (stats.lognorm(0.5, scale=13), "lognormal", {"median": 13, "sigma": 0.5}),
        (stats.gamma(2.5, scale=4), "gamma", {"mean": 10, "shape": 2.5}),
        (stats.weibull_min(1.7, scale=6), "weibull", {"scale": 6, "shape": 1.7}),
        (stats.norm(-3, 20), "normal", {"mean": -3, "sd": 20}),
    ],
)
def test_the_law_that_values_follow_is_found(law, name, numbers):
    found = fit_reals(spread(law), (-400, 400))
    (content,) = found.written.values()
    assert name in found.written
    assert {key: content[key] for key in numbers} == pytest.approx(numbers, rel=0.03)
    assert found.candidates["law"][0] == name
    assert found.candidates["ks"][0] < 0.01


@pytest.mark.parametrize(
    ("law", "name", "size"),
    [
        (stats.nbinom(3, 3 / (3 + 18), loc=1), "negative_binomial", 3),
        (stats.geom(0.2), "geometric", 1),
        (stats.poisson(5, loc=1), "poisson", 1e6),
    ],
)
def test_the_law_that_counts_follow_is_found(law, name, size):
    found = fit_counts(spread(law), (1, 400))
    content = found.written["negative_binomial"]
    assert content["mean"] == pytest.approx(law.mean(), rel=0.02)
    assert content["size"] == pytest.approx(size, rel=0.05)
    assert found.candidates.query("chosen")["law"].tolist() == [name]


def test_the_table_has_the_least_aic_first_by_hand():
    table = fit_reals([1.0, 2.0, 4.0], (0, 9)).candidates
    assert table["aic"].is_monotonic_increasing
    assert sorted(table["law"]) == ["gamma", "lognormal", "normal", "weibull"]
    # Log-normal of logs -l, 0, l about log 2: variance 2 l^2 / 3; log likelihood = -3/2 (log(2 pi v) + 1) - 3 log 2.
    log_likelihood = -1.5 * (np.log(2 * np.pi * 2 * np.log(2) ** 2 / 3) + 1) - 3 * np.log(2)
    row = table.set_index("law").loc["lognormal"]
    assert row["aic"] == pytest.approx(4 - 2 * log_likelihood)
    assert row["ks"] == pytest.approx(1 / 3 - stats.norm.cdf(-np.sqrt(1.5)), abs=1e-6)


def test_laws_are_cut_off_within_bounds_and_can_be_drawn_from():
    found = fit_reals(spread(stats.lognorm(0.9, scale=0.5)), (0, 0.95))
    law = distribution(found.written)
    low, high = law.limits()
    assert 0 < low < law.at(0.5) < high <= 0.95
    counts = distribution(fit_counts([1, 1, 2, 5, 9, 40], (1, 30)).written)
    assert counts.limits() == (1, 30)
    assert type(counts.at(0.7)) is int


def test_one_value_and_equal_values_are_constants():
    assert fit_reals([2.5], (0, 9)).written == 2.5
    assert fit_counts([7, 7, 7], (1, 9)).written == 7
    assert type(fit_counts([7], (1, 9)).written) is int
    assert fit_reals([0, 0], (0, 9)).written == 0
    assert empirical([3], (0, 9)) == 3
    assert len(fit_reals([2.5], (0, 9)).candidates) == 0


def test_two_values_have_a_law():
    assert distribution(fit_reals([3, 4], (0, 9)).written).at(0.5) == pytest.approx(3.5, rel=0.1)
    assert distribution(fit_counts([3, 4], (1, 9)).written).at(0.5) in {3, 4}


def test_directions_have_a_normal_law_also_where_all_are_above_zero():
    assert fit_reals([1.0, 2.0, 30.0], (-90, 90), signed=True).candidates["law"].tolist() == ["normal"]


@pytest.mark.parametrize("fit", [fit_reals, fit_counts, empirical])
@pytest.mark.parametrize("values", [[], [np.nan, np.inf]], ids=str)
def test_nothing_measured_is_a_mistake(fit, values):
    with pytest.raises(Mistake, match="no measured values to fit a distribution to; give pictures"):
        fit(values, (1, 9))


def test_values_themselves_can_be_drawn():
    assert empirical([3, 1, 2], (0, 9), whole=True) == {"choice": [1, 2, 3]}
    many = empirical(np.arange(1001) / 1000, (0, 9))
    assert len(many["choice"]) == 41
    assert np.mean(many["choice"]) == pytest.approx(0.5, abs=0.01)
